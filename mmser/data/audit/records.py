"""What an audit says: frozen records, JSON both ways."""

from dataclasses import dataclass
from typing import Literal

from mmser.record import Record
from mmser.types import Seconds

SCHEMA = "mmser.audit/1"
MAX_EXAMPLES = 5  # names in a finding; the counts are of all
Severity = Literal["leak", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("leak", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """One thing that somebody who trains on the data must know."""

    severity: Severity  # "leak": what is tested on was trained on
    check: str  # e.g. "speakers across splits"
    corpus: str | None  # None: of the data as a whole
    message: str
    count: int  # how many speakers, sentences, clips, … it is about
    total: int  # of how many
    examples: tuple[str, ...] = ()  # names of the first few


@dataclass(frozen=True, kw_only=True)
class ScriptSummary(Record):
    """What a corpus's repeated sentences tell of the emotion."""

    num_sentences: int
    num_constant: int  # sentences whose emotion is always the same
    constant_share: float  # of the examples, those that speak such a sentence
    shared_share: float  # of the sentences, those that stand in several splits
    information: float  # of the label's entropy, explained by the sentence beyond chance, about 0 to 1


@dataclass(frozen=True, kw_only=True)
class SoundSummary(Record):
    """One corpus's clips as they were decoded; shares in [0, 1] of the clips that could be read."""

    num_clips: int
    num_unreadable: int
    num_damaged: int  # read, but cut off or with samples that are no numbers
    hours: float
    sampling_rates: dict[str, int]  # Hz → clips
    channels: dict[str, int]  # number of channels → clips
    duration_quantiles: tuple[Seconds, ...]  # minimum, 5 %, median, 95 %, maximum
    level_quantiles_dbfs: tuple[float, ...]  # root mean square; 5 %, median, 95 %
    silence_share: float  # mean share of a clip that is silent
    clipped_share: float  # of the clips
    padded_share: float  # of the clips: more than 0.1 s of exact zeros at an end


@dataclass(frozen=True, kw_only=True)
class CorpusSummary(Record):
    """One corpus: what there is, and how it is divided."""

    corpus: str
    num_examples: int
    splits: dict[str, int]  # split → examples; "unassigned" where none is given
    labels: dict[str, dict[str, int]]  # split → emotion → examples; several emotions count each
    num_unlabelled: int
    num_multi_label: int
    speakers: dict[str, int]  # split → known speakers
    num_unknown_speaker: int  # examples
    imbalance: float | None  # largest class over smallest, over all splits; None with fewer than two
    entropy: float | None  # of the class shares, divided by its maximum: 1 = balanced
    intensity_share: float  # of the examples that have one
    change_share: float
    valence_share: float
    script: ScriptSummary | None  # None where sentences are not repeated
    sound: SoundSummary | None  # None without audio, or where it was not read
    mark: str | None  # what must stand beside every number measured on this split


@dataclass(frozen=True, kw_only=True)
class Duplicate(Record):
    """Two clips that hold one recording."""

    first: str
    second: str
    kind: Literal["exact", "near"]  # the same samples; or the same sound at another level, rate or codec
    bit_error: float  # share of fingerprint bits that differ, [0, 0.5]
    offset: Seconds  # where the second begins within the first
    splits: tuple[str, ...]  # of both
    same_label: bool


@dataclass(frozen=True, kw_only=True)
class SuspiciousLabel(Record):
    """An example whose label a model that never saw it, nor its speaker, contradicts."""

    name: str
    given: str
    suggested: str
    margin: float  # P(given) - P(best other), each out of fold, [-1, 1]; the lowest first
    text: str | None  # what is said, cut at 80 characters


@dataclass(frozen=True, kw_only=True)
class LabelCheck(Record):
    """Confident learning on one corpus, by sound or by words (Northcutt, Jiang & Chuang 2021)."""

    corpus: str
    modality: Literal["audio", "text"]
    num_examples: int
    num_available: int  # larger where only a sample was looked at
    grouped_by: str  # what no two folds share: "speaker", "dialogue" or "nothing"
    recall: float  # unweighted average recall out of fold: how far the judge itself can be trusted
    chance: float  # the same of guessing
    estimated_noise: float  # share of labels off the confident joint's diagonal
    num_suspicious: int  # those examples; an upper bound where the judge is weak
    suspicious: tuple[SuspiciousLabel, ...]  # the worst of them


@dataclass(frozen=True, kw_only=True)
class Audit(Record):
    """Everything `mmser audit` says: the JSON document `mmser.audit/1`."""

    schema: str
    mmser_version: str
    num_examples: int
    sound_read: bool  # False: nothing below is known of the audio
    corpora: tuple[CorpusSummary, ...]
    findings: tuple[Finding, ...]  # leaks first, then warnings, then notes
    duplicates: tuple[Duplicate, ...]  # across splits first
    label_checks: tuple[LabelCheck, ...]

    @property
    def leaks(self) -> bool:
        """Whether what is tested on was trained on, or may have been."""
        return any(finding.severity == "leak" for finding in self.findings)

    @property
    def mark(self) -> str | None:
        """What must stand beside every number from this data, all corpora's together."""
        marks = [f"{c.corpus}: {c.mark}" for c in self.corpora if c.mark is not None]
        return "; ".join(marks) or None
