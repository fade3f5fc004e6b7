"""What is labelled, how often, and what a split lacks."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mmser.data.audit.columns import UNASSIGNED, Columns
from mmser.data.audit.records import MAX_EXAMPLES, CorpusSummary, Finding, ScriptSummary, SoundSummary
from mmser.labels import EMOTIONS

KNOWN = (*EMOTIONS, "calm")  # calm is a class of its own in RAVDESS's 8-class task
UNEVEN, MAX_IMBALANCE = 2.0, 10.0  # largest class over smallest: worth a note, a warning


def summarise_corpus(
    columns: Columns,
    rows: Sequence[int],
    script: ScriptSummary | None,
    sound: SoundSummary | None,
    mark: str | None,
) -> CorpusSummary:
    """Return one corpus's counts.

    Args:
        columns: of the dataset.
        rows: the corpus's.
        script: what its sentences tell.
        sound: what its clips sound like.
        mark: of its split.
    """
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    speakers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        labels[columns.split[row]].update(columns.emotion[row])
        own = columns.speaker[row]
        speakers[columns.split[row]] |= {own} if own is not None else set()
    total = sum(labels.values(), Counter())
    shares = np.array(list(total.values())) / max(1, total.total())
    return CorpusSummary(
        corpus=columns.corpus[rows[0]],
        num_examples=len(rows),
        splits=dict(Counter(columns.split[row] for row in rows)),
        labels={split: dict(sorted(count.items())) for split, count in labels.items()},
        num_unlabelled=sum(not columns.emotion[row] for row in rows),
        num_multi_label=sum(len(columns.emotion[row]) > 1 for row in rows),
        speakers={split: len(own) for split, own in speakers.items()},
        num_unknown_speaker=sum(columns.speaker[row] is None for row in rows),
        imbalance=max(total.values()) / min(total.values()) if len(total) > 1 else None,
        entropy=-float((shares * np.log(shares)).sum() / np.log(len(total))) if len(total) > 1 else None,
        intensity_share=_known(columns.intensity, rows),
        change_share=_known(columns.change, rows),
        valence_share=_known(columns.valence, rows),
        script=script,
        sound=sound,
        mark=mark,
    )


def _known(values: Sequence[object], rows: Sequence[int]) -> float:
    return sum(values[row] is not None for row in rows) / len(rows)


def find_label_faults(corpus: CorpusSummary, columns: Columns, rows: Sequence[int]) -> list[Finding]:
    """Return classes that a split lacks, imbalance, missing and unknown labels."""
    return [
        *_absent(corpus),
        *_imbalance(corpus),
        *_unlabelled(corpus, columns, rows),
        *_unknown(corpus, columns, rows),
    ]


def _absent(corpus: CorpusSummary) -> list[Finding]:
    classes = sorted(set().union(*corpus.labels.values()))
    absent = [
        f"{split}: {label}"
        for split, count in corpus.labels.items()
        for label in classes
        if split != UNASSIGNED and label not in count
    ]
    if not absent:
        return []
    return [
        Finding(
            severity="warning",
            check="classes without an example",
            corpus=corpus.corpus,
            message="a class that the corpus has elsewhere is absent from a split",
            count=len(absent),
            total=len(classes) * len(corpus.labels),
            examples=tuple(absent[:MAX_EXAMPLES]),
        )
    ]


def _imbalance(corpus: CorpusSummary) -> list[Finding]:
    if corpus.imbalance is None or corpus.imbalance < UNEVEN:
        return []
    total = sum((Counter(count) for count in corpus.labels.values()), Counter())
    (most, num_most), *_, (least, num_least) = total.most_common()
    return [
        Finding(
            severity="warning" if corpus.imbalance > MAX_IMBALANCE else "note",
            check="imbalance",
            corpus=corpus.corpus,
            message=f"{most} has {num_most} examples and {least} {num_least}, {corpus.imbalance:.1f} to 1: "
            "balance the classes or weight them, and lead with UAR",
            count=num_least,
            total=total.total(),
        )
    ]


def _unlabelled(corpus: CorpusSummary, columns: Columns, rows: Sequence[int]) -> list[Finding]:
    if not corpus.num_unlabelled:
        return []
    names = [columns.name[row] for row in rows if not columns.emotion[row]]
    return [
        Finding(
            severity="note",
            check="no emotion label",
            corpus=corpus.corpus,
            message="they train the other tasks alone",
            count=corpus.num_unlabelled,
            total=corpus.num_examples,
            examples=tuple(names[:MAX_EXAMPLES]),
        )
    ]


def _unknown(corpus: CorpusSummary, columns: Columns, rows: Sequence[int]) -> list[Finding]:
    unknown = Counter(label for row in rows for label in columns.emotion[row] if label not in KNOWN)
    if not unknown:
        return []
    meant = {label: difflib.get_close_matches(label.casefold(), EMOTIONS, 1, 0.5) for label in unknown}
    return [
        Finding(
            severity="warning",
            check="unknown labels",
            corpus=corpus.corpus,
            message=f"no class of mmser's, which are {', '.join(EMOTIONS)}: map them",
            count=unknown.total(),
            total=corpus.num_examples,
            examples=tuple(
                f"{label!r}" + (f" ({meant[label][0]}?)" if meant[label] else "")
                for label, _ in unknown.most_common(MAX_EXAMPLES)
            ),
        )
    ]
