"""Rules of the user's own, in YAML: what to look for in a call.

Each condition on turns (role, emotion, intensity, change, words, part of the call) must hold for the same
turn; `min_turns` or `consecutive_turns` say how many such turns are needed. Conditions on the call (share,
mean, interruptions, silence) must hold besides. A turn that was not scored, such as a withheld one, never
matches on emotion, intensity or change, and one judged from words alone never on intensity; their words can
match. A turn on which the model abstains never matches on `emotion` or `at_least`, and in a share it
counts as uncertain; a mean (`mean_at_least`) is over probabilities, and counts it as it counts any other.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import regex
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mmser.errors import RuleError
from mmser.labels import EMOTIONS, ROLES, Role
from mmser.report.rule_text import SCOPES, nearest, parse_rule_line
from mmser.report.timing import call_extent
from mmser.types import CallReport, RuleMatch, TurnReport

MAX_PATTERN: Final = 200  # characters
MAX_FILE: Final = 1_000_000  # bytes
REGEX_SECONDS: Final = 0.5  # per turn; a pattern that backtracks longer is an error, not a hang

Fraction = Annotated[float, Field(ge=0, le=1, strict=False)]
Count = Annotated[int, Field(ge=1)]
Scope = Literal[
    "call",
    "first quarter",
    "second quarter",
    "third quarter",
    "last quarter",
    "first third",
    "last third",
    "first half",
    "last half",
]


class Conditions(BaseModel):
    """What must hold; every key that is left out does not matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role | None = None
    within: Scope = "call"
    emotion: str | None = None
    at_least: Fraction | None = None  # probability of `emotion` in one turn; without it, its label
    mean_at_least: Fraction | None = None  # mean probability of `emotion`, weighted by duration
    share_at_least: Fraction | None = None  # of scored talk time labelled `emotion`
    intensity_at_least: Fraction | None = None
    change: Literal["any", "worse", "better", "lateral"] | None = None
    text_contains: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)] | None = None  # any case
    text_matches: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)] | None = None  # any case
    interruptions_at_least: Count | None = None
    silence_at_least: Annotated[float, Field(gt=0)] | None = None  # seconds
    min_turns: Count = 1
    consecutive_turns: Count = 1  # of the same role

    @field_validator("text_matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            regex.compile(pattern or "")
        except regex.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for name in ("at_least", "mean_at_least", "share_at_least"):
            if getattr(self, name) is not None and self.emotion is None:
                raise ValueError(f"{name!r} needs 'emotion'")
        if not (self.on_turns or self.on_call):
            raise ValueError("it states no condition; give one, such as 'emotion' and 'at_least'")
        if not self.on_turns and (self.min_turns > 1 or self.consecutive_turns > 1):
            raise ValueError("'min_turns' and 'consecutive_turns' count turns, but no condition is on turns")
        if self.within != "call" and self.silence_at_least is not None:
            raise ValueError("'silence_at_least' is about the whole call; leave 'within' out")
        return self

    @property
    def on_turns(self) -> bool:
        """Whether any condition is on single turns."""
        label = self.emotion is not None and self.mean_at_least is None and self.share_at_least is None
        single = (self.at_least, self.intensity_at_least, self.change, self.text_contains, self.text_matches)
        return label or any(value is not None for value in single)

    @property
    def on_call(self) -> bool:
        """Whether any condition is on the call as a whole."""
        whole = (self.mean_at_least, self.share_at_least, self.interruptions_at_least, self.silence_at_least)
        return any(value is not None for value in whole)


class Rule(BaseModel):
    """One rule: its name, what to say when it matches, and when it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]
    message: str = ""
    when: Conditions


def load_rules(path: str | Path, labels: tuple[str, ...] = EMOTIONS) -> tuple[Rule, ...]:
    """Read a rules file.

    Args:
        path: YAML with a list of rules under `rules`.
        labels: Emotion labels that the model knows.

    Raises:
        RuleError: if the file cannot be read or any rule in it is not valid.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE:
            raise RuleError(f"{path}: the rules file is larger than {MAX_FILE} bytes; is it the right file?")
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RuleError(f"{path}: the rules file cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RuleError(f"{path}: the rules file is not UTF-8 text (byte {error.start})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise RuleError(f"{path}{line}: not valid YAML: {problem}") from error
    except RecursionError as error:
        raise RuleError(f"{path}: the rules file is nested too deeply") from error
    if not isinstance(data, dict) or not isinstance(data.get("rules"), list) or not data["rules"]:
        raise RuleError(
            f"{path}: a rules file holds a list under the key 'rules'; see configs/rules.example.yaml"
        )
    for key in data:
        if key != "rules":
            raise RuleError(
                f"{path}: unknown key {key!r}{nearest(str(key), ('rules',))}; the only key is 'rules'"
            )
    rules = tuple(
        _read_rule(item, f"{path}, rule {number}", labels) for number, item in enumerate(data["rules"], 1)
    )
    for name, count in Counter(rule.name for rule in rules).items():
        if count > 1:
            raise RuleError(f"{path}: two rules are named {name!r}; give each its own name")
    return rules


def parse_rule(text: str, labels: tuple[str, ...] = EMOTIONS) -> Rule:
    """Return the rule that one line states, named by that line.

    Raises:
        RuleError: if the line is not understood.
    """
    return _read_rule(text, "rule", labels)


def _read_rule(item: Any, where: str, labels: tuple[str, ...]) -> Rule:
    if isinstance(item, str):
        item = {"name": item, "when": item}
    if not isinstance(item, dict):
        raise RuleError(f"{where}: a rule is one line or a mapping with 'name' and 'when', not {item!r:.80}")
    if isinstance(item.get("name"), str):
        where = f"{where} ({item['name']!r})"
    if isinstance(item.get("when"), str):
        line = item["when"]
        item = {"message": line} | item
        try:
            item["when"] = parse_rule_line(line, labels)
        except ValueError as error:
            raise RuleError(f"{where}: {error}") from error
    try:
        rule = Rule.model_validate(item)
    except ValidationError as error:
        raise RuleError(f"{where}: {_first_problem(error)}") from error
    emotion = rule.when.emotion
    if emotion is not None and emotion not in labels:
        hint = nearest(emotion, labels)
        raise RuleError(f"{where}: unknown emotion {emotion!r}{hint}; the model knows {', '.join(labels)}")
    return rule


def _first_problem(error: ValidationError) -> str:
    # A misspelt key first: it explains the one that is missing.
    first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    place = [str(step) for step in first["loc"]]
    if first["type"] == "extra_forbidden":
        model = Conditions if place[0] == "when" else Rule
        keys = tuple(model.model_fields)
        return f"unknown key {place[-1]!r}{nearest(place[-1], keys)}; the keys are {', '.join(keys)}"
    if first["type"] == "missing":
        return f"the key {'.'.join(place)!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    value = "" if isinstance(first["input"], dict) else f" (found {first['input']!r:.80})"
    return f"{'.'.join(place)!r}: {message}{value}"


def match_rules(report: CallReport, rules: Sequence[Rule]) -> tuple[RuleMatch, ...]:
    """Return the rules that hold for `report`, in their order; its own `rules` are not looked at.

    Raises:
        RuleError: if a pattern takes too long on a turn's text.
    """
    scopes = {scope: _in_scope(report, *SCOPES[scope]) for scope in {rule.when.within for rule in rules}}
    found = (_match(report, rule, scopes[rule.when.within]) for rule in rules)
    return tuple(match for match in found if match is not None)


def _match(report: CallReport, rule: Rule, scope: Sequence[TurnReport]) -> RuleMatch | None:
    when = rule.when
    turns = [turn for turn in scope if when.role in (None, turn.role)]
    values: list[float] = []
    ids: tuple[str, ...] = ()
    if when.on_turns:
        hits = [turn for turn in turns if _turn_holds(turn, rule)]
        hits = _consecutive(turns, hits, when.consecutive_turns)
        if len(hits) < when.min_turns:
            return None
        ids = tuple(turn.id for turn in hits)
        values.append(_turn_value(hits, when))
    if when.on_call:
        called = _call_values(report, turns, when)
        if called is None:
            return None
        values += called[0]
        ids = ids or called[1]
    return RuleMatch(
        name=rule.name, message=rule.message or rule.name, turn_ids=ids, value=round(values[0], 4)
    )


def _turn_holds(turn: TurnReport, rule: Rule) -> bool:
    when = rule.when
    if when.emotion is not None and when.mean_at_least is None and when.share_at_least is None:
        if turn.emotion is None or turn.emotion.abstained:
            return False
        if when.at_least is None and turn.emotion.label != when.emotion:
            return False
    if when.at_least is not None and when.emotion is not None:
        if turn.emotion is None or turn.emotion.abstained:
            return False
        if turn.emotion.probabilities.get(when.emotion, 0.0) < when.at_least:
            return False
    if when.intensity_at_least is not None and (
        turn.intensity is None or turn.intensity.value < when.intensity_at_least
    ):
        return False
    if when.change is not None:
        if turn.change is None or not turn.change.shifted:
            return False
        if when.change not in ("any", turn.change.direction):
            return False
    return _text_holds(turn, rule)


def _text_holds(turn: TurnReport, rule: Rule) -> bool:
    wanted, pattern = rule.when.text_contains, rule.when.text_matches
    text = " ".join((turn.text or "").split())
    if wanted is not None and " ".join(wanted.split()).casefold() not in text.casefold():
        return False
    if pattern is None:
        return True
    try:
        return regex.search(pattern, text, regex.IGNORECASE, timeout=REGEX_SECONDS) is not None
    except TimeoutError as error:
        raise RuleError(
            f"rule {rule.name!r}: the pattern {pattern!r} takes more than {REGEX_SECONDS} s "
            f"on turn {turn.id}; make it simpler, without a repetition inside a repetition"
        ) from error


def _turn_value(hits: Sequence[TurnReport], when: Conditions) -> float:
    """Return the strongest value among `hits` of what the rule asks for, else how many they are."""
    if when.emotion is not None and when.mean_at_least is None and when.share_at_least is None:
        return max(turn.emotion.probabilities.get(when.emotion, 0.0) for turn in hits if turn.emotion)
    if when.intensity_at_least is not None:
        return max(turn.intensity.value for turn in hits if turn.intensity)
    if when.change is not None:
        return max(turn.change.probability for turn in hits if turn.change)
    return float(len(hits))


def _consecutive(turns: Sequence[TurnReport], hits: Sequence[TurnReport], wanted: int) -> list[TurnReport]:
    """Return the hits that stand in runs of at least `wanted` turns of one role."""
    if wanted == 1:
        return list(hits)
    hit_ids = {turn.id for turn in hits}
    kept: set[str] = set()
    for role in ROLES:
        of_role = (turn.id for turn in turns if turn.role == role)
        for hit, run in itertools.groupby(of_role, key=hit_ids.__contains__):
            ids = list(run)
            if hit and len(ids) >= wanted:
                kept.update(ids)
    return [turn for turn in hits if turn.id in kept]


def _call_values(
    report: CallReport, turns: Sequence[TurnReport], when: Conditions
) -> tuple[list[float], tuple[str, ...]] | None:
    """Return the values of the conditions on the call and the turns they point at, or None if one fails."""
    values: list[float] = []
    ids: tuple[str, ...] = ()
    for wanted, value in (
        (when.mean_at_least, _mean(turns, when)),
        (when.share_at_least, _share(turns, when)),
    ):
        if wanted is None:
            continue
        if value is None or value < wanted:
            return None
        values.append(value)
    if when.interruptions_at_least is not None:
        inside = {turn.id for turn in turns}
        ids = tuple(one.turn_id for one in report.conversation.interruptions if one.turn_id in inside)
        if len(ids) < when.interruptions_at_least:
            return None
        values.append(float(len(ids)))
    if when.silence_at_least is not None:
        silence = report.conversation.longest_silence
        if silence is None or silence < when.silence_at_least:
            return None
        values.append(silence)
    return values, ids


def _weight(turn: TurnReport) -> float:
    return 1.0 if turn.start is None or turn.end is None else max(turn.end - turn.start, 0.001)


def _mean(turns: Sequence[TurnReport], when: Conditions) -> float | None:
    scored = [(turn.emotion, _weight(turn)) for turn in turns if turn.emotion is not None]
    total = sum(weight for _, weight in scored)
    if not scored or when.emotion is None:
        return None
    return sum(emotion.probabilities.get(when.emotion, 0.0) * weight for emotion, weight in scored) / total


def _share(turns: Sequence[TurnReport], when: Conditions) -> float | None:
    scored = [(turn.emotion, _weight(turn)) for turn in turns if turn.emotion is not None]
    total = sum(weight for _, weight in scored)
    if not scored or when.emotion is None:
        return None
    return sum(weight for emotion, weight in scored if emotion.label == when.emotion) / total


def _in_scope(report: CallReport, low: float, high: float) -> list[TurnReport]:
    """Return the turns whose middle lies in that part of the call; without times, by their order."""
    turns = report.turns
    timed = [(turn.start + turn.end) / 2 for turn in turns if turn.start is not None and turn.end is not None]
    if len(timed) < len(turns):
        places = [(i + 0.5) / len(turns) for i in range(len(turns))]
    else:
        start, end = call_extent(report)
        places = [min(max((middle - start) / max(end - start, 0.001), 0.0), 0.999_999) for middle in timed]
    return [turn for turn, place in zip(turns, places, strict=True) if low <= place < high]
