"""The section on how it was done, and what the numbers mean."""

from collections.abc import Iterator, Sequence

from mmser.evaluation.page.sections.blocks import Block, Cell, Code, Column, Fold, Row, Section, Table, Terms
from mmser.evaluation.page.sections.context import Context
from mmser.evaluation.page.sections.numbers import NONE, count_cell, number, some
from mmser.evaluation.result import DataInfo, Evaluation
from mmser.evaluation.scores.calibration_scores import BINS

_MOST_NAMES = 60  # of held-out speakers in one cell
COMMAND = "command"  # of the settings: the whole line


def method_section(context: Context) -> Section:
    """Return protocol, folds, data, settings, times and how to print it all again."""
    blocks: list[Block] = [_facts(context), *_data(context), *_folds(context)]
    evaluation = context.evaluation
    if command := evaluation.settings.get(COMMAND):
        blocks.append(Code(title="To print it again, with the corpora in --data or MMSER_DATA", text=command))
    options = {name: value for name, value in evaluation.settings.items() if name != COMMAND}
    small = [
        _pairs(context, "Settings", "setting", "value", list(options.items())),
        _pairs(context, "Seconds that each step took here", "step", "seconds", _seconds(evaluation)),
    ]
    blocks += [Fold(title=table.title, blocks=(table,)) for table in small if table.rows]
    return Section(id="method", title="How it was done", short="Method", blocks=tuple(blocks))


def _seconds(evaluation: Evaluation) -> list[tuple[str, str]]:
    steps = [(step, number(seconds)) for step, seconds in evaluation.seconds.items()]
    return [*steps, ("together", number(sum(evaluation.seconds.values())))] if steps else []


def _facts(context: Context) -> Table:
    evaluation = context.evaluation
    model, protocol = evaluation.model, evaluation.protocol
    rows = [
        ("evaluated", f"{model.id} ({model.kind})"),
        ("revision", model.revision or NONE),
        ("licence", model.license or "not stated"),
        ("marks of its training", model.training_mark or NONE),
        ("trained on", model.trained_on or "not stated"),
        ("labels", ", ".join(model.labels)),
        ("protocol", f"{protocol.name}: {protocol.description}"),
        ("split that is scored", protocol.split),
        ("seed", str(protocol.seed)),
        ("draws of the bootstrap", f"{protocol.draws:,}"),
        ("mmser", evaluation.mmser_version),
        ("document", evaluation.schema),
    ]
    return _pairs(context, "What was done to what", "", "", rows)


def _pairs(context: Context, title: str, first: str, second: str, pairs: Sequence[tuple[str, str]]) -> Table:
    kinds = Column(title=first, kind="name"), Column(title=second, kind="text")
    rows = tuple(Row(cells=(Cell(text=name), Cell(text=value))) for name, value in pairs)
    return Table(title=title, source=context.source("all"), columns=kinds, rows=rows)


def _folds(context: Context) -> Iterator[Block]:
    folds = context.evaluation.protocol.folds
    if not folds:
        return
    rows = tuple(
        Row(
            cells=(
                Cell(text=fold.name),
                Cell(text=_first(fold.held_out)),
                *(count_cell(count) for count in (fold.train, fold.validation, fold.test)),
            )
        )
        for fold in folds
    )
    table = Table(
        title="Folds",
        note="Held out: who tests, and trains nothing in that fold.",
        source=context.source("all"),
        columns=(
            Column(title="fold", kind="name"),
            Column(title="held out", kind="text"),
            Column(title="train", hint="rows"),
            Column(title="validation", hint="rows"),
            Column(title="test", hint="rows"),
        ),
        rows=rows,
    )
    yield Fold(title=some(len(folds), "fold"), blocks=(table,))


def _first(names: Sequence[str]) -> str:
    more = f", and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more or NONE


def _data(context: Context) -> Iterator[Block]:
    data = context.evaluation.data
    if not data:
        return
    rows = tuple(
        Row(
            cells=(
                Cell(text=one.corpus, beside=context.short_mark(one.corpus)),
                Cell(text=_counts(one.rows)),
                Cell(text=_counts(one.speakers)),
                Cell(text=one.license or "not stated"),
                count_cell(one.files),
            )
        )
        for one in data
    )
    yield Table(
        title="Data",
        note="Rows and known speakers of each split.",
        source=context.source("all"),
        columns=(
            Column(title="corpus", kind="name"),
            Column(title="rows", kind="text"),
            Column(title="speakers", kind="text"),
            Column(title="licence", kind="text"),
            Column(title="files"),
        ),
        rows=rows,
    )
    yield Fold(title="Fingerprints of the data", blocks=(_fingerprints(context, data),))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in counts.items()) or NONE


def _fingerprints(context: Context, data: Sequence[DataInfo]) -> Table:
    rows = [
        Row(
            cells=(
                Cell(text=one.corpus),
                Cell(text=what),
                Cell(text=digest or NONE, why=why if not digest else ""),
            )
        )
        for one in data
        for what, digest, why in (
            ("files", one.sha256, "no file was read"),
            ("rows", one.rows_sha256, "not measured"),
        )
    ]
    return Table(
        title="Fingerprints of the data, sha256",
        note="Files: over the names and contents of all files that the scored rows are read from. "
        "Rows: over texts, labels, splits and names.",
        source=context.source("all"),
        columns=(
            Column(title="corpus", kind="name"),
            Column(title="of", kind="text"),
            Column(title="sha256", kind="code"),
        ),
        rows=tuple(rows),
    )


def meaning_section(context: Context) -> Section:
    """Return what each metric that occurs means, and whose it is."""
    terms = Terms(pairs=tuple(_meanings(context.evaluation)))
    return Section(id="meaning", title="What the numbers mean", short="Meaning", blocks=(terms,))


def _meanings(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    parts = evaluation.parts
    yield (
        "Interval",
        "95%, over independent groups (speakers, dialogues) and not over rows, since rows of one voice are "
        "alike: a bootstrap of whole groups, or Student's t where they are few, as each table says. Rows "
        "that share a speaker or a dialogue are of one group; where the publisher's split shares speakers "
        "(MELD), a dialogue is one. An interval needs two groups or more: of one alone, nobody can tell how "
        "far another would lie from it.",
    )
    if evaluation.views or evaluation.baselines:
        yield (
            "Difference",
            "of two that answer the same rows, paired by row; groups are resampled for both at once.",
        )
    if any(part.emotion for part in parts):
        yield (
            "UAR",
            "unweighted average recall, the mean of the classes' recalls; rare classes count like others.",
        )
        yield "WA", "weighted accuracy, the share of rows that are right."
        yield "Macro-F1, weighted F1", "the mean of the classes' F1, plain or by how often each class occurs."
        yield (
            "ECE",
            f"expected calibration error of the most probable class: rows of like confidence make {BINS} "
            "bins of about equal size; it is the mean over rows of how far their bin's confidence and "
            "accuracy lie apart (Nixon et al. 2019). Few rows make it too large: beside it stands what a "
            "perfectly calibrated model would show. Diagrams of few rows draw fewer bins, since points of a "
            "handful of rows are noise; the error keeps its bins, so that it can be held against others'.",
        )
        yield (
            "NLL, Brier",
            "negative log likelihood in nats, and squared error of the probabilities (Brier 1950).",
        )
        yield (
            "AURC",
            "area under the risk–coverage curve: the mean risk of the surest rows (El-Yaniv & Wiener 2010).",
        )
    if any(part.multi_label for part in parts):
        yield "Micro-F1", "F1 of all labels' hits and misses counted together."
    if any(part.intensity for part in parts):
        yield "CCC", "concordance correlation, 1 where said and true values are equal (Lin 1989)."
        yield "κ of levels", "agreement beyond chance; two levels off costs four times one off (Cohen 1968)."
    if any(part.change for part in parts):
        yield "MCC", "correlation of claimed and true shifts, 0 for guessing (Matthews 1975)."
        yield "AP", "average precision over all thresholds; guessing has the share of shifts."
    if any(part.timeline for part in parts):
        yield (
            "EDER",
            "emotion diarization error rate, the share of time with a wrong answer (Wang et al. 2023).",
        )
    if evaluation.gaps:
        yield (
            "Dealing",
            "the groups' names are dealt to the voices anew, at random: gaps that luck alone would give "
            "(Fisher 1935). A gap that is not beyond these is not shown to be one; with few voices it is not "
            "shown either that there is none.",
        )
