"""All calls together: turns and talk by role, shares of emotions, rules, and the course of conversation."""

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from mmser.batch.summary.intervals import Bools, Floats, mean, proportion, ratios
from mmser.batch.summary.reading import Calls
from mmser.batch.summary.records import (
    Estimate,
    LabelShare,
    RoleShares,
    RoleTotals,
    RuleHits,
    Talk,
)
from mmser.labels import ROLES, VALENCE, Role
from mmser.report.palette import UNCERTAIN

Ints = NDArray[np.int64]
_MANY_A_CALL: Final = (0.0, np.inf)


def role_totals(calls: Calls) -> tuple[RoleTotals, ...]:
    """Return turns and talk of each role that speaks in any call."""
    talk = {role: calls.numbers[f"{role}_talk_time"] for role in ROLES}
    everybody = float(sum(np.nansum(values) for values in talk.values()))
    allowed = calls.texts["agent_reason"].is_valid().to_numpy(zero_copy_only=False)
    found = []
    for role in ROLES:
        turns, scored = calls.numbers[f"{role}_num_turns"], calls.numbers[f"{role}_num_scored"]
        if not np.nansum(turns):
            continue
        # As `mmser.report.policy.is_withheld`: customers never are, agents unless a reason is given.
        may = np.ones(len(calls), np.bool_) if role == "customer" else allowed & (role == "agent")
        silent = np.nan_to_num(turns) - np.nan_to_num(scored)
        speed, time = calls.numbers[f"{role}_words_per_minute"], talk[role]
        heard = np.isfinite(speed) & (time > 0)
        seconds = total(time)
        found.append(
            RoleTotals(
                role=role,
                calls=int((turns > 0).sum()),
                turns=int(np.nansum(turns)),
                scored=int(np.nansum(scored)),
                abstained=int(np.nansum(calls.numbers[f"{role}_num_abstained"])),
                withheld=int(silent[~may].sum()),
                unanswered=int(silent[may].sum()),
                talk_hours=None if seconds is None else round(seconds / 3600, 3),
                talk_share=round(seconds / everybody, 4) if seconds is not None and everybody else None,
                words_per_minute=(
                    round(float(speed[heard] @ time[heard] / time[heard].sum()), 1) if heard.any() else None
                ),
                interruptions=whole(total(calls.numbers[f"{role}_interruptions"])),
            )
        )
    return tuple(found)


def role_shares(calls: Calls, role: Role, seed: int) -> RoleShares | None:
    """Return a role's shares of emotions; None where none of its turns is scored.

    Agents' count only in calls that record the reason for which they were scored.
    """
    time, shares = scored_talk(calls, role)
    has = np.isfinite(shares).all(1)
    if not has.any():
        return None
    used = has & (time > 0)
    columns = [*shares.T, valence_share(calls, shares, -1), valence_share(calls, shares, 1)]
    above = np.stack(columns, 1) * time[:, None]
    found = ratios(above, time, seed=seed)
    labels = (*calls.labels, UNCERTAIN)
    return RoleShares(
        role=role,
        calls=int(used.sum()),
        untimed=int((has & ~np.isfinite(time)).sum()),
        hours=round(float(time[used].sum()) / 3600, 3),
        labels=tuple(LabelShare(label=name, share=one) for name, one in zip(labels, found, strict=False)),
        negative=found[-2],
        positive=found[-1],
    )


def scored_talk(calls: Calls, role: str) -> tuple[Floats, Floats]:
    """Return a role's scored seconds, (calls,), and the shares of labels in them, (calls, labels)."""
    time, shares = calls.numbers[f"{role}_scored_time"], calls.shares(role)
    # A label that the model of one part does not know has no share in its calls, and the others have theirs.
    any_label = np.isfinite(shares).any(axis=1, keepdims=True)
    shares = np.where(any_label, np.nan_to_num(shares), np.nan)
    if role == "agent":
        given = calls.texts["agent_reason"].is_valid().to_numpy(zero_copy_only=False)
        shares = np.where(given[:, None], shares, np.nan)
    return time, shares


def valence_share(calls: Calls, shares: Floats, sign: int) -> Floats:
    """Return the share of all emotions of one valence, -1 or 1, (calls,)."""
    places = [place for place, label in enumerate(calls.labels) if (VALENCE.get(label) or 0) == sign]
    return np.asarray(shares[:, places].sum(1), np.float64)


def conversation(calls: Calls, seed: int) -> Talk:
    """Return how much of the calls is silence and how much is spoken over one another."""
    numbers = calls.numbers
    silences = numbers["longest_silence"][np.isfinite(numbers["longest_silence"])]
    return Talk(
        non_talk=ratios(numbers["non_talk"][:, None], numbers["duration"], seed=seed)[0],
        overlap=ratios(numbers["overlap"][:, None], numbers["duration"], seed=seed)[0],
        interruptions=mean(numbers["interruptions"], span=_MANY_A_CALL, seed=seed),
        longest_silence=round(float(np.median(silences)), 1) if len(silences) else None,
    )


class Rules:
    """Which calls each rule matched."""

    def __init__(self, calls: Calls) -> None:
        coded = calls.texts["rules"].dictionary_encode()
        # Few sets of rules stand for many calls; no match is the last of them.
        sets = [tuple(dict.fromkeys(_names(text))) for text in _texts(coded)]
        self.names = tuple(sorted({name for one in sets for name in one}))
        self._holds = np.zeros((len(sets) + 1, len(self.names)), np.bool_)
        for place, one in enumerate(sets):
            self._holds[place, [self.names.index(name) for name in one]] = True
        self._codes = coded.indices.fill_null(len(sets)).to_numpy(zero_copy_only=False)

    def hits(self, place: int) -> Floats:
        """Return 1 where the rule at that place in `names` matched, else 0, (calls,)."""
        return np.asarray(self._holds[self._codes, place], np.float64)

    def any(self) -> Floats:
        """Return 1 where any rule matched, else 0, (calls,)."""
        matched: Bools = np.asarray(self._holds.any(axis=1))
        return np.asarray(matched[self._codes], np.float64)


def rule_hits(calls: Calls, rules: Rules, top: int) -> tuple[RuleHits, ...]:
    """Return each rule that matched a call, the one with most calls first.

    Args:
        calls: all of them.
        rules: of the same.
        top: of the calls that are named, the most escalated.
    """
    found = []
    for place, name in enumerate(rules.names):
        rows = np.flatnonzero(rules.hits(place))
        ids = calls.texts["id"]
        found.append(
            RuleHits(
                rule=name,
                calls=len(rows),
                share=proportion(len(rows), len(calls)),
                ids=tuple(ids[int(row)].as_py() for row in rows[ordered(calls, rows)][:top]),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.calls, one.rule)))


def ordered(calls: Calls, rows: Ints) -> Ints:
    """Return the order of some calls, the most escalated first and those that have no such number last."""
    rise = calls.numbers["customer_escalation"][rows]
    named = calls.texts["id"].take(pyarrow.array(rows))
    ids = pyarrow.compute.rank(named).to_numpy()
    return np.lexsort((ids, np.where(np.isfinite(rise), -rise, np.inf)))


def share_of_calls(hits: Floats) -> Estimate:
    """Return the share of calls that have something, (calls,), 0 or 1."""
    return proportion(int(hits.sum()), len(hits))


def total(values: Floats) -> float | None:
    """Return the sum of what is known; None where nothing is."""
    return float(np.nansum(values)) if np.isfinite(values).any() else None


def whole(value: float | None) -> int | None:
    """Return a sum of counts as a whole number."""
    return None if value is None else round(value)


def _texts(coded: pyarrow.DictionaryArray) -> Sequence[str]:
    return [text or "" for text in coded.dictionary.to_pylist()]


def _names(text: str) -> list[str]:
    """Return the names in a JSON list; what is none is taken for one name."""
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    return [str(name) for name in found] if isinstance(found, list) else [text]
