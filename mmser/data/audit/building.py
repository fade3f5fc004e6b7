"""A dataset → its audit."""

from collections.abc import Sequence

from datasets import Dataset

from mmser import __version__
from mmser.data.audit.columns import Columns, audio_of, columns_of, rows_with_audio
from mmser.data.audit.confidence import check_audio_labels, check_text_labels, draw, find_suspicious
from mmser.data.audit.labels import find_label_faults, summarise_corpus
from mmser.data.audit.records import SCHEMA, SEVERITIES, Audit, CorpusSummary, Duplicate, Finding, LabelCheck
from mmser.data.audit.scripts import find_scripts, summarise_script
from mmser.data.audit.sound import ClipSound, NativeReader, Unreadable, listen
from mmser.data.audit.soundness import find_copies, find_duplicates, find_sound_faults, summarise_sound
from mmser.data.audit.splits import find_overlaps, split_corpora
from mmser.progress import ProgressCallback, ignore_progress

MAX_LABELS = 5_000  # of one corpus, whose labels are checked


def audit(
    dataset: Dataset,
    *,
    read_sound: bool = True,
    max_labels: int = MAX_LABELS,
    progress: ProgressCallback = ignore_progress,
) -> Audit:
    """Report what somebody who trains on `dataset` must know; the audio is decoded once.

    Args:
        dataset: with `FEATURES`; columns that are absent count as missing throughout.
        read_sound: False leaves the audio alone: no copies, no levels, no labels checked by sound.
        max_labels: of how many examples of each corpus labels are checked, by sound and by words; 0 = none.
        progress: called with "reading the audio", "comparing clips" and "checking labels".
    """
    columns = columns_of(dataset)
    rows_of = columns.by_corpus()
    clips, unreadable, duplicates = (
        _sound(dataset, columns, max_labels, progress) if read_sound else ([], [], [])
    )
    splits = split_corpora(columns)
    findings = find_overlaps(columns, splits) + find_copies(duplicates, len(clips))
    summaries: list[CorpusSummary] = []
    scripted: set[str] = set()
    for split in splits:
        rows = rows_of[split.corpus]
        script, constant = summarise_script(columns, rows)
        if script is not None:
            scripted.add(split.corpus)
            findings += find_scripts(split.corpus, script, constant)
        own = [clip for clip in clips if columns.corpus[clip.row] == split.corpus]
        lost = [clip for clip in unreadable if columns.corpus[clip.row] == split.corpus]
        sound = summarise_sound(own, len(lost)) if own or lost else None
        summary = summarise_corpus(columns, rows, script, sound, split.mark())
        summaries.append(summary)
        findings += find_label_faults(summary, columns, rows)
        findings += find_sound_faults(split.corpus, columns, own, lost)
    checks = _check_labels(columns, clips, scripted, max_labels, progress)
    findings += [check if isinstance(check, Finding) else find_suspicious(check) for check in checks]
    return Audit(
        schema=SCHEMA,
        mmser_version=__version__,
        num_examples=len(columns),
        sound_read=read_sound,
        corpora=tuple(summaries),
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        duplicates=tuple(duplicates),
        label_checks=tuple(check for check in checks if isinstance(check, LabelCheck)),
    )


def _sound(
    dataset: Dataset, columns: Columns, max_labels: int, progress: ProgressCallback
) -> tuple[list[ClipSound], list[Unreadable], list[Duplicate]]:
    audio = audio_of(dataset)
    if audio is None:
        return [], [], []
    wanted = {row for rows in columns.by_corpus().values() for row in draw(columns, rows, max_labels)}
    clips: list[ClipSound] = []
    unreadable: list[Unreadable] = []
    reader = NativeReader(audio, columns)
    try:
        for heard in listen(reader, rows_with_audio(audio), frozenset(wanted), progress):
            if isinstance(heard, ClipSound):
                clips.append(heard)
            else:
                unreadable.append(heard)
        return clips, unreadable, find_duplicates(columns, clips, reader, progress)
    finally:
        reader.close()


def _check_labels(
    columns: Columns,
    clips: Sequence[ClipSound],
    scripted: set[str],
    max_labels: int,
    progress: ProgressCallback,
) -> list[LabelCheck | Finding]:
    """Check each corpus by its sound, where it was heard, and by its words, unless they are a script."""
    functionals = {clip.row: clip.functionals for clip in clips if clip.functionals is not None}
    corpora = columns.by_corpus() if max_labels else {}
    checks = []
    for done, (corpus, rows) in enumerate(corpora.items()):
        progress("checking labels", done, len(corpora))
        checks.append(check_audio_labels(columns, rows, functionals))
        if corpus not in scripted:
            checks.append(check_text_labels(columns, rows, max_labels))
    return [check for check in checks if check is not None]
