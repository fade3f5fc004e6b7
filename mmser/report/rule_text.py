"""The one-line form of a rule: `customer anger >= 0.6 in last quarter`."""

import difflib
import re
from typing import Any, Final

from mmser.labels import DIRECTIONS, ROLES

SCOPES: Final[dict[str, tuple[float, float]]] = {
    "call": (0.0, 1.0),
    "first quarter": (0.0, 0.25),
    "second quarter": (0.25, 0.5),
    "third quarter": (0.5, 0.75),
    "last quarter": (0.75, 1.0),
    "first third": (0.0, 1 / 3),
    "last third": (2 / 3, 1.0),
    "first half": (0.0, 0.5),
    "last half": (0.5, 1.0),
}
FORMS: Final = (
    "[ROLE] EMOTION [share|mean] [>= NUMBER], [ROLE] intensity >= NUMBER, "
    "[ROLE] change worse|better|lateral|any, "
    '[ROLE] says "WORDS", [ROLE] matches "REGEX", [ROLE] interruptions >= NUMBER, silence >= SECONDS; '
    "then optionally: for N [consecutive] turns, in [the] first|second|third|last quarter|third|half"
)
_KEYWORDS: Final = ("intensity", "change", "says", "matches", "interruptions", "silence")
_LINE: Final = re.compile(
    r"(?:(?P<role>" + "|".join(ROLES) + r")\s+)?(?P<subject>[\w-]+)"
    r"(?:\s+(?P<measure>share|mean))?"
    r"(?:\s+(?P<direction>" + "|".join(DIRECTIONS) + r"|any))?"
    r"(?:\s*(?:>=|≥|\bat least\b)\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>%|s\b|seconds\b)?)?"
    r"(?:\s+(?P<quote>[\"'])(?P<text>.*)(?P=quote))?"
    r"(?:\s+for\s+(?P<count>\d+)\s+(?P<consecutive>consecutive\s+)?turns?)?"
    r"(?:\s+in\s+(?:the\s+)?(?P<within>" + "|".join(SCOPES) + r"))?"
)


def parse_rule_line(line: str, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the conditions that `line` states, under the keys of the long form.

    Args:
        line: One rule, such as `customer anger >= 0.6 in last quarter`.
        labels: Emotion labels.

    Raises:
        ValueError: if the line is not understood; the message names the forms.
    """
    match = _LINE.fullmatch(" ".join(line.split()))
    if match is None:
        raise ValueError(f"{line!r} is not understood; the forms are: {FORMS}")
    found = match.groupdict()
    subject = found["subject"]
    known = (*labels, *_KEYWORDS)
    if subject not in known:
        raise ValueError(f"{line!r} speaks of {subject!r}{nearest(subject, known)}; the forms are: {FORMS}")
    conditions = _subject(found, labels)
    if conditions is None:
        raise ValueError(f"{line!r} does not fit {subject!r}; the forms are: {FORMS}")
    if found["role"]:
        conditions["role"] = found["role"]
    if found["within"]:
        conditions["within"] = found["within"]
    if found["count"]:
        conditions["consecutive_turns" if found["consecutive"] else "min_turns"] = int(found["count"])
    return conditions


def nearest(word: str, known: tuple[str, ...]) -> str:
    """Return `, did you mean 'x'?`, or an empty string when nothing is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _subject(found: dict[str, str | None], labels: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the condition on the subject, or None where the rest of the line does not fit it."""
    subject, measure, direction, text = (found[k] for k in ("subject", "measure", "direction", "text"))
    given = {name for name in ("measure", "direction", "value", "text") if found[name] is not None}
    value = None if found["value"] is None else float(found["value"])
    if value is not None and found["unit"] == "%":
        value /= 100
    if found["unit"] in ("s", "seconds") and subject != "silence":
        return None
    if found["unit"] == "%" and subject in ("silence", "interruptions"):
        return None
    if subject in labels and given <= {"measure", "value"} and not (measure and value is None):
        key = f"{measure}_at_least" if measure else "at_least"
        return {"emotion": subject} | ({} if value is None else {key: value})
    if subject in ("intensity", "silence") and given == {"value"}:
        return {f"{subject}_at_least": value}
    if subject == "interruptions" and given == {"value"}:
        return {"interruptions_at_least": value}
    if subject == "change" and given <= {"direction"}:
        return {"change": direction or "any"}
    if subject in ("says", "matches") and given == {"text"}:
        return {"text_contains" if subject == "says" else "text_matches": text}
    return None
