"""The records that cross rooms: frozen, keyword-only, JSON both ways, no waveforms inside.

Times are seconds from the start of the recording. `None` means unknown or not applicable, never
zero; where a report holds `None`, the neighbouring `reasons` says why.
"""

from dataclasses import dataclass, field
from typing import Literal

from mmser.labels import Direction, IntensityLevel, Role
from mmser.record import Record

Seconds = float
Times = Literal["given", "estimated", "none"]
SCHEMA = "mmser.call/1"


# --- what comes in -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Recording(Record):
    """One recorded call or clip; several mono files with one clock are one recording."""

    id: str
    path: str | None  # as the user gave it; several files are joined by " + "
    duration: Seconds
    sampling_rate: int  # Hz, of the file, before resampling
    num_channels: int
    sha256: str  # of the file's bytes; of the concatenated digests for several files


@dataclass(frozen=True, kw_only=True)
class Word(Record):
    """One spoken token; punctuation belongs to the word before it."""

    text: str
    start: Seconds | None = None
    end: Seconds | None = None
    confidence: float | None = None  # [0, 1]; None = not stated (a human transcript counts as 1)
    estimated: bool = False  # its times are laid between its neighbours', not heard


@dataclass(frozen=True, kw_only=True)
class Turn(Record):
    """A stretch of one speaker, as the transcript or the voice activity gives it."""

    id: str  # "t1", "t2", … in order of start
    start: Seconds | None
    end: Seconds | None
    channel: int | None = None  # 0-based
    speaker: str | None = None  # the name in the transcript, "spk_0", "ch_1", …
    role: Role = "unknown"
    text: str | None = None  # None = no words known (sound alone); "" never
    words: tuple[Word, ...] = ()
    flags: tuple[str, ...] = ()  # e.g. "times_estimated", "overlap"

    @property
    def speaker_key(self) -> str:
        """Who speaks, as far as is known, to be compared and not shown.

        Role, channel and name all count: tools number the speakers of each channel from 1 again, and
        two parties who pass for one would have the one's turns judged against the other's.
        """
        return f"{self.role}/{self.channel}/{self.speaker}"


@dataclass(frozen=True, kw_only=True)
class Recognition(Record):
    """How the words of a recording were recognised, and what was not believed."""

    recogniser: str  # as it was asked for: "whisper:small"
    version: str  # of its software, and what its weights are known by
    language: str | None  # ISO 639-1 code; None where the weights cannot tell
    language_probability: float | None  # [0, 1]; None where the language was stated, or cannot be told
    num_words: int  # that are kept
    confidence: float | None  # mean over the kept words, [0, 1]; None without any
    dropped: dict[str, int]  # why phrases were not believed ("loop", "no speech", …) → how many
    crosstalk_words: int  # left out because they leaked in from another channel


@dataclass(frozen=True, kw_only=True)
class Redaction(Record):
    """Personal data that was taken out of the words."""

    counts: dict[str, int]  # "card", "phone", … → how many; a kind of which there was none is left out
    spans: tuple[tuple[Seconds, ...], ...]  # (start, end) of what is not to be heard, in order, apart


@dataclass(frozen=True, kw_only=True)
class Transcript(Record):
    """Turns read from one transcript file or recognised in a recording, in order of start."""

    turns: tuple[Turn, ...]
    format: str  # the reader's name, e.g. "webvtt", "aws_transcribe"; the recogniser's, "whisper:small"
    times: Times = "given"
    language: str | None = None  # ISO 639-1 code where the file states one
    warnings: tuple[str, ...] = ()
    recognition: Recognition | None = None  # None where the words were not recognised by mmser
    redaction: Redaction | None = None  # None where it was not asked for


# --- what the model says -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Emotion(Record):
    """Calibrated class probabilities; `label` is None where the model abstains."""

    label: str | None
    top: str  # the most probable label, whether or not the model abstains
    confidence: float  # calibrated probability of `top`
    abstained: bool
    probabilities: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Intensity(Record):
    """How strong the expressed emotion is."""

    value: float  # [0, 1]
    level: IntensityLevel


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """Whether the emotion moved against the same speaker's previous turn."""

    probability: float  # P(shift), calibrated
    shifted: bool  # in a report: also that the most probable emotion is another
    direction: Direction | None  # None without a shift; in a report it follows the two emotions' valence


@dataclass(frozen=True, kw_only=True)
class Window(Record):
    """One stretch of at most 20 s inside a longer turn: a point of the emotion timeline."""

    start: Seconds | None
    end: Seconds | None
    emotion: Emotion
    intensity: Intensity | None  # judged from sound; None where none was used
    change: Change | None


@dataclass(frozen=True, kw_only=True)
class Prediction(Record):
    """What the model says of one turn."""

    turn_id: str
    emotion: Emotion
    intensity: Intensity | None  # judged from sound; None where none was used
    change: Change | None  # None on a speaker's first turn
    modalities: tuple[str, ...]  # those that were used: "audio", "text"
    audio_only: Emotion | None
    text_only: Emotion | None
    windows: tuple[Window, ...] = ()  # only where the turn was longer than one window
    opposed: bool = False  # words and voice express different emotions, so that none is named


@dataclass(frozen=True, kw_only=True)
class TimelineChange(Record):
    """A moment inside a turn at which the voice moved to another emotion, by sound alone."""

    time: Seconds
    strength: float  # how far the posteriors before and after it lie apart: Hellinger distance, [0, 1]
    direction: Direction | None  # follows the two emotions' valence; None where one has none
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Timeline(Record):
    """How a long turn sounds from moment to moment: overlapping windows, each judged from its sound alone."""

    window: Seconds  # length of each window
    hop: Seconds  # between the middles of two windows; more where digital silence lies between
    times: tuple[Seconds, ...]  # middle of each window, rising
    probabilities: dict[str, tuple[float, ...]]  # emotion → calibrated probability in each window
    changes: tuple[TimelineChange, ...]  # of the smoothed course, in order of time


# --- what goes out -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TurnReport(Record):
    """One turn with all that is known of it; a None has its reason in `reasons`."""

    id: str
    start: Seconds | None
    end: Seconds | None
    channel: int | None
    speaker: str | None
    role: Role
    text: str | None
    words: tuple[Word, ...]
    text_confidence: float | None = None  # mean confidence of the words, [0, 1]; weighs them in the fusion
    emotion: Emotion | None
    intensity: Intensity | None
    change: Change | None
    modalities: tuple[str, ...]
    audio_only: Emotion | None
    text_only: Emotion | None
    windows: tuple[Window, ...]
    timeline: Timeline | None = None  # only of a long turn judged from sound; None in older documents too
    loudness_dbfs: float | None  # root mean square over the turn, relative to full scale
    words_per_minute: float | None
    flags: tuple[str, ...]
    reasons: dict[str, str]  # field → why it is None, e.g. {"emotion": "withheld: agent …"}


@dataclass(frozen=True, kw_only=True)
class ChangePoint(Record):
    """A moment at which a speaker's expressed emotion moved."""

    time: Seconds | None
    turn_id: str
    speaker: str | None
    role: Role
    probability: float
    direction: Direction | None
    before: str  # top emotion before
    after: str  # top emotion after


@dataclass(frozen=True, kw_only=True)
class Quarter(Record):
    """One role in one quarter of the call; means weighted by turn duration (turns, without times)."""

    start: Seconds | None
    end: Seconds | None
    num_turns: int  # scored turns whose middle falls here
    probabilities: dict[str, float] | None  # None without a scored turn
    intensity: float | None  # None without a scored turn, or where none was judged from sound


@dataclass(frozen=True, kw_only=True)
class Delta(Record):
    """Mean probability in the last quarter minus the first, with a 95 % bootstrap interval."""

    emotion: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RoleSummary(Record):
    """One role over the call."""

    role: Role
    speakers: tuple[str, ...]
    num_turns: int
    num_scored: int  # turns with an emotion
    num_abstained: int
    talk_time: Seconds | None
    talk_share: float | None  # of all roles' talk time
    words_per_minute: float | None
    interruptions: int | None  # times this role began while another spoke, and kept on
    shares: dict[str, float] | None  # emotion → share of scored talk time; abstained under "uncertain"
    quarters: tuple[Quarter, ...]
    deltas: tuple[Delta, ...]
    reasons: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Interruption(Record):
    """One speaker began while another spoke."""

    time: Seconds
    turn_id: str
    by: Role
    of: Role
    overlap: Seconds


@dataclass(frozen=True, kw_only=True)
class Conversation(Record):
    """The call as a whole, from turn times alone."""

    talk_time: Seconds | None  # union of all turns
    non_talk: Seconds | None  # duration of the call minus talk_time
    longest_silence: Seconds | None
    overlap: Seconds | None  # two or more speak at once
    interruptions: tuple[Interruption, ...]
    reasons: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RuleMatch(Record):
    """One rule of the user's file that held."""

    name: str
    message: str
    turn_ids: tuple[str, ...]
    value: float | None


@dataclass(frozen=True, kw_only=True)
class ModelInfo(Record):
    """Which weights spoke."""

    id: str
    revision: str  # sha256 of the weights, or the Hub's commit
    license: str
    labels: tuple[str, ...]
    languages: tuple[str, ...]  # that the text encoder reads
    calibration: dict[str, float]  # temperature by task and modality pattern
    abstain_below: float  # calibrated confidence
    abstain_opposed: float = 1.0  # P(words and voice oppose each other) over which it abstains as well
    training_mark: str = ""  # what must stand beside the model's numbers, such as overlapping speakers


@dataclass(frozen=True, kw_only=True)
class TranscriptInfo(Record):
    """Where the words came from."""

    path: str | None
    format: str
    sha256: str | None
    language: str | None
    times: Times


@dataclass(frozen=True, kw_only=True)
class Policy(Record):
    """What was withheld, and on what ground anything was not."""

    agent_reason: Literal["medical", "safety", "research-consented"] | None
    withheld_turns: dict[str, int]  # role → count
    notice: str


@dataclass(frozen=True, kw_only=True)
class CallReport(Record):
    """Everything mmser says of one call: the JSON document `mmser.call/1`."""

    schema: str
    mmser_version: str
    model: ModelInfo
    recording: Recording | None
    transcript: TranscriptInfo | None
    part: tuple[Seconds, ...] | None  # (start, end) where --start/--end cut the recording
    channels: dict[str, Role]  # "0" → role; empty without audio
    policy: Policy
    turns: tuple[TurnReport, ...]
    change_points: tuple[ChangePoint, ...]
    roles: tuple[RoleSummary, ...]
    conversation: Conversation
    rules: tuple[RuleMatch, ...]
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    recognition: Recognition | None = None  # where mmser recognised the words
    redaction: Redaction | None = None  # None where it was not asked for
