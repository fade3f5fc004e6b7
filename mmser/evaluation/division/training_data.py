"""Whom a model was trained on: a file that travels with it, so that nobody tests it on what it has seen.

Only names and digests are kept, never words. People of the user's own data stand as digests too. Rows
that carry other names are known by their sound, as bytes and by an excerpt of its print, and by long texts.
"""

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mmser.data import Example, Split
from mmser.data.licences import licence_of
from mmser.errors import DataError, ModelError
from mmser.evaluation.division.data_info import content_sha256
from mmser.evaluation.division.excerpts import (
    EXCERPT_BYTES,
    MOST_SECONDS,
    Drawn,
    take_excerpt,
)
from mmser.evaluation.documents import read_document
from mmser.evaluation.sounds import Sounds
from mmser.record import Record
from mmser.report.writing import write_outputs

SCHEMA: Final = "mmser.training_data/1"
TRAINING_DATA: Final = "training_data.json"
DIGEST_BYTES: Final = 6  # of one row: 5,000 rows meet one of 60,000 others by chance in 1 of a million cases
HIDDEN: Final = f"#[0-9a-f]{{{2 * DIGEST_BYTES}}}"  # what stands for a name, as a pattern
LONG_TEXT: Final = 8  # words: shorter sentences are said by anybody
MOST_CLIPS: Final = 1_000  # of a split and corpus that are known by sound
SEEN: Final[tuple[Split, ...]] = ("train", "validation")
PACKED: Final = dict.fromkeys(("dialogues", "unnamed", "clips", "texts"), DIGEST_BYTES) | {
    "excerpts": EXCERPT_BYTES
}  # field → bytes of one


@dataclass(frozen=True, kw_only=True)
class SeenCorpus(Record):
    """What of one corpus trained and validated a model; each by split, "train" and "validation"."""

    rows: dict[str, int]
    speakers: dict[str, tuple[str, ...]]  # names, sorted; "#" and a digest in the user's own data
    dialogues: dict[str, str]  # digests of their names, packed
    unnamed: dict[str, str]  # digests of the rows that have neither speaker nor dialogue, packed
    clips: dict[str, str] = field(default_factory=dict)  # digests of the bytes of their sound, packed
    texts: dict[str, str] = field(default_factory=dict)  # digests of words, `LONG_TEXT` or more, packed
    excerpts: dict[str, str] = field(default_factory=dict)  # of `MOST_CLIPS` of the clips, packed


@dataclass(frozen=True, kw_only=True)
class TrainingData(Record):
    """The document `mmser.training_data/1`."""

    schema: str = SCHEMA
    corpora: dict[str, SeenCorpus]


# --- written by a training -------------------------------------------------------------------------------


def training_data(examples: Iterable[Example]) -> TrainingData:
    """Return what is to be kept of the rows that a model is trained and validated on; other rows are not.

    Args:
        examples: each one's clip is read before the next is asked for; one that is gone by now is not kept.
    """
    rows: dict[str, dict[str, list[_Row]]] = defaultdict(lambda: defaultdict(list))
    heard: dict[str, dict[str, Drawn]] = defaultdict(lambda: defaultdict(lambda: Drawn(MOST_CLIPS)))
    with Sounds() as sounds:
        for example in examples:
            if example.split in SEEN:
                row, drawn = _Row.of(example), heard[example.corpus][example.split]
                rows[example.corpus][example.split].append(row)
                if row.clip is not None and drawn.wants(row.clip):
                    drawn.add(row.clip, _excerpt(example, sounds))
    return TrainingData(corpora={name: _seen(own, heard[name]) for name, own in sorted(rows.items())})


def _excerpt(example: Example, sounds: Sounds) -> bytes | None:
    try:
        waveform = sounds.read(example, MOST_SECONDS)
    except DataError:  # said by whoever needs the clip
        return None
    return None if waveform is None else take_excerpt(waveform)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What is kept of one row."""

    person: str | None
    dialogue: bytes | None
    unnamed: bytes | None
    clip: bytes | None
    text: bytes | None

    @classmethod
    def of(cls, example: Example) -> "_Row":
        try:
            clip = clip_digest(example)
        except DataError:
            clip = None
        return cls(
            person=_person(example),
            dialogue=dialogue_digest(example),
            unnamed=row_digest(example),
            clip=clip,
            text=text_digest(example),
        )


def _seen(rows: dict[str, list[_Row]], heard: dict[str, Drawn]) -> SeenCorpus:
    parts = {part: rows[part] for part in SEEN if part in rows}

    def packed(digest: Callable[[_Row], bytes | None]) -> dict[str, str]:
        return {part: _pack({digest(row) for row in own}) for part, own in parts.items()}

    return SeenCorpus(
        rows={part: len(own) for part, own in parts.items()},
        speakers={p: tuple(sorted({row.person for row in own if row.person})) for p, own in parts.items()},
        dialogues=packed(lambda row: row.dialogue),
        unnamed=packed(lambda row: row.unnamed),
        clips=packed(lambda row: row.clip),
        texts=packed(lambda row: row.text),
        excerpts={part: _pack(heard[part].excerpts()) for part in parts},
    )


def joined_data(before: TrainingData, after: TrainingData) -> TrainingData:
    """Return what a model has seen that went on from another; rows that both saw count twice."""
    names = sorted(before.corpora.keys() | after.corpora.keys())
    return TrainingData(corpora={n: _joined(before.corpora.get(n), after.corpora.get(n)) for n in names})


def _joined(before: SeenCorpus | None, after: SeenCorpus | None) -> SeenCorpus:
    seen = [one for one in (before, after) if one is not None]
    parts = [part for part in SEEN if any(part in one.rows for one in seen)]

    def packed(name: str) -> dict[str, str]:
        size = PACKED[name]
        found = {p: [d for one in seen for d in unpack(getattr(one, name).get(p, ""), size)] for p in parts}
        return {part: _pack(set(digests)) for part, digests in found.items()}

    return SeenCorpus(
        rows={part: sum(one.rows.get(part, 0) for one in seen) for part in parts},
        speakers={p: tuple(sorted({n for one in seen for n in one.speakers.get(p, ())})) for p in parts},
        dialogues=packed("dialogues"),
        unnamed=packed("unnamed"),
        clips=packed("clips"),
        texts=packed("texts"),
        excerpts=packed("excerpts"),
    )


def to_json(data: TrainingData) -> str:
    """Return the document as JSON."""
    return json.dumps(data.to_dict(), ensure_ascii=False, indent=1) + "\n"


def write_training_data(data: TrainingData, folder: Path) -> Path:
    """Write the document into a model's folder, in place of an earlier one, and return its path.

    Raises:
        OutputError: if it cannot be written.
    """
    path = folder / TRAINING_DATA
    write_outputs({path: to_json(data)}, overwrite=True)
    return path


# --- read by an evaluation -------------------------------------------------------------------------------


def read_training_data(folder: Path) -> TrainingData | None:
    """Return what the model in a folder was trained on; None where the folder does not say.

    Raises:
        ModelError: if the file is damaged or from a newer version.
    """
    path = folder / TRAINING_DATA
    if not path.exists():
        return None
    if path.is_fifo():  # would be waited for
        raise ModelError(f"{path} is a pipe, no file; take it away")
    remedy = "fetch or train the model again"
    try:
        data = read_document(path, TrainingData, SCHEMA, remedy)
        _check(data)
    except DataError as error:
        raise ModelError(str(error)) from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}; {remedy}") from error
    return data


def _check(data: TrainingData) -> None:
    """Raise a ValueError for what no type forbids: other splits, and digests that are none."""
    for corpus, seen in data.corpora.items():
        for name in ("rows", "speakers", *PACKED):
            if strange := sorted(set(getattr(seen, name)) - set(SEEN)):
                raise ValueError(f"at corpora.{corpus}.{name}, {strange[0]!r} is no split")
        for name, size in PACKED.items():
            for packed in getattr(seen, name).values():
                unpack(packed, size)


# --- digests ---------------------------------------------------------------------------------------------


def _digest(*parts: str) -> bytes:
    text = json.dumps(parts)  # keeps the parts apart
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def hidden_name(name: str) -> str:
    """Return what stands for the name of a person of the user's own data; that itself stays."""
    if re.fullmatch(HIDDEN, name):
        return name
    return f"#{_digest('speaker', name).hex()}"


def _person(example: Example) -> str | None:
    """Return a speaker's name as it is kept: a model that is published names nobody of the user's own."""
    if example.speaker is None or licence_of(example.corpus) is not None:
        return example.speaker
    return hidden_name(example.speaker)


def dialogue_digest(example: Example) -> bytes | None:
    """Return the digest of a dialogue's name; None without one."""
    if example.dialogue_id is None:
        return None
    if re.fullmatch(HIDDEN, example.dialogue_id):  # as a published dataset names it
        return bytes.fromhex(example.dialogue_id[1:])
    return _digest("dialogue", example.dialogue_id)


def row_digest(example: Example) -> bytes | None:
    """Return the digest of a row that has nothing else to know it by."""
    if example.speaker is not None or example.dialogue_id is not None:
        return None
    # A text is not enough: official splits repeat short ones ("Thank you!") on both sides.
    where = example.corpus if example.text is None else example.text
    return _digest("row", example.id, where)


def clip_digest(example: Example) -> bytes | None:
    """Return the digest of a clip's bytes, and of which part and channel of them it is."""
    if example.audio is None:
        return None
    part = (example.start, example.end, example.channel)
    return _digest("clip", content_sha256(example.audio), *map(str, part))


def text_digest(example: Example) -> bytes | None:
    """Return the digest of words that two people hardly write alike; None of fewer, and of a script's."""
    words = re.findall(r"\w+", (example.text or "").casefold())
    if len(words) < LONG_TEXT or example.sentence is not None:
        return None
    return _digest("text", *words)


def _pack(digests: Iterable[bytes | None]) -> str:
    found = sorted(digest for digest in digests if digest is not None)
    return base64.b64encode(b"".join(found)).decode("ascii")


def unpack(packed: str, size: int = DIGEST_BYTES) -> list[bytes]:
    """Return digests of `size` bytes each.

    Raises:
        ValueError: if it holds no such ones.
    """
    data = base64.b64decode(packed, validate=True)
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no digests of {size} bytes each")
    return [data[at : at + size] for at in range(0, len(data), size)]
