"""Who and what stands in several splits, and the guard that training and evaluation ask."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from datasets import Dataset

from mmser.data.audit.columns import UNASSIGNED, Columns, columns_of
from mmser.data.audit.records import MAX_EXAMPLES, Finding
from mmser.errors import LeakingSplitError

OVERLAPPING: Final = "speaker-overlapping, dialogue-disjoint"
WRITTEN: Final = "speakers unknown (written comments)"


@dataclass(frozen=True, kw_only=True)
class OfficialSplit:
    """What is known of a split that a publisher made, and everybody's numbers are from."""

    shares_speakers: bool = False  # accepted where every example has a dialogue and none is in two splits
    written: bool = False  # comments by unnamed writers: there is no voice, and no speaker to tell apart


# Corpora whose official splits run without a flag, with a mark beside every number. All others must show
# that their speakers are apart.
OFFICIAL_SPLITS: Final[dict[str, OfficialSplit]] = {
    "meld": OfficialSplit(shares_speakers=True),
    "goemotions": OfficialSplit(written=True),
    "emobank": OfficialSplit(written=True),
    "semeval_ei": OfficialSplit(written=True),
}
_NONE: Final = OfficialSplit()


@dataclass(frozen=True, kw_only=True)
class CorpusSplit:
    """How one corpus's splits relate; values are sorted."""

    corpus: str
    splits: tuple[str, ...]  # that have examples
    num_examples: int  # in those splits
    num_speakers: int
    shared_speakers: tuple[str, ...]  # in several splits
    num_unknown_speaker: int  # examples
    num_dialogues: int
    shared_dialogues: tuple[str, ...]
    num_without_dialogue: int  # examples
    shared_clips: tuple[str, ...] = ()  # of one file, by the names of their examples

    @property
    def official(self) -> OfficialSplit:
        """What is known of the publisher's split."""
        return OFFICIAL_SPLITS.get(self.corpus, _NONE)

    @property
    def accepts_shared_speakers(self) -> bool:
        """Whether speakers may be shared because dialogues are not."""
        return self.official.shares_speakers and not self.shared_dialogues and not self.num_without_dialogue

    def problems(self) -> list[str]:
        """Return a clause for each reason why numbers from this split mean less than they seem to."""
        found = []
        if self.shared_dialogues:
            named = _first(self.shared_dialogues)
            found.append(f"{_count(self.shared_dialogues, 'dialogue')} in several splits ({named})")
        if self.shared_speakers and not self.accepts_shared_speakers:
            named = _first(self.shared_speakers)
            found.append(f"{_count(self.shared_speakers, 'speaker')} in several splits ({named})")
        if self.shared_clips:
            named = _first(self.shared_clips)
            found.append(f"{_count(self.shared_clips, 'clip')} in several splits ({named})")
        if self.num_unknown_speaker and not self.official.written and len(self.splits) > 1:
            found.append(f"{self.num_unknown_speaker} of {self.num_examples} examples have no known speaker")
        return found

    def mark(self) -> str | None:
        """Return what must stand beside every number, None for a split that is apart."""
        if problems := self.problems():
            return f"overlap allowed: {'; '.join(problems)}"
        if self.shared_speakers:
            return OVERLAPPING
        if self.official.written and self.num_unknown_speaker and len(self.splits) > 1:
            return WRITTEN
        return None


def require_disjoint(dataset: Dataset, allow_overlap: bool) -> str | None:
    """Return the mark that must stand beside every number measured on `dataset`; None if it needs none.

    Args:
        dataset: with `FEATURES`; rows without a split are not looked at.
        allow_overlap: whether a split that leaks, or may, is taken all the same.

    Returns:
        "speaker-overlapping, dialogue-disjoint", "overlap allowed: …", or the like; with several corpora
        each mark follows its corpus's name.

    Raises:
        LeakingSplitError: if a speaker or a dialogue is in several splits, or a corpus that has several
            splits has examples of unknown speakers, unless `OFFICIAL_SPLITS` accepts it or it is allowed.
    """
    apart = split_corpora(columns_of(dataset))
    problems = [f"{corpus.corpus}: {'; '.join(found)}" for corpus in apart if (found := corpus.problems())]
    if problems and not allow_overlap:
        raise LeakingSplitError(
            f"the split leaks, or cannot show that it does not: {'; '.join(problems)}; put each speaker and "
            "dialogue into one split, or give --allow-overlap, and every number will carry the mark"
        )
    marks = [(corpus.corpus, mark) for corpus in apart if (mark := corpus.mark()) is not None]
    if len(apart) == 1:
        return marks[0][1] if marks else None
    return "; ".join(f"{corpus}: {mark}" for corpus, mark in marks) or None


def split_corpora(columns: Columns) -> list[CorpusSplit]:
    """Return how each corpus is divided; what it shares counts, whichever corpus the other rows are of."""
    split = columns.split
    speakers = _splits_of(columns.speaker, split)
    dialogues = _splits_of(columns.dialogue_id, split)
    clips = _splits_of(columns.clip, split)
    found = []
    for corpus, rows in columns.by_corpus().items():
        rows = [row for row in rows if split[row] != UNASSIGNED]
        own = {columns.speaker[row] for row in rows}
        talks = {columns.dialogue_id[row] for row in rows}
        found.append(
            CorpusSplit(
                corpus=corpus,
                splits=tuple(sorted({split[row] for row in rows})),
                num_examples=len(rows),
                num_speakers=len(own - {None}),
                shared_speakers=_shared(own, speakers),
                num_unknown_speaker=sum(columns.speaker[row] is None for row in rows),
                num_dialogues=len(talks - {None}),
                shared_dialogues=_shared(talks, dialogues),
                num_without_dialogue=sum(columns.dialogue_id[row] is None for row in rows),
                shared_clips=tuple(
                    sorted(columns.name[r] for r in rows if len(clips.get(columns.clip[r] or "", ())) > 1)
                ),
            )
        )
    return found


def find_overlaps(columns: Columns, corpora: Sequence[CorpusSplit]) -> list[Finding]:
    """Return what is shared between splits: speakers, dialogues, sessions, texts; and unknown speakers.

    Repeated sentences are judged with what they tell of the emotion, in `find_scripts`.
    """
    found: list[Finding] = []
    rows_of = columns.by_corpus()
    for corpus in corpora:
        found += _unassigned(corpus, len(rows_of[corpus.corpus])) + _speakers(corpus)
        if corpus.shared_dialogues:
            found.append(
                Finding(
                    severity="leak",
                    check="dialogues across splits",
                    corpus=corpus.corpus,
                    message="turns of one dialogue are both trained and tested on",
                    count=len(corpus.shared_dialogues),
                    total=corpus.num_dialogues,
                    examples=corpus.shared_dialogues[:MAX_EXAMPLES],
                )
            )
        found += _sessions(columns, rows_of[corpus.corpus], corpus)
        found += _texts(columns, rows_of[corpus.corpus], corpus)
    return found


def _unassigned(corpus: CorpusSplit, num_rows: int) -> list[Finding]:
    if corpus.num_examples == num_rows:
        return []
    return [
        Finding(
            severity="note",
            check="no split",
            corpus=corpus.corpus,
            message="they are in no split yet, and what splits share is not known of them",
            count=num_rows - corpus.num_examples,
            total=num_rows,
        )
    ]


def _speakers(corpus: CorpusSplit) -> list[Finding]:
    found = []
    if corpus.shared_speakers:
        accepted = corpus.accepts_shared_speakers
        why = (
            f'the publisher\'s split; numbers from it are marked "{OVERLAPPING}"'
            if accepted
            else "voices that are tested on were trained on"
        )
        found.append(
            Finding(
                severity="note" if accepted else "leak",
                check="speakers across splits",
                corpus=corpus.corpus,
                message=why,
                count=len(corpus.shared_speakers),
                total=corpus.num_speakers,
                examples=corpus.shared_speakers[:MAX_EXAMPLES],
            )
        )
    if corpus.num_unknown_speaker and len(corpus.splits) > 1:
        written = corpus.official.written
        why = (
            f'the publisher\'s split of written text; numbers from it are marked "{WRITTEN}"'
            if written
            else "nobody can tell whether voices that are tested on were trained on"
        )
        found.append(
            Finding(
                severity="note" if written else "leak",
                check="speakers unknown",
                corpus=corpus.corpus,
                message=why,
                count=corpus.num_unknown_speaker,
                total=corpus.num_examples,
            )
        )
    return found


def _sessions(columns: Columns, rows: Sequence[int], corpus: CorpusSplit) -> list[Finding]:
    sessions = [columns.session[row] for row in rows]
    shared = _shared(set(sessions), _splits_of(sessions, [columns.split[row] for row in rows]))
    if not shared:
        return []
    return [
        Finding(
            severity="warning",
            check="sessions across splits",
            corpus=corpus.corpus,
            message="one recording session, with its room and microphone, is trained and tested on",
            count=len(shared),
            total=len(set(sessions) - {None}),
            examples=shared[:MAX_EXAMPLES],
        )
    ]


def _texts(columns: Columns, rows: Sequence[int], corpus: CorpusSplit) -> list[Finding]:
    """Note texts that stand in several splits, where they are not the sentences of a script."""
    free = [row for row in rows if columns.sentence[row] is None]
    texts = [plain_text(columns.text[row]) for row in free]
    shared = _shared(set(texts), _splits_of(texts, [columns.split[row] for row in free]))
    if not shared:
        return []
    count = Counter(texts)
    touched = sum(count[text] for text in shared)
    often = sorted(shared, key=lambda text: (-count[text], text))
    return [
        Finding(
            severity="note",
            check="texts across splits",
            corpus=corpus.corpus,
            message=f"the same words, said {touched} times in all; in case and punctuation they may differ",
            count=len(shared),
            total=len(count.keys() - {None}),
            examples=tuple(f'"{text[:60]}"' for text in often[:MAX_EXAMPLES]),
        )
    ]


def plain_text(text: str | None) -> str | None:
    """Return the words of a text alone, in lower case; None where there is none."""
    return " ".join(re.findall(r"[\w']+", (text or "").casefold())) or None


def _splits_of(values: Sequence[str | None], split: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for value, part in zip(values, split, strict=True):
        if value is not None and part != UNASSIGNED:
            found.setdefault(value, set()).add(part)
    return found


def _shared(own: set[str | None], splits: dict[str, set[str]]) -> tuple[str, ...]:
    return tuple(sorted(value for value in own if value is not None and len(splits.get(value, ())) > 1))


def _count(values: Sequence[str], noun: str) -> str:
    return f"{len(values)} {noun}{'' if len(values) == 1 else 's'}"


def _first(values: Sequence[str]) -> str:
    return ", ".join(values[:MAX_EXAMPLES]) + (", …" if len(values) > MAX_EXAMPLES else "")
