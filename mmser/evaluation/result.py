"""What an evaluation says: frozen records, JSON both ways; the document `mmser.evaluation/1`.

Shares, recalls and the like are in percent; coefficients (CCC, MCC, kappa, correlations) and calibration
errors are as the field states them. A None is a value that cannot be had, never a zero.
"""

from dataclasses import dataclass, field

from mmser.record import Record
from mmser.types import Seconds

SCHEMA = "mmser.evaluation/1"


@dataclass(frozen=True, kw_only=True)
class Score(Record):
    """One number, with a 95 % interval over independent groups."""

    value: float | None
    low: float | None = None  # None where fewer than two groups leave nothing to say
    high: float | None = None
    n: int  # rows it is of
    groups: int = 0
    interval: str = ""  # how: "t over 4 speakers", "bootstrap over 280 dialogues"


@dataclass(frozen=True, kw_only=True)
class ClassScore(Record):
    """One class, in percent."""

    label: str
    precision: float | None  # None where it was never guessed
    recall: float | None  # None where it does not occur
    f1: float | None
    n: int  # rows that carry it


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin(Record):
    """Rows of about one confidence: how sure they were, how often right; all in [0, 1]."""

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Calibration(Record):
    """How far stated probabilities can be believed."""

    ece: Score  # top-label, over 15 equal-mass bins (Nixon 2019), [0, 1]
    nll: Score  # nats
    brier: Score  # sum over classes, [0, 2]
    bins: tuple[ReliabilityBin, ...]  # of rising confidence, to be drawn: fewer than the error's, of few rows
    ece_of_calibrated: float | None = None  # that a perfectly calibrated model as sure as this one would show


@dataclass(frozen=True, kw_only=True)
class CoveragePoint(Record):
    """The surest share of the rows, and how often they are wrong; all in [0, 1]."""

    coverage: float
    risk: float
    confidence: float  # of the least sure of them


@dataclass(frozen=True, kw_only=True)
class RiskCoverage(Record):
    """What is won by leaving the least sure answers out (El-Yaniv & Wiener 2010)."""

    points: tuple[CoveragePoint, ...]
    aurc: Score  # area under the curve, [0, 1]; lower is better
    abstained: float  # share of the rows in which the model itself abstains, in percent
    accuracy_answered: float | None  # in percent, over the others
    uar_answered: float | None  # in percent, over the others


@dataclass(frozen=True, kw_only=True)
class EmotionScores(Record):
    """Of the rows with exactly one label."""

    n: int
    groups: int
    accuracy: Score  # WA
    uar: Score
    macro_f1: Score
    weighted_f1: Score
    chance_uar: float  # of guessing, in percent
    classes: tuple[ClassScore, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]  # counts, truth by guess
    calibration: Calibration
    coverage: RiskCoverage


@dataclass(frozen=True, kw_only=True)
class MultiLabelScores(Record):
    """Of a corpus whose rows may carry several labels; thresholds come from validation rows."""

    n: int
    macro_f1: Score
    micro_f1: Score
    classes: tuple[ClassScore, ...]
    thresholds: dict[str, float]  # of several folds, the mean
    n_validation: int  # rows that the thresholds were chosen on


@dataclass(frozen=True, kw_only=True)
class IntensityScores(Record):
    """Of the rows with an intensity label that the model judged."""

    n: int
    ccc: Score  # Lin 1989, [-1, 1]
    mae: Score  # [0, 1]
    spearman: Score
    kappa: Score | None  # quadratic-weighted, over low, medium and high; None where labels are of one level
    levels_uar: Score | None  # UAR of the levels that occur, in percent
    labels: tuple[str, ...]  # levels
    confusion: tuple[tuple[int, ...], ...]  # counts of levels, truth by guess


@dataclass(frozen=True, kw_only=True)
class ChangeScores(Record):
    """Shift against the same speaker's previous turn, of the rows where that is known."""

    n: int
    base_rate: float  # share of shifts, in percent
    mcc: Score
    average_precision: Score  # in percent
    f1: Score  # in percent
    precision: float | None
    recall: float | None
    direction_macro_f1: Score | None  # over true shifts whose direction is known, in percent
    rules: dict[str, dict[str, float]]  # simple rules beside it: "always" → {"mcc": …, "f1": …}


@dataclass(frozen=True, kw_only=True)
class PointScores(Record):
    """Change points at one tolerance, matched one to one, in percent."""

    tolerance: Seconds
    precision: float | None
    recall: float | None
    f1: Score


@dataclass(frozen=True, kw_only=True)
class TimelineScores(Record):
    """When emotion moved, in seconds, and for how long the answer was wrong."""

    of: str  # "calls", or what was made: "spliced calls"
    n: int  # calls
    true_points: int
    guessed_points: int
    points: tuple[PointScores, ...]
    median_delay: Seconds | None  # of matched points at the widest tolerance; positive = late
    eder: Score  # emotion diarization error rate, in percent of the time
    false_alarm: Seconds
    missed: Seconds
    confusion: Seconds
    duration: Seconds
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)  # name → {"f1_at_0.5": …, "eder": …}
    left_out: dict[str, str] = field(default_factory=dict)  # speaker → why no call was made of them
    # "model" or baseline → what it is told of a call, and by what it decides; older records do not say.
    given: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Part(Record):
    """All scores of one corpus, or of all together ("all")."""

    data: str
    n: int
    mark: str | None  # what must stand beside every number, such as overlapping speakers
    emotion: EmotionScores | None = None
    multi_label: MultiLabelScores | None = None
    intensity: IntensityScores | None = None
    change: ChangeScores | None = None
    timeline: TimelineScores | None = None


@dataclass(frozen=True, kw_only=True)
class Contender(Record):
    """Another way to answer the same rows: a view of the model, or a baseline."""

    name: str  # "audio only", "svm", …
    data: str  # corpus, or "all"
    n: int  # rows that both answered
    metric: str  # that is compared: "UAR"
    value: Score
    difference: Score  # of the evaluated model minus this one, paired by row
    note: str = ""  # what must be known of it, such as the word error rate of recognised words


@dataclass(frozen=True, kw_only=True)
class Gap(Record):
    """The best and the worst group by one attribute, on one metric."""

    attribute: str  # gender, age band, language, corpus
    data: str
    metric: str
    groups: dict[str, Score]  # value → its score
    gap: float | None  # best minus worst, in points
    threshold: float | None  # 95th percentile of the gap of a model that has none, of like spread
    p_value: float | None  # share of such models whose gap is as large
    smallest_n: int  # rows
    smallest_voices: int
    left_out: dict[str, str]  # value → why it is not compared ("7 rows")
    deals: int = 0  # of the values to the voices, that the gap is held against
    smallest_p: float | None = None  # however large the gap, p is not lower: voices are few
    note: str = ""  # what must be known to read it
    low: float | None = None  # of the gap: 95 %, for whichever pair of groups was found to be furthest apart
    high: float | None = None  # below zero, `low` says that the worst may be the better


@dataclass(frozen=True, kw_only=True)
class Degraded(Record):
    """One way of damaging the input."""

    name: str  # "mu-law 8 kHz"
    kind: str  # "sound" or "words"
    data: str
    n: int  # rows that are answered clean and degraded
    unanswered: int  # rows that are answered clean alone
    metric: str
    value: Score
    loss: Score  # clean minus degraded, paired; positive = worse
    flip_rate: float  # share of the rows whose most probable emotion is another, in percent
    abstained: float  # share of the rows, in percent
    clean: Score | None = None  # of the same rows as they are; None in records that do not say
    clean_abstained: float | None = None  # share of the same rows, in percent


@dataclass(frozen=True, kw_only=True)
class FoldInfo(Record):
    """One division of the data."""

    name: str
    held_out: tuple[str, ...]  # speakers, sessions, … that test
    train: int  # labelled rows
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True)
class ProtocolInfo(Record):
    """How the data were divided, and what was drawn."""

    name: str  # "split", "speaker-folds", …
    description: str
    split: str  # that is scored: "test"
    seed: int
    folds: tuple[FoldInfo, ...]
    draws: int  # of the bootstrap


@dataclass(frozen=True, kw_only=True)
class DataInfo(Record):
    """Where the rows came from."""

    corpus: str
    rows: dict[str, int]  # split → rows
    speakers: dict[str, int]  # split → known speakers
    license: str | None
    files: int
    sha256: str | None  # over names and contents of all files that the scored rows are read from
    rows_sha256: str  # over the scored rows themselves: texts, labels, splits, names
    # Over the rows, of any corpus, that trained or validated what is scored; None where nothing was trained.
    train_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluated(Record):
    """What was evaluated: a model folder, a training's configuration, or a baseline."""

    id: str
    kind: str  # "model", "training", "baseline"
    revision: str  # sha256 of the weights; of the configuration; "" of a baseline
    license: str | None
    labels: tuple[str, ...]
    training_mark: str = ""
    trained_on: str = ""  # what is known of it


@dataclass(frozen=True, kw_only=True)
class Evaluation(Record):
    """The document `mmser.evaluation/1`."""

    schema: str = SCHEMA
    mmser_version: str
    model: Evaluated
    protocol: ProtocolInfo
    data: tuple[DataInfo, ...]
    mark: str | None
    parts: tuple[Part, ...]  # "all" first
    views: tuple[Contender, ...] = ()
    baselines: tuple[Contender, ...] = ()
    gaps: tuple[Gap, ...] = ()
    robustness: tuple[Degraded, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)  # row → why it got no answer
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)  # step → how long it took here
    settings: dict[str, str] = field(default_factory=dict)  # how to print it again: the command's options
    answers_sha256: str | None = None  # of the answers.csv beside it (`answers_digest`); None = not told
