"""What the clips of a corpus sound like, together: levels, rates, faults and copies."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mmser.data.audit.columns import UNASSIGNED, Columns
from mmser.data.audit.fingerprint import find_matches, is_copy
from mmser.data.audit.records import MAX_EXAMPLES, Duplicate, Finding, Severity, SoundSummary
from mmser.data.audit.sound import ClipSound, NativeReader, Unreadable
from mmser.progress import ProgressCallback

CLIPPED = 1e-3  # share of a clip's samples on plateaus, beyond which it counts as clipped
MOSTLY_SILENT = 0.8  # share of a clip's frames
TOO_SHORT, TOO_LONG = 0.3, 20.0  # seconds
PADDED = 0.1  # seconds of exact zeros
FAINT_DBFS = -50.0
SAME_LENGTH = 0.9  # share of clips of one duration, to the millisecond, beyond which durations mean nothing


def summarise_sound(clips: Sequence[ClipSound], num_unreadable: int) -> SoundSummary:
    """Return one corpus's clips in numbers; at least one was read or not readable."""
    durations = np.array([clip.duration for clip in clips])
    levels = np.array([clip.level_dbfs for clip in clips if clip.level_dbfs is not None])
    return SoundSummary(
        num_clips=len(clips),
        num_unreadable=num_unreadable,
        num_damaged=sum(clip.complaint is not None for clip in clips),
        hours=float(durations.sum() / 3600),
        sampling_rates=_counts([clip.sampling_rate for clip in clips]),
        channels=_counts([clip.num_channels for clip in clips]),
        duration_quantiles=_quantiles(durations, (0, 0.05, 0.5, 0.95, 1)),
        level_quantiles_dbfs=_quantiles(levels, (0.05, 0.5, 0.95)),
        silence_share=_mean([clip.silent_share for clip in clips]),
        clipped_share=_mean([clip.clipped_share > CLIPPED for clip in clips]),
        padded_share=_mean([clip.padding > PADDED for clip in clips]),
    )


def _counts(values: Sequence[int]) -> dict[str, int]:
    return {str(value): number for value, number in sorted(Counter(values).items())}


def _quantiles(values: np.ndarray, shares: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in np.quantile(values, shares)) if len(values) else ()


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def find_sound_faults(
    corpus: str, columns: Columns, clips: Sequence[ClipSound], unreadable: Sequence[Unreadable]
) -> list[Finding]:
    """Return what is wrong or odd with one corpus's clips."""
    total = len(clips) + len(unreadable)
    name = columns.name

    def finding(severity: Severity, check: str, message: str, examples: Sequence[str]) -> list[Finding]:
        if not examples:
            return []
        return [
            Finding(
                severity=severity,
                check=check,
                corpus=corpus,
                message=message,
                count=len(examples),
                total=total,
                examples=tuple(examples[:MAX_EXAMPLES]),
            )
        ]

    def named(chosen: Sequence[ClipSound]) -> list[str]:
        return [name[clip.row] for clip in chosen]

    silent = [clip for clip in clips if clip.level_dbfs is None]
    quiet = [clip for clip in clips if clip.silent_share > MOSTLY_SILENT and clip.level_dbfs is not None]
    faint = [clip for clip in clips if clip.level_dbfs is not None and clip.level_dbfs < FAINT_DBFS]
    return [
        *finding(
            "warning",
            "unreadable clips",
            "they cannot be decoded",
            [f"{name[u.row]}: {u.reason}" for u in unreadable],
        ),
        *finding(
            "warning",
            "damaged clips",
            "they are cut off, or hold samples that are no numbers; what is there is used",
            [f"{name[clip.row]}: {clip.complaint}" for clip in clips if clip.complaint],
        ),
        *finding("warning", "digital silence", "not one sample differs from 0", named(silent)),
        *finding("warning", "mostly silent", f"more than {MOSTLY_SILENT:.0%} of the clip", named(quiet)),
        *finding("note", "faint clips", f"below {FAINT_DBFS:g} dBFS", named(faint)),
        *finding(
            "warning",
            "clipping",
            f"more than {CLIPPED:.1%} of the samples lie flat at the clip's own extreme",
            named([clip for clip in clips if clip.clipped_share > CLIPPED]),
        ),
        *finding(
            "warning",
            "too short",
            f"below {TOO_SHORT:g} s",
            named([c for c in clips if c.duration < TOO_SHORT]),
        ),
        *finding(
            "note", "long clips", f"over {TOO_LONG:g} s", named([c for c in clips if c.duration > TOO_LONG])
        ),
        *_rates(corpus, clips),
        *_same_length(corpus, clips),
    ]


def _rates(corpus: str, clips: Sequence[ClipSound]) -> list[Finding]:
    rates = Counter(clip.sampling_rate for clip in clips)
    if len(rates) < 2:
        return []
    listed = ", ".join(f"{rate} Hz {number}" for rate, number in rates.most_common(MAX_EXAMPLES))
    return [
        Finding(
            severity="warning",
            check="several sampling rates",
            corpus=corpus,
            message=f"{listed}: a model can tell them apart, and the classes with them if they go together",
            count=len(clips) - rates.most_common(1)[0][1],
            total=len(clips),
        )
    ]


def _same_length(corpus: str, clips: Sequence[ClipSound]) -> list[Finding]:
    lengths = Counter(round(clip.duration, 3) for clip in clips)
    if len(clips) < MAX_EXAMPLES or lengths.most_common(1)[0][1] < SAME_LENGTH * len(clips):
        return []
    length, number = lengths.most_common(1)[0]
    padded = sum(clip.padding > PADDED for clip in clips)
    return [
        Finding(
            severity="warning",
            check="one length",
            corpus=corpus,
            message=f"clips of exactly {length:g} s, {padded} of all padded with zeros: they were cut or "
            "padded by somebody, and durations and pauses mean nothing",
            count=number,
            total=len(clips),
        )
    ]


def find_duplicates(
    columns: Columns, clips: Sequence[ClipSound], reader: NativeReader, progress: ProgressCallback
) -> list[Duplicate]:
    """Return the clips that hold one recording, across splits first.

    Args:
        columns: of the dataset.
        clips: that were read, of all corpora.
        reader: reads the doubtful pairs again.
        progress: called as prints are compared.
    """
    by_digest: dict[str, list[ClipSound]] = defaultdict(list)
    for clip in clips:
        if clip.level_dbfs is not None:  # silence is equal to silence, and says so elsewhere
            by_digest[clip.digest].append(clip)
    found = [
        _duplicate(columns, same[0].row, other.row, "exact", 0.0, 0.0)
        for same in by_digest.values()
        for other in same[1:]
    ]
    heard = [same[0] for same in by_digest.values() if same[0].print is not None]
    prints = [clip.print for clip in heard if clip.print is not None]
    for match in find_matches(prints, lambda done, total: progress("comparing clips", done, total)):
        if is_copy(match, lambda place: reader.waveform(heard[place].row)):
            first, second = heard[match.first].row, heard[match.second].row
            found.append(_duplicate(columns, first, second, "near", match.bit_error, match.offset))
    return sorted(found, key=lambda pair: (-len(pair.splits), pair.first, pair.second))


def _duplicate(
    columns: Columns, first: int, second: int, kind: str, bit_error: float, offset: float
) -> Duplicate:
    splits = {columns.split[first], columns.split[second]} - {UNASSIGNED}
    return Duplicate(
        first=columns.name[first],
        second=columns.name[second],
        kind="exact" if kind == "exact" else "near",
        bit_error=round(bit_error, 4),
        offset=round(offset, 3),
        splits=tuple(sorted(splits)),
        same_label=set(columns.emotion[first]) == set(columns.emotion[second]),
    )


def find_copies(duplicates: Sequence[Duplicate], num_clips: int) -> list[Finding]:
    """Return what follows from duplicates: across splits, within one, and under two labels."""
    across = [pair for pair in duplicates if len(pair.splits) > 1]
    within = [pair for pair in duplicates if len(pair.splits) <= 1]
    odd = [pair for pair in duplicates if not pair.same_label]
    groups: tuple[tuple[Severity, str, str, list[Duplicate]], ...] = (
        ("leak", "one recording in several splits", "what is tested on was trained on", across),
        ("warning", "one recording twice", "within a split it counts double; keep one", within),
        ("warning", "one recording, two labels", "at most one of them can be right", odd),
    )
    return [
        Finding(
            severity=severity,
            check=check,
            corpus=None,
            message=message,
            count=len(pairs),
            total=num_clips,
            examples=tuple(f"{p.first} = {p.second} ({p.kind})" for p in pairs[:MAX_EXAMPLES]),
        )
        for severity, check, message, pairs in groups
        if pairs
    ]
