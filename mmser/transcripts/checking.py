"""Is this transcript sound, and does it belong to this recording?"""

import dataclasses

from mmser.errors import TranscriptError
from mmser.labels import ROLES
from mmser.transcripts.entries import check_span, count, flag_overlaps
from mmser.types import Seconds, Transcript, Turn, Word

END_TOLERANCE: Seconds = 0.5  # recognisers round the last word past the end of the file


def check_turns(transcript: Transcript) -> None:
    """Refuse a transcript, put together by a program, that no reader would have made.

    Raises:
        TranscriptError: if an id comes twice, a role is none, a text is no text, or a time of a turn or a
            word is one that no recording can have.
    """
    seen: set[str] = set()
    for turn in transcript.turns:
        where = f"turn {turn.id!r}"
        if turn.id in seen:
            raise TranscriptError(f"{where} comes twice; give every turn an id of its own")
        seen.add(turn.id)
        if turn.role not in ROLES:
            raise TranscriptError(f"{where}: {turn.role!r} is not a role; roles are {', '.join(ROLES)}")
        parts: list[Turn | Word] = [turn, *turn.words]
        for part in parts:
            if not isinstance(part.text, str | None):
                raise TranscriptError(f"{where}: its text is {part.text!r}; give a string or None")
            check_span(part.start, part.end, where)


def plain_text(text: str) -> str:
    """Return `text` with what UTF-8 cannot hold, halves of surrogate pairs, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def with_plain_text(transcript: Transcript) -> Transcript:
    """Return the transcript with `plain_text` throughout; escapes in JSON may hold half a character."""
    turns = tuple(
        dataclasses.replace(
            turn,
            text=None if turn.text is None else plain_text(turn.text),
            speaker=None if turn.speaker is None else plain_text(turn.speaker),
            words=tuple(dataclasses.replace(word, text=plain_text(word.text)) for word in turn.words),
        )
        for turn in transcript.turns
    )
    return dataclasses.replace(transcript, turns=turns)


def check_against(
    transcript: Transcript, duration: Seconds, *, tolerance: Seconds = END_TOLERANCE
) -> tuple[Transcript, list[str]]:
    """Check a transcript's times against a recording of `duration` seconds.

    Returns:
        The transcript in order of start, with `overlap` and `outside_audio` flags on turns (the latter
        on turns that begin at or after the end of the recording), and warnings.

    Raises:
        TranscriptError: if the whole transcript begins after the recording ends, or a time is negative,
            not finite, or after its end.
    """
    if transcript.times == "none" or not transcript.turns:
        return transcript, []
    for turn in transcript.turns:
        check_span(turn.start, turn.end, f"turn {turn.id}")
    first = min(turn.start or 0.0 for turn in transcript.turns)
    last = max(turn.end or turn.start or 0.0 for turn in transcript.turns)
    if first >= duration:
        raise TranscriptError(
            f"the transcript begins at {first:.2f} s, after the recording ends at {duration:.2f} s; "
            f"give the transcript that belongs to this recording"
        )
    warnings = []
    if last > duration + tolerance:
        late = sum((turn.end or 0.0) > duration + tolerance for turn in transcript.turns)
        warnings.append(
            f"the transcript ends at {last:.2f} s, but the recording at {duration:.2f} s: "
            f"{count(late, 'turn')} {'goes' if late == 1 else 'go'} beyond it; it may belong to another call"
        )
    turns = sorted(transcript.turns, key=lambda turn: (turn.start or 0.0, turn.end or 0.0))
    if [turn.id for turn in turns] != [turn.id for turn in transcript.turns]:
        warnings.append("turns stood out of order and were sorted by start time")
        turns = [dataclasses.replace(turn, id=f"t{number}") for number, turn in enumerate(turns, start=1)]
    turns = [
        dataclasses.replace(turn, flags=(*turn.flags, "outside_audio"))
        if (turn.start or 0.0) >= duration and "outside_audio" not in turn.flags
        else turn
        for turn in turns
    ]
    flagged, overlaps = flag_overlaps(tuple(turns))
    warnings += [warning for warning in overlaps if warning not in transcript.warnings]
    return dataclasses.replace(transcript, turns=flagged), warnings
