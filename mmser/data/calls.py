"""The user's own calls: recordings, transcripts beside them, and a file that labels turns."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset

from mmser.audio import open_recording
from mmser.channels import place_on_channels
from mmser.data.changes import with_change
from mmser.data.manifest import MAX_AGE, collect, language_of, qualified, read_table, split_of, times
from mmser.data.schema import CHANGES, Example, to_dataset
from mmser.data.tables import (
    TRANSCRIPT_SUFFIXES,
    Row,
    clips_in,
    is_audio,
    listing,
    nearest,
    require_folder,
)
from mmser.errors import DataError
from mmser.labels import ROLES, Role
from mmser.report.policy import check_agent_reason, is_withheld
from mmser.transcripts import read_transcript
from mmser.types import Transcript, Turn

LABEL_FILES = ("labels.csv", "labels.tsv", "labels.jsonl")
LABEL_COLUMNS = (
    "recording",  # file name, with or without suffix
    "turn",  # "t3", counted in the transcript; or start and end
    "start",  # seconds
    "end",
    "emotion",
    "intensity",
    "change",
    "valence",
    "speaker",  # who speaks this turn, under one name over all calls
    "role",
    "gender",
    "age",
    "language",
    "split",
)


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One recording with its turns and the labels of some of them."""

    name: str
    audio: Path
    transcript: Transcript
    labels: Mapping[str, Row]  # turn id → its row


def read_calls(folder: Path, *, agent_reason: str | None = None, corpus: str = "calls") -> Dataset:
    """Read labelled calls, a row for every turn; turns without a label stay as context.

    Layout: recordings (call1.wav), each with its transcript beside it under the same name in any format that
    `read_transcript` reads (call1.vtt), and labels.csv (or .tsv, .jsonl) with a row for each labelled turn:
    `recording`, then `turn` (its id in the transcript, t1, t2, …) or `start` and `end` in seconds (the turn
    that overlaps most), and any of `emotion` (several by "|"), `intensity` in [0, 1], `change`, `valence` in
    [-1, 1], `speaker`, `role`, `gender`, `age`, `language`, `split`. A recording without a transcript has the
    turns that the labels give by time. Recordings that the labels do not name are not read.

    `speaker` and `role` hold for all turns of that speaker on the recording; without `speaker` nobody is the
    same person on two calls, so give it where callers call again. `change` is derived from the emotions where
    it is not given. Turns of agents, and of speakers whose role is unknown, keep their words but not their
    sound, and may not be labelled, unless a reason is given.

    Args:
        folder: holds the recordings, their transcripts and the labels.
        agent_reason: "medical", "safety" or "research-consented": the ground on which agents' turns are used.
        corpus: name of the rows; speakers and dialogues are told apart by it.

    Returns:
        Rows of `FEATURES`, by recording in order of start.

    Raises:
        DataError: if a file is missing, a label does not fit a turn or a class, a number is out of range, an
            agent's turn is labelled without a reason, or a recording is in two splits.
        TranscriptError: if a transcript cannot be read.
        UsageError: if the reason is not one of the three.
    """
    return to_dataset(calls_examples(folder, agent_reason=agent_reason, corpus=corpus))


def calls_examples(folder: Path, *, agent_reason: str | None = None, corpus: str = "calls") -> list[Example]:
    """Return what `read_calls` reads, as examples."""
    reason = check_agent_reason(agent_reason)
    recordings = clips_in(require_folder(folder))
    found: list[Example] = []
    for name, rows in _by_recording(_labels_file(folder), recordings).items():
        call = _call(name, recordings[name], rows)
        found += _turns(call, corpus, reason)
    return found


def _labels_file(folder: Path) -> list[Row]:
    there = [folder / name for name in LABEL_FILES if (folder / name).exists()]
    if len(there) != 1:
        what = "several labels files" if there else "no labels file"
        raise DataError(f"{folder} holds {what}; it needs one of {', '.join(LABEL_FILES)}")
    return read_table(there[0], LABEL_COLUMNS, ("recording",))


def _by_recording(rows: Sequence[Row], recordings: Mapping[str, Path]) -> dict[str, list[Row]]:
    names = {path.name: stem for stem, path in recordings.items()} | {stem: stem for stem in recordings}
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        recording = row.need("recording")
        if recording not in names:
            offered = nearest(recording, sorted(recordings)) if recordings else "the folder holds none"
            raise row.error(f"there is no recording {recording!r}; {offered}")
        found[names[recording]].append(row)
    return dict(sorted(found.items()))


def _call(name: str, audio: Path, rows: Sequence[Row]) -> _Call:
    beside = sorted(
        p
        for p in audio.parent.iterdir()
        if p.stem == name and p.suffix.lower() in TRANSCRIPT_SUFFIXES and not is_audio(p)
    )
    if len(beside) > 1:
        raise DataError(f"{audio} has {len(beside)} transcripts: {listing(p.name for p in beside)}; keep one")
    transcript = _on_channels(read_transcript(beside[0]) if beside else _turns_of_labels(rows), audio)
    labels: dict[str, Row] = {}
    for row in rows:
        turn = _turn_of(row, transcript.turns)
        if turn.id in labels:
            raise row.error(
                f"the turn {turn.id} of {name} is labelled on line {labels[turn.id].line} already"
            )
        labels[turn.id] = row
    return _Call(name=name, audio=audio, transcript=transcript, labels=labels)


def _on_channels(transcript: Transcript, audio: Path) -> Transcript:
    """Find the channel of each turn as in use: mixed with others', an agent's sound would be heard."""
    timed = [turn for turn in transcript.turns if turn.start is not None and turn.end is not None]
    with open_recording(audio) as source:
        found, _ = place_on_channels(
            [_party(turn, timed, source.num_channels) for turn in timed],
            num_channels=source.num_channels,
            channel_roles=None,
            read=source.read,
        )
    placed = {turn.id: turn for turn in found}
    return replace(transcript, turns=tuple(placed.get(turn.id, turn) for turn in transcript.turns))


def _party(turn: Turn, turns: Sequence[Turn], num_channels: int) -> Turn:
    """Return a turn; parties that only a channel tells apart get a name where the channel is not there."""
    if turn.channel is None or turn.channel < num_channels:
        return turn
    alike = {other.channel for other in turns if (other.role, other.speaker) == (turn.role, turn.speaker)}
    return turn if len(alike) < 2 else replace(turn, speaker=f"{turn.speaker or 'channel'} {turn.channel}")


def _turns_of_labels(rows: Sequence[Row]) -> Transcript:
    """Return the turns that labels give by time, for a recording without a transcript."""
    timed = []
    for row in rows:
        start, end = times(row)
        if start is None or end is None:
            raise row.error(
                f"{row.text('recording')} has no transcript beside it; add one, or give start and end"
            )
        timed.append((start, end, row.text("speaker")))
    turns = [
        Turn(id=f"t{number}", start=start, end=end, speaker=speaker)
        for number, (start, end, speaker) in enumerate(sorted(timed, key=lambda t: t[:2]), 1)
    ]
    return Transcript(turns=tuple(turns), format="labels")


def _turn_of(row: Row, turns: Sequence[Turn]) -> Turn:
    """Return the turn that a row labels."""
    named = row.text("turn")
    if named is not None:
        for turn in turns:
            if turn.id == named:
                return turn
        raise row.error(f"{row.text('recording')} has no turn {named!r}; its turns are t1 to t{len(turns)}")
    start, end = times(row)
    if start is None or end is None:
        raise row.error("it names no turn: give turn, or start and end")
    best = max(turns, key=lambda turn: _overlap(turn, start, end), default=None)
    if best is None or _overlap(best, start, end) <= 0:
        raise row.error(f"{row.text('recording')} has no turn between {start:g} and {end:g} s")
    return best


def _overlap(turn: Turn, start: float, end: float) -> float:
    if turn.start is None or turn.end is None:
        return 0.0
    return min(end, turn.end) - max(start, turn.start)


def _turns(call: _Call, corpus: str, agent_reason: str | None) -> list[Example]:
    """Return the examples of one call."""
    splits = {split_of(row) for row in call.labels.values()} - {None}
    if len(splits) > 1:
        raise DataError(
            f"{call.audio.name} is in the splits {listing(map(str, splits))}; a call belongs to one"
        )
    people = _people(call)
    split = next(iter(splits), None)
    bare = []
    for index, turn in enumerate(call.transcript.turns):
        role, name = people[turn.speaker_key]
        withheld = is_withheld(role, agent_reason, speaker=turn.speaker, channel=turn.channel)
        row = call.labels.get(turn.id)
        if withheld and row is not None and _is_labelled(row):
            why = "is of unknown role" if role == "unknown" else f"belongs to the {role}"
            raise row.error(
                f"the turn {turn.id} of {call.name} {why} and may not be labelled; "
                "say who speaks in the column role, or, for agents, state agent_reason in a configuration"
            )
        timed = turn.start is not None and turn.end is not None
        own = f"{call.name}/{turn.role}.{turn.speaker or turn.channel or 0}"
        bare.append(
            Example(
                id=f"{call.name}/{turn.id}",
                corpus=corpus,
                split=split,
                audio=None if withheld or not timed else call.audio,
                text=turn.text,
                emotions=(),
                speaker=qualified(corpus, name or own),
                role=role,
                language=call.transcript.language,
                dialogue_id=f"{corpus}/{call.name}",
                turn_index=index,
                start=turn.start,
                end=turn.end,
                channel=turn.channel,
                session=f"{corpus}/{call.name}",
            )
        )
    return _labelled(call, bare)


def _is_labelled(row: Row) -> bool:
    return any(row.text(column) for column in ("emotion", "intensity", "change", "valence"))


def _people(call: _Call) -> dict[str, tuple[Role, str | None]]:
    """Return speaker's key → role and name, where a label of any of the speaker's turns gives them."""
    found: dict[str, tuple[Role, str | None]] = {t.speaker_key: (t.role, None) for t in call.transcript.turns}
    for turn in call.transcript.turns:
        row = call.labels.get(turn.id)
        if row is None:
            continue
        role, name = found[turn.speaker_key]
        given = row.choice("role", ROLES) if row.text("role") else None
        wanted = next((known for known in ROLES if known == given), role)
        if name is not None and row.text("speaker") not in (None, name):
            raise row.error(
                f"the speaker of {turn.id} is {row.text('speaker')!r} here and {name!r} on another row of "
                "the same voice; give one name"
            )
        found[turn.speaker_key] = wanted, row.text("speaker") or name
    return found


def _labelled(call: _Call, bare: Sequence[Example]) -> list[Example]:
    """Put the labels on the turns."""
    index = {example.id: i for i, example in enumerate(bare)}
    found = list(bare)
    rows = {index[f"{call.name}/{turn}"]: row for turn, row in call.labels.items()}

    def label(place: tuple[int, Row]) -> Example:
        example, row = bare[place[0]], place[1]
        return replace(
            example,
            emotions=row.labels("emotion"),
            intensity=row.number("intensity", 0, 1),
            valence=row.number("valence", -1, 1),
            gender=row.text("gender"),
            age=row.number("age", 0, MAX_AGE),
            language=language_of(row) or example.language,
        )

    for i, example in zip(rows, collect(rows.items(), label), strict=True):
        found[i] = example
    found = with_change(found)
    for i, row in rows.items():
        if row.text("change"):
            found[i] = replace(found[i], change=row.choice("change", CHANGES))
    # A turn without words whose sound is withheld says nothing.
    return [example for example in found if example.audio is not None or example.text is not None]
