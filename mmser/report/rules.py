"""Rules of the user's own, in YAML: what to look for in a call.

Each condition on turns (role, emotion, intensity, change, words, part of the call) must hold for the same
turn, or for the same window of a long one; `min_turns` or `consecutive_turns` say how many such turns are
needed. Conditions on the call (share, mean, interruptions, silence) must hold besides; shares and means are
those that the report states. A turn or window lies in the part of the call that holds its middle, and an
interruption in the one in which it begins. A turn that was not scored, such as a withheld one, never
matches on emotion, intensity or change, and one judged from words alone never on intensity; their words can
match. A turn on which the model abstains never matches on `emotion` or `at_least`, and in a share it
counts as uncertain; a mean (`mean_at_least`) is over probabilities, and counts it as it counts any other.
"""

import itertools
import reprlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mmser.errors import RuleError
from mmser.labels import EMOTIONS, ROLES, Role
from mmser.report.clock import place_at, report_clock
from mmser.report.pieces import Piece, cut_pieces, mean_probabilities, of_role, shares, within
from mmser.report.rule_text import SCOPES, nearest, parse_rule_line
from mmser.report.timing import to_ms
from mmser.types import CallReport, Interruption, RuleMatch, TurnReport, Window
from mmser.yaml_files import first_of, parse_yaml, problem_of, read_yaml

MAX_PATTERN: Final = 200  # characters
_WHAT: Final = "the rules file"
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
    def on_label(self) -> bool:
        """Whether `emotion` is asked of single turns, not as a mean or share."""
        return self.emotion is not None and self.mean_at_least is None and self.share_at_least is None

    @property
    def on_turns(self) -> bool:
        """Whether any condition is on single turns."""
        single = (self.at_least, self.intensity_at_least, self.change, self.text_contains, self.text_matches)
        return self.on_label or any(value is not None for value in single)

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
    return _rules_of(read_yaml(Path(path), _WHAT, RuleError), str(path), labels)


def parse_rules(text: str, where: str, labels: tuple[str, ...] = EMOTIONS) -> tuple[Rule, ...]:
    """Read the text of a rules file.

    Args:
        text: YAML.
        where: it comes from, as errors name it.
        labels: Emotion labels that the model knows.

    Raises:
        RuleError: if it is no YAML, or any rule in it is not valid.
    """
    return _rules_of(parse_yaml(text, where, _WHAT, RuleError), where, labels)


def _rules_of(data: Any, path: str, labels: tuple[str, ...]) -> tuple[Rule, ...]:
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
        raise RuleError(
            f"{where}: a rule is one line or a mapping with 'name' and 'when', not {reprlib.repr(item)}"
        )
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
    first = first_of(error)
    place = [str(step) for step in first["loc"]]
    if first["type"] == "extra_forbidden":
        model = Conditions if place[0] == "when" else Rule
        keys = tuple(model.model_fields)
        return f"unknown key {place[-1]!r}{nearest(place[-1], keys)}; the keys are {', '.join(keys)}"
    if first["type"] == "missing":
        return f"the key {'.'.join(place)!r} is missing"
    value = "" if isinstance(first["input"], dict) else f" (found {reprlib.repr(first['input'])})"
    return f"{'.'.join(place)!r}{problem_of([first])}{value}"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What lies in one part of a call."""

    pieces: list[Piece]  # turns, long ones by their windows: what shares and means are over
    judged: list[Piece]  # whole turns, and besides the windows of long ones: what conditions on turns are on
    interruptions: list[Interruption]


def match_rules(report: CallReport, rules: Sequence[Rule]) -> tuple[RuleMatch, ...]:
    """Return the rules that hold for `report`, in their order; its own `rules` are not looked at.

    Raises:
        RuleError: if a pattern takes too long on a turn's text.
    """
    clock = report_clock(report)
    pieces = cut_pieces(report.turns, clock)
    windows = [piece for piece in pieces if piece.part is not piece.turn]
    judged = [*cut_pieces(report.turns, clock, whole=True), *windows]
    starts = [(place_at(to_ms(one.time), clock), one) for one in report.conversation.interruptions]

    def part(low: float, high: float) -> _Part:
        return _Part(
            pieces=within(pieces, low, high),
            judged=within(judged, low, high),
            interruptions=[one for place, one in starts if low <= place < high],
        )

    parts = {scope: part(*SCOPES[scope]) for scope in {rule.when.within for rule in rules}}
    found = (_match(report, rule, parts[rule.when.within]) for rule in rules)
    return tuple(match for match in found if match is not None)


def _match(report: CallReport, rule: Rule, part: _Part) -> RuleMatch | None:
    when = rule.when
    values: list[float] = []
    ids: tuple[str, ...] = ()
    if when.on_turns:
        judged = of_role(part.judged, when.role)
        held = [piece for piece in judged if _piece_holds(piece.part, when)]
        turns = {piece.number: piece.turn for piece in held}
        hits = {number for number, turn in turns.items() if _text_holds(turn, rule)}
        hits = _in_runs(judged, hits, when.consecutive_turns)
        if len(hits) < when.min_turns:
            return None
        ids = tuple(turns[number].id for number in sorted(hits))
        strongest = _strongest([piece.part for piece in held if piece.number in hits], when)
        values.append(float(len(hits)) if strongest is None else strongest)
    if when.on_call:
        called = _call_values(report, part, when)
        if called is None:
            return None
        values += called[0]
        ids = ids or called[1]
    return RuleMatch(
        name=rule.name, message=rule.message or rule.name, turn_ids=ids, value=round(values[0], 4)
    )


def _piece_holds(part: TurnReport | Window, when: Conditions) -> bool:
    """Tell whether a turn or window meets the conditions on emotion, intensity and change."""
    emotion, intensity, change = part.emotion, part.intensity, part.change
    if when.on_label:
        if emotion is None or emotion.abstained:
            return False
        if when.at_least is None and emotion.label != when.emotion:
            return False
    if when.at_least is not None and when.emotion is not None:
        if emotion is None or emotion.abstained:
            return False
        if emotion.probabilities.get(when.emotion, 0.0) < when.at_least:
            return False
    if when.intensity_at_least is not None and (
        intensity is None or intensity.value < when.intensity_at_least
    ):
        return False
    if when.change is not None:
        if isinstance(part, TurnReport) and part.windows:
            return False  # its change is its first window's, which stands for itself, where it happened
        return change is not None and change.shifted and when.change in ("any", change.direction)
    return True


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


def _strongest(parts: Sequence[TurnReport | Window], when: Conditions) -> float | None:
    """Return the strongest value of what the rule asks of these turns or windows; None if it is words."""
    if when.on_label and when.emotion is not None:
        return max(part.emotion.probabilities.get(when.emotion, 0.0) for part in parts if part.emotion)
    if when.intensity_at_least is not None:
        return max(part.intensity.value for part in parts if part.intensity)
    if when.change is not None:
        return max(part.change.probability for part in parts if part.change)
    return None


def _in_runs(judged: Sequence[Piece], hits: set[int], wanted: int) -> set[int]:
    """Return those of `hits`, which number turns, that stand in runs of at least `wanted` of one role."""
    if wanted == 1:
        return hits
    kept: set[int] = set()
    for role in ROLES:
        of_role = sorted({piece.number for piece in judged if piece.turn.role == role})
        for hit, run in itertools.groupby(of_role, key=hits.__contains__):
            numbers = list(run)
            if hit and len(numbers) >= wanted:
                kept.update(numbers)
    return kept


def _call_values(
    report: CallReport, part: _Part, when: Conditions
) -> tuple[list[float], tuple[str, ...]] | None:
    """Return the values of the conditions on the call and the turns they point at, or None if one fails."""
    values: list[float] = []
    ids: tuple[str, ...] = ()
    pieces = of_role(part.pieces, when.role)
    for wanted, measure in ((when.mean_at_least, mean_probabilities), (when.share_at_least, shares)):
        if wanted is None or when.emotion is None:
            continue
        found = measure(pieces, report.model.labels)
        if found is None or found.get(when.emotion, 0.0) < wanted:
            return None
        values.append(found.get(when.emotion, 0.0))
    if when.interruptions_at_least is not None:
        ids = tuple(one.turn_id for one in part.interruptions if when.role in (None, one.by))
        if len(ids) < when.interruptions_at_least:
            return None
        values.append(float(len(ids)))
    if when.silence_at_least is not None:
        silence = report.conversation.longest_silence
        if silence is None or silence < when.silence_at_least:
            return None
        values.append(silence)
    return values, ids
