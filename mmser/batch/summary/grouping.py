"""Calls divided by a column of the user's: queues, products, regions. Customers only."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow
import pyarrow.compute as pc

from mmser.batch.summary.counting import Ints, Rules, scored_talk, share_of_calls, total, valence_share
from mmser.batch.summary.differences import differences
from mmser.batch.summary.intervals import CHANGE, Bools, Floats, mean, ratios
from mmser.batch.summary.reading import Calls
from mmser.batch.summary.records import Estimate, Group, GroupTable

NONE: Final = "(none)"
OTHERS: Final = "others"
MOST_GROUPS: Final = 50  # shown by themselves
_SURE: Final = 0.05  # p, corrected for the number of groups


def group_table(calls: Calls, rules: Rules, column: str, *, min_calls: int, seed: int) -> GroupTable:
    """Return the calls by the values of a column, the largest group first.

    Groups of fewer than `min_calls` calls, and those past the fifty largest, are pooled. The pool shows no
    more than its number of calls where it is itself too small.
    """
    names, codes = _coded(calls.texts[column])
    sizes = np.bincount(codes, minlength=len(names))
    order = sorted(np.flatnonzero(sizes >= min_calls).tolist(), key=lambda one: (-sizes[one], names[one]))
    shown = order[:MOST_GROUPS]
    place = np.full(len(names), len(shown))
    place[shown] = np.arange(len(shown))
    placed = place[codes]
    measures = _Measures(calls, rules, seed)
    groups = [measures.group(names[one], placed == number) for number, one in enumerate(shown)]
    tested, groups = _tested(measures, groups, placed)
    pooled = len(names) - len(shown)
    if pooled:
        rows = placed == len(shown)
        small = int(rows.sum()) < min_calls
        groups.append(measures.group(OTHERS, rows, pooled=pooled, hidden=small))
    return GroupTable(column=column, distinct=len(names), tested=tested, groups=tuple(groups))


class _Measures:
    """What is measured of each call, once for all groups."""

    def __init__(self, calls: Calls, rules: Rules, seed: int) -> None:
        self.calls, self.rules, self.seed = calls, rules, seed
        self.time, shares = scored_talk(calls, "customer")
        negative, positive = valence_share(calls, shares, -1), valence_share(calls, shares, 1)
        self.emotions = np.stack([negative, positive, shares[:, -1]], 1) * self.time[:, None]
        self.any_rule = rules.any()

    def group(self, name: str, rows: Bools, *, pooled: int = 0, hidden: bool = False) -> Group:
        count, numbers = int(rows.sum()), self.calls.numbers
        if hidden:
            rows = np.zeros_like(rows)
        negative, positive, uncertain = ratios(self.emotions[rows], self.time[rows], seed=self.seed)
        seconds = total(numbers["duration"][rows])
        matched = {
            rule: int(self.rules.hits(place)[rows].sum()) for place, rule in enumerate(self.rules.names)
        }
        return Group(
            name=name,
            pooled=pooled,
            calls=count,
            hours=None if seconds is None else round(seconds / 3600, 3),
            negative=negative,
            positive=positive,
            uncertain=uncertain,
            escalation=mean(numbers["customer_escalation"][rows], span=CHANGE, seed=self.seed),
            non_talk=self._non_talk(rows),
            any_rule=share_of_calls(self.any_rule[rows]),
            rule_calls={} if hidden else matched,
        )

    def _non_talk(self, rows: Bools) -> Estimate:
        silent: Floats = self.calls.numbers["non_talk"][rows]
        return ratios(silent[:, None], self.calls.numbers["duration"][rows], seed=self.seed)[0]


def _tested(measures: _Measures, groups: Sequence[Group], placed: Ints) -> tuple[int, list[Group]]:
    """Return how many groups were tested against all other calls, and the groups with what was found."""
    gaps = differences(measures.emotions[:, 0], measures.time, placed, len(groups), seed=measures.seed)
    found = []
    for group, gap in zip(groups, gaps, strict=True):
        data = group.to_dict()
        if gap is not None:
            data["p"] = round(gap.p, 4)
        if gap is not None and gap.p < _SURE:
            data["differs"] = "higher" if gap.gap > 0 else "lower"
        found.append(Group.from_dict(data))
    return sum(gap is not None for gap in gaps), found


def _coded(texts: pyarrow.Array) -> tuple[list[str], Ints]:
    """Return the distinct values of a column, and which of them each call has, (calls,)."""
    trimmed = pc.utf8_trim_whitespace(texts).fill_null("")
    named = pc.if_else(pc.equal(trimmed, ""), NONE, trimmed)
    coded = named.dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)
