"""Whom a model was trained on: a file that travels with it, so that nobody tests it on what it has seen.

Only names and digests are kept, never words. People of the user's own data stand as digests too. Rows that
carry other names are known by the bytes of their sound, and by words if these are many.
"""

import base64
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mmser.data import Example, Split
from mmser.data.audit import OFFICIAL_SPLITS, OfficialSplit
from mmser.data.audit.splits import OVERLAPPING, WRITTEN
from mmser.data.licences import licence_of
from mmser.data.tables import listing
from mmser.errors import DataError, LeakingSplitError, ModelError
from mmser.evaluation.division.data_info import content_sha256
from mmser.evaluation.documents import read_document
from mmser.record import Record
from mmser.report.writing import write_outputs

SCHEMA: Final = "mmser.training_data/1"
TRAINING_DATA: Final = "training_data.json"
UNKNOWN: Final = "it is not known what the model was trained on"
DIGEST_BYTES: Final = 6  # of one row: 5,000 rows meet one of 60,000 others by chance in 1 of a million cases
LONG_TEXT: Final = 8  # words: shorter sentences are said by anybody
COMMON_TEXTS: Final = 0.01  # of long texts: so many may be alike by chance, or be quoted
_NONE: Final = OfficialSplit()
_SEEN: Final[tuple[Split, ...]] = ("train", "validation")
_PACKED: Final = ("dialogues", "unnamed", "clips", "texts")


@dataclass(frozen=True, kw_only=True)
class SeenCorpus(Record):
    """What of one corpus trained and validated a model; each by split, "train" and "validation"."""

    rows: dict[str, int]
    speakers: dict[str, tuple[str, ...]]  # names, sorted; "#" and a digest in the user's own data
    dialogues: dict[str, str]  # digests of their names, packed
    unnamed: dict[str, str]  # digests of the rows that have neither speaker nor dialogue, packed
    clips: dict[str, str] = field(default_factory=dict)  # digests of the bytes of their sound, packed
    texts: dict[str, str] = field(default_factory=dict)  # digests of words, `LONG_TEXT` or more, packed


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
    for example in examples:
        if example.split in _SEEN:
            rows[example.corpus][example.split].append(_Row.of(example))
    return TrainingData(corpora={corpus: _seen(own) for corpus, own in sorted(rows.items())})


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
            clip = _clip(example)
        except DataError:
            clip = None
        return cls(
            person=_person(example),
            dialogue=_dialogue(example),
            unnamed=_row(example),
            clip=clip,
            text=_text(example),
        )


def _seen(rows: dict[str, list[_Row]]) -> SeenCorpus:
    parts = {part: rows[part] for part in _SEEN if part in rows}

    def packed(digest: Callable[[_Row], bytes | None]) -> dict[str, str]:
        return {part: _pack({digest(row) for row in own}) for part, own in parts.items()}

    return SeenCorpus(
        rows={part: len(own) for part, own in parts.items()},
        speakers={p: tuple(sorted({row.person for row in own if row.person})) for p, own in parts.items()},
        dialogues=packed(lambda row: row.dialogue),
        unnamed=packed(lambda row: row.unnamed),
        clips=packed(lambda row: row.clip),
        texts=packed(lambda row: row.text),
    )


def joined_data(before: TrainingData, after: TrainingData) -> TrainingData:
    """Return what a model has seen that went on from another; rows that both saw count twice."""
    names = sorted(before.corpora.keys() | after.corpora.keys())
    return TrainingData(corpora={n: _joined(before.corpora.get(n), after.corpora.get(n)) for n in names})


def _joined(before: SeenCorpus | None, after: SeenCorpus | None) -> SeenCorpus:
    seen = [one for one in (before, after) if one is not None]
    parts = [part for part in _SEEN if any(part in one.rows for one in seen)]

    def packed(name: str) -> dict[str, str]:
        found = {p: [d for one in seen for d in _unpack(getattr(one, name).get(p, ""))] for p in parts}
        return {part: _pack(set(digests)) for part, digests in found.items()}

    return SeenCorpus(
        rows={part: sum(one.rows.get(part, 0) for one in seen) for part in parts},
        speakers={p: tuple(sorted({n for one in seen for n in one.speakers.get(p, ())})) for p in parts},
        dialogues=packed("dialogues"),
        unnamed=packed("unnamed"),
        clips=packed("clips"),
        texts=packed("texts"),
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
        for name in ("rows", "speakers", *_PACKED):
            if strange := sorted(set(getattr(seen, name)) - set(_SEEN)):
                raise ValueError(f"at corpora.{corpus}.{name}, {strange[0]!r} is no split")
        for packed in (packed for name in _PACKED for packed in getattr(seen, name).values()):
            _unpack(packed)


def require_unseen(
    test: Sequence[Example], known: TrainingData | None, allow_overlap: bool, *, split: Split = "test"
) -> str | None:
    """Return the mark that must stand beside every number of a model on some rows; None if it needs none.

    Args:
        test: rows that are scored.
        known: what the model was trained on; None = nobody knows, which is the mark then.
        allow_overlap: whether rows that the model has seen are scored all the same.
        split: that the rows are; "validation" may have validated the model, but not trained it.

    Returns:
        "speaker-overlapping, dialogue-disjoint", "overlap allowed: …", or the like; with several corpora
        each mark follows its corpus's name.

    Raises:
        LeakingSplitError: if a speaker, a dialogue, a clip or an unnamed writer's row trained or validated
            the model, or a row has no speaker and the model was trained on its corpus, unless
            `OFFICIAL_SPLITS` accepts it, or it is allowed; in a corpus of another name also if more than
            `COMMON_TEXTS` of its long texts did.
        DataError: if a clip is missing.
    """
    if known is None:
        return UNKNOWN
    memory = _Memory.of(known, ("train",) if split == "validation" else _SEEN)
    rows: dict[str, list[Example]] = defaultdict(list)
    for example in test:
        rows[example.corpus].append(example)
    problems = {corpus: memory.problems(corpus, own) for corpus, own in rows.items()}
    told = [f"{corpus}: {'; '.join(found)}" for corpus, found in problems.items() if found]
    if told and not allow_overlap:
        raise LeakingSplitError(
            f"the model has seen what it would be tested on, or may have: {'; '.join(told)}; test it on "
            "others, or give --allow-overlap, and every number will carry the mark"
        )
    marks = {
        corpus: f"overlap allowed: {'; '.join(found)}" if found else memory.mark(corpus, rows[corpus])
        for corpus, found in problems.items()
    }
    if len(marks) == 1:
        return next(iter(marks.values()))
    return "; ".join(f"{corpus}: {mark}" for corpus, mark in marks.items() if mark is not None) or None


@dataclass(frozen=True, kw_only=True)
class _Memory:
    """What a model has seen, ready to be looked up."""

    corpora: frozenset[str]
    speakers: frozenset[str]
    dialogues: frozenset[bytes]
    rows: frozenset[bytes]
    clips: frozenset[bytes]
    texts: frozenset[bytes]
    doing: str  # "trained", or "trained or validated"

    @classmethod
    def of(cls, data: TrainingData, parts: Sequence[Split]) -> "_Memory":
        seen = [(one, part) for one in data.corpora.values() for part in parts]

        def digests(name: str) -> frozenset[bytes]:
            return frozenset(d for one, part in seen for d in _unpack(getattr(one, name).get(part, "")))

        return cls(
            corpora=frozenset(c for c, one in data.corpora.items() if any(one.rows.get(p) for p in parts)),
            speakers=frozenset(name for one, part in seen for name in one.speakers.get(part, ())),
            dialogues=digests("dialogues"),
            rows=digests("unnamed"),
            clips=digests("clips"),
            texts=digests("texts"),
            doing="trained" if tuple(parts) == ("train",) else "trained or validated",
        )

    def problems(self, corpus: str, examples: Sequence[Example]) -> list[str]:
        """Return a clause for each reason why the model knows rows of a corpus that it should not."""
        official = OFFICIAL_SPLITS.get(corpus, _NONE)
        shared = official.shares_speakers and all(e.dialogue_id is not None for e in examples)
        found = []
        dialogues = Counter(str(e.dialogue_id) for e in examples if _dialogue(e) in self.dialogues)
        voices = self._voices(examples)
        if dialogues:
            found.append(self._clause(dialogues, {e.dialogue_id for e in examples}, "dialogue"))
        if voices and not (shared and not dialogues):
            found.append(self._clause(voices, {e.speaker for e in examples}, "speaker"))
        rows = Counter(e.id for e in examples if _row(e) in self.rows)
        if rows:
            found.append(self._clause(rows, {e.id for e in examples}, "row"))
        found += self._copies(corpus, examples)
        unknown = sum(e.speaker is None for e in examples)
        if unknown and not official.written and corpus in self.corpora:
            found.append(
                f"{unknown} of {len(examples)} rows have no known speaker, and {corpus} {self.doing} it"
            )
        return found

    def _copies(self, corpus: str, examples: Sequence[Example]) -> list[str]:
        """Return clauses for what the model knows under other names."""
        found = []
        clips = Counter(e.id for e in examples if self.clips and _clip(e) in self.clips)
        if clips:
            found.append(self._clause(clips, {e.id for e in examples if e.audio is not None}, "clip"))
        if corpus not in self.corpora:  # official splits repeat some texts, and are accepted with them
            long = {e.id: _text(e) for e in examples if _text(e) is not None}
            texts = Counter(name for name, digest in long.items() if digest in self.texts)
            if len(texts) > 1 and len(texts) > COMMON_TEXTS * len(long):
                found.append(self._clause(texts, set(long), f"text of {LONG_TEXT} words or more"))
        return found

    def mark(self, corpus: str, examples: Sequence[Example]) -> str | None:
        """Return what stands beside numbers of rows without a problem."""
        if self._voices(examples):
            return OVERLAPPING
        written = OFFICIAL_SPLITS.get(corpus, _NONE).written and corpus in self.corpora
        return WRITTEN if written and any(e.speaker is None for e in examples) else None

    def _voices(self, examples: Sequence[Example]) -> Counter[str]:
        return Counter(
            e.speaker
            for e in examples
            if e.speaker is not None and {e.speaker, _hidden(e.speaker)} & self.speakers
        )

    def _clause(self, found: Counter[str], of: set[str | None], noun: str) -> str:
        total = len(of - {None})
        first, _, rest = noun.partition(" ")
        counted = f"{len(found)} of {total} {first}{'s' if total != 1 else ''}{rest and ' ' + rest}"
        return f"{counted} {self.doing} it ({listing(sorted(found), 3)})"


# --- digests ---------------------------------------------------------------------------------------------


def _digest(*parts: str) -> bytes:
    text = json.dumps(parts)  # keeps the parts apart
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def _hidden(name: str) -> str:
    return f"#{_digest('speaker', name).hex()}"


def _person(example: Example) -> str | None:
    """Return a speaker's name as it is kept: a model that is published names nobody of the user's own."""
    if example.speaker is None or licence_of(example.corpus) is not None:
        return example.speaker
    return _hidden(example.speaker)


def _dialogue(example: Example) -> bytes | None:
    return None if example.dialogue_id is None else _digest("dialogue", example.dialogue_id)


def _row(example: Example) -> bytes | None:
    """Return the digest of a row that has nothing else to know it by."""
    if example.speaker is not None or example.dialogue_id is not None:
        return None
    # A text is not enough: official splits repeat short ones ("Thank you!") on both sides.
    where = example.corpus if example.text is None else example.text
    return _digest("row", example.id, where)


def _clip(example: Example) -> bytes | None:
    """Return the digest of a clip's bytes, and of which part and channel of them it is."""
    if example.audio is None:
        return None
    part = (example.start, example.end, example.channel)
    return _digest("clip", content_sha256(example.audio), *map(str, part))


def _text(example: Example) -> bytes | None:
    """Return the digest of words that two people hardly write alike; None of fewer, and of a script's."""
    words = re.findall(r"\w+", (example.text or "").casefold())
    if len(words) < LONG_TEXT or example.sentence is not None:
        return None
    return _digest("text", *words)


def _pack(digests: Iterable[bytes | None]) -> str:
    found = sorted(digest for digest in digests if digest is not None)
    return base64.b64encode(b"".join(found)).decode("ascii")


def _unpack(packed: str) -> list[bytes]:
    data = base64.b64decode(packed, validate=True)
    if len(data) % DIGEST_BYTES:
        raise ValueError(f"{len(data)} bytes are no digests of {DIGEST_BYTES} bytes each")
    return [data[at : at + DIGEST_BYTES] for at in range(0, len(data), DIGEST_BYTES)]
