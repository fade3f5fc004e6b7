"""Who is who: speakers and channels → roles."""

import dataclasses
from collections.abc import Mapping

from mmser.errors import UsageError
from mmser.labels import ROLES, Role
from mmser.types import Transcript, Turn


def speaker_label(turn: Turn) -> str | None:
    """Return the name under which `--role NAME=ROLE` finds a turn's speaker."""
    if turn.speaker is not None:
        return turn.speaker
    return None if turn.channel is None else f"ch_{turn.channel}"


def assign_roles(transcript: Transcript, *, roles: Mapping[str, Role]) -> Transcript:
    """Return the transcript with a role on each turn.

    A speaker named in `roles` has that role; for others, what the file itself states stays.

    Raises:
        UsageError: if `roles` names a speaker that is not in the transcript, or a role that is none.
    """
    for role in roles.values():
        if role not in ROLES:
            raise UsageError(f"role {role!r} is none of {', '.join(ROLES)}")
    labels = dict.fromkeys(label for turn in transcript.turns if (label := speaker_label(turn)))
    named = {_find(name, list(labels)): role for name, role in roles.items()}
    turns = tuple(
        dataclasses.replace(turn, role=named.get(speaker_label(turn) or "", turn.role))
        for turn in transcript.turns
    )
    return dataclasses.replace(transcript, turns=turns)


def _find(name: str, labels: list[str]) -> str:
    """Return the label that `name` means: as written, else whatever the case, else by its number."""
    plain = " ".join(name.casefold().split())
    for wanted in (plain, f"speaker {plain}"):
        found = [label for label in labels if label == name] or [
            label for label in labels if label.casefold() == wanted
        ]
        if len(found) == 1:
            return found[0]
    known = ", ".join(labels) if labels else "none, its turns name nobody"
    raise UsageError(
        f"--role {name}=… names a speaker that is not in the transcript; its speakers are: {known}"
    )
