"""A model is not scored on whom it was trained on, known by name, under others by sound and words."""

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mmser.data import Example, Split
from mmser.data.audit import OFFICIAL_SPLITS, OfficialSplit
from mmser.data.audit.splits import OVERLAPPING, WRITTEN
from mmser.data.licences import licence_of
from mmser.data.tables import listing
from mmser.errors import DataError, LeakingSplitError
from mmser.evaluation.division.excerpts import MOST_SECONDS, Excerpts
from mmser.evaluation.division.training_data import (
    LONG_TEXT,
    PACKED,
    SEEN,
    TrainingData,
    clip_digest,
    dialogue_digest,
    hidden_name,
    row_digest,
    text_digest,
    unpack,
)
from mmser.evaluation.sounds import Sounds
from mmser.progress import ProgressCallback, ignore_progress

UNKNOWN: Final = "it is not known what the model was trained on"
COMMON: Final = 0.01  # of long texts: so many may be alike by chance, or be quoted
MOST_HEARD: Final = 300  # clips of a corpus that are looked up by sound, drawn by their digests
_NONE: Final = OfficialSplit()


def require_unseen(
    test: Sequence[Example],
    known: TrainingData | None,
    allow_overlap: bool,
    *,
    split: Split = "test",
    progress: ProgressCallback = ignore_progress,
) -> str | None:
    """Return the mark that must stand beside every number of a model on some rows; None if it needs none.

    Args:
        test: rows that are scored.
        known: what the model was trained on; None = nobody knows, which is the mark then.
        allow_overlap: whether rows that the model has seen are scored all the same.
        split: that the rows are; "validation" may have validated the model, but not trained it.
        progress: of the search for sounds.

    Returns:
        "speaker-overlapping, dialogue-disjoint", "overlap allowed: …", or the like; with several corpora
        each mark follows its corpus's name.

    Raises:
        LeakingSplitError: if a speaker, a dialogue, a clip or an unnamed writer's row trained or validated
            the model, or a row has no speaker and the model was trained on its corpus, unless
            `OFFICIAL_SPLITS` accepts it, or it is allowed; but in published corpora that it was trained on,
            also if a clip that is looked up by sound, or more than `COMMON` of the long texts, did.
        DataError: if a clip is missing.
    """
    if known is None:
        return UNKNOWN
    memory = _Memory.of(known, ("train",) if split == "validation" else SEEN, progress)
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


def known_by(data: TrainingData) -> str:
    """Return by what rows under other names would be known again: "name, sound and long texts"."""
    kept = {
        "sound": any(any({*seen.clips.values(), *seen.excerpts.values()}) for seen in data.corpora.values()),
        "long texts": any(any(seen.texts.values()) for seen in data.corpora.values()),
    }
    return " and ".join(", ".join(["name", *(what for what, there in kept.items() if there)]).rsplit(", ", 1))


@dataclass(frozen=True, kw_only=True)
class _Memory:
    """What a model has seen, ready to be looked up."""

    corpora: frozenset[str]
    speakers: frozenset[str]
    dialogues: frozenset[bytes]
    rows: frozenset[bytes]
    clips: frozenset[bytes]
    texts: frozenset[bytes]
    excerpts: Excerpts
    doing: str  # "trained", or "trained or validated"
    progress: ProgressCallback

    @classmethod
    def of(cls, data: TrainingData, parts: Sequence[Split], progress: ProgressCallback) -> "_Memory":
        seen = [(one, part) for one in data.corpora.values() for part in parts]

        def digests(name: str) -> frozenset[bytes]:
            packed = [getattr(one, name).get(part, "") for one, part in seen]
            return frozenset(digest for text in packed for digest in unpack(text, PACKED[name]))

        return cls(
            corpora=frozenset(c for c, one in data.corpora.items() if any(one.rows.get(p) for p in parts)),
            speakers=frozenset(name for one, part in seen for name in one.speakers.get(part, ())),
            dialogues=digests("dialogues"),
            rows=digests("unnamed"),
            clips=digests("clips"),
            texts=digests("texts"),
            excerpts=Excerpts(sorted(digests("excerpts"))),
            doing="trained" if tuple(parts) == ("train",) else "trained or validated",
            progress=progress,
        )

    def problems(self, corpus: str, examples: Sequence[Example]) -> list[str]:
        """Return a clause for each reason why the model knows rows of a corpus that it should not."""
        official = OFFICIAL_SPLITS.get(corpus, _NONE)
        shared = official.shares_speakers and all(e.dialogue_id is not None for e in examples)
        found = []
        dialogues = Counter(str(e.dialogue_id) for e in examples if dialogue_digest(e) in self.dialogues)
        voices = self._voices(examples)
        if dialogues:
            found.append(self._clause(dialogues, {e.dialogue_id for e in examples}, "dialogue"))
        if voices and not (shared and not dialogues):
            found.append(self._clause(voices, {e.speaker for e in examples}, "speaker"))
        rows = Counter(e.id for e in examples if row_digest(e) in self.rows)
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
        digests = {e.id: clip_digest(e) for e in examples if e.audio is not None} if self.clips else {}
        clips = Counter(name for name, digest in digests.items() if digest in self.clips)
        if clips:
            found.append(self._clause(clips, set(digests), "clip"))
        # Official splits repeat some texts, and are accepted with them; their people have names.
        if corpus in self.corpora and licence_of(corpus) is not None:
            return found
        other = {name: digest for name, digest in digests.items() if name not in clips}
        heard = self._heard(examples, other)
        if again := Counter(name for name, is_known in heard.items() if is_known):
            found.append(self._clause(again, set(heard), "clip (encoded anew)"))
        long = {e.id: digest for e in examples if (digest := text_digest(e)) is not None}
        texts = Counter(name for name, digest in long.items() if digest in self.texts)
        if len(texts) > max(1, COMMON * len(long)):
            found.append(
                self._clause(texts, set(long), f"text of {LONG_TEXT} words or more")
                + "; if they are a script's, name its sentences in the column sentence"
            )
        return found

    def _heard(self, examples: Sequence[Example], digests: Mapping[str, bytes | None]) -> dict[str, bool]:
        """Return whether the sound of some of the clips is known."""
        if not len(self.excerpts):
            return {}
        names = set(sorted(digests, key=lambda name: digests[name] or b"")[:MOST_HEARD])
        chosen = [example for example in examples if example.id in names]
        found = {}
        with Sounds() as sounds:
            for done, example in enumerate(chosen):
                with contextlib.suppress(DataError):  # said by whoever needs the clip
                    waveform = sounds.read(example, MOST_SECONDS)
                    found[example.id] = waveform is not None and self.excerpts.hold(waveform)
                self.progress("looking for training clips", done + 1, len(chosen))
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
            if e.speaker is not None and {e.speaker, hidden_name(e.speaker)} & self.speakers
        )

    def _clause(self, found: Counter[str], of: set[str | None], noun: str) -> str:
        total, (first, *rest) = len(of - {None}), re.split(r"(?=\W)", noun, maxsplit=1)
        plural = "".join([first, "s", *rest])
        counted = f"{len(found)} of {total} {noun if total == 1 else plural}"
        return f"{counted} {self.doing} it ({listing(sorted(found), 3)})"
