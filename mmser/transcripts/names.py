"""Speakers' names: which role a name states, and which names are names at all."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

from mmser.labels import Role

# Conservative on purpose: a person's name says nothing of the role, and a wrong "customer" would
# score somebody whose turns must be withheld.
ROLE_NAMES: Final[dict[str, Role]] = {
    **dict.fromkeys(
        (
            "agent", "call agent", "call center agent", "call centre agent", "contact center agent",
            "live agent", "human agent", "service agent", "support agent", "support", "sales agent",
            "representative", "rep", "customer service representative", "customer service rep", "csr",
            "customer service", "customer service agent", "customer support", "customer care",
            "customer support agent", "sales rep", "sales representative", "service representative",
            "advisor", "adviser", "operator", "dispatcher", "supervisor", "employee",
            "agente", "asesor", "conseiller", "mitarbeiter", "berater",
        ),
        "agent",
    ),
    **dict.fromkeys(
        ("customer", "caller", "client", "end customer", "cliente", "kunde", "kundin", "anrufer"),
        "customer",
    ),
    **dict.fromkeys(
        (
            "ivr", "bot", "chatbot", "voicebot", "voice bot", "virtual agent", "virtual assistant",
            "automated", "automated system", "automated voice", "automatic system", "auto attendant",
            "system", "hold", "on hold", "hold music", "music", "recording", "recorded message",
            "announcement", "voicemail", "prompt",
        ),
        "system",
    ),
}  # fmt: skip

_AGENT_WORDS: Final = {name for name, role in ROLE_NAMES.items() if role == "agent" and " " not in name}
_ORDINAL = re.compile(r"[\s#.\-]*\d{1,3}$|[\s#.\-]+[a-z]$")
_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
_AGENT_BY_NAME = re.compile(r"(?:agent|representative|operator)\s*[\s:,\-–]\s*\S")


@lru_cache(maxsize=4096)
def role_of(name: str | None) -> Role:
    """Return the role that a speaker's name states ("Agent 2", "Customer", "IVR"), else unknown."""
    if not name:
        return "unknown"
    plain = " ".join(name.casefold().replace("_", " ").split())
    parts = (plain, " ".join(_BRACKETS.sub(" ", plain).split()), *_BRACKETS.findall(plain))
    stated = {role for part in parts if (role := _role_of_part(part.strip())) != "unknown"}
    # "Agent (Caller)" calls as an agent: whoever may be one must never be scored as somebody else.
    if "agent" in stated:
        return "agent"
    if len(stated) != 1 or (stated == {"customer"} and _AGENT_WORDS & set(re.findall(r"\w+", plain))):
        return "unknown"
    return stated.pop()


def _role_of_part(part: str) -> Role:
    for form in (part, _ORDINAL.sub("", part), part.replace("-", " ")):
        if form in ROLE_NAMES:
            return ROLE_NAMES[form]
    # "Agent Maria" is withheld like any agent; the same guess for a customer would not be safe.
    return "agent" if _AGENT_BY_NAME.match(part) else "unknown"


def numbered(label: object) -> str | None:
    """Return a speaker's name: numbers become "Speaker 1", names stay, null and blank are None."""
    if label is None or isinstance(label, dict | list):
        return None
    if isinstance(label, int) and not isinstance(label, bool):
        return f"Speaker {label}" if abs(label) < 10**9 else None
    name = " ".join(str(label).split())
    return f"Speaker {name}" if name.isdecimal() else name or None


# "Name: text"; not a web address, not a clock, at most six words.
_PREFIX = re.compile(
    r"\s*(?:>>+\s*)?(?:\*\*|__)?(?P<name>[^\s:<>*\[\]{}\"][^:<>*\[\]{}\"\n]{0,59}?)\s*"
    r"(?::(?:\*\*|__)|(?:\*\*|__)\s*:|:)(?=\s|$)[ \t]*(?P<text>.*)",
    re.DOTALL,
)


def split_prefix(line: str) -> tuple[str, str] | None:
    """Return (name, text) where a line begins like "Name: text" or "**Name:** text"."""
    match = _PREFIX.match(line)
    if match is None:
        return None
    name = " ".join(match["name"].split())
    if len(name.split()) > 6 or name.isdecimal() or not any(char.isalnum() for char in name):
        return None
    return name, match["text"]


def looks_like_name(name: str) -> bool:
    """Tell "First Last" or "agent 2" from the beginning of a sentence ("So here's the thing")."""
    if role_of(name) != "unknown":
        return True
    words = re.split(r"[\s_]+", name)
    if len(words) > 4 or re.search(r"[?!;,]", re.sub(r"^([^\s,]+), ", r"\1 ", name)):
        return False
    return all(not word[0].isalpha() or not word[0].islower() or "@" in word for word in words if word)


def speaker_names(candidates: Iterable[str], total: int) -> Collection[str]:
    """Return which "Name:" beginnings, of `total` lines or cues, are speakers.

    A name counts where it states a role, where it comes again, or where nearly every line has one.
    """
    counts = Counter(candidates)
    usual = total > 0 and sum(counts.values()) >= 0.8 * total
    return {
        name
        for name, times in counts.items()
        if role_of(name) != "unknown" or (looks_like_name(name) and (times > 1 or usual))
    }
