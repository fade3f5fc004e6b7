"""The one way through the house: a recorded call in, a `CallReport` out."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from mmser.audio import AudioSource, open_recording
from mmser.audio.files import AudioFile
from mmser.audio.intake import Source
from mmser.calls import Call, guess_language, prepare_call, stated_language
from mmser.clips import ClipReport, clip_name, failed_clip, score_clip
from mmser.errors import MmserError, UsageError
from mmser.labels import Role
from mmser.loading import load_model
from mmser.progress import ProgressCallback, ignore_progress
from mmser.redaction import parse_patterns
from mmser.references import hear_references
from mmser.report.policy import check_agent_reason, is_withheld
from mmser.report.rules import load_rules
from mmser.reporting import described, report_of
from mmser.scoring import BATCH_SECONDS, Scorer, Scores
from mmser.timeline import is_default, make_timelines
from mmser.transcription.call import AsrRequest
from mmser.transcription.opening import check_recogniser, open_recogniser
from mmser.transcription.recogniser import DEFAULT_RECOGNISER, Recogniser
from mmser.transcripts import plain_text, read_transcript
from mmser.types import CallReport, ModelInfo, Timeline, Transcript, Turn

if TYPE_CHECKING:
    from mmser.model import MmserModel, MmserProcessor

EARLY_BYTES = 20 << 20  # a transcript up to this size is read once more, to find mistakes early


class EmotionPipeline:
    """Tells, turn by turn, how the people on a recorded call sound and speak.

    Example:
        >>> pipeline = EmotionPipeline.from_pretrained()  # doctest: +SKIP
        >>> pipeline("call.wav", transcript="call.vtt", roles=("agent", "customer"))  # doctest: +SKIP
    """

    batch_seconds = BATCH_SECONDS  # of sound at once, padding counted: what bounds memory

    def __init__(self, model: "MmserModel", processor: "MmserProcessor", info: ModelInfo) -> None:
        self.model, self.processor, self.info = model, processor, info
        self._recognisers: dict[str, Recogniser] = {}

    @classmethod
    def from_pretrained(
        cls,
        source: str | PathLike[str] | None = None,
        *,
        revision: str | None = None,
        device: str = "cpu",
    ) -> Self:
        """Load a model folder, a Hub id, or (None) the bundled model, which needs no network.

        Raises:
            ModelError: if files are missing or damaged, or the model is from a newer version.
        """
        return cls(*load_model(source, revision=revision, device=device))

    def __call__(
        self,
        recording: Source | Sequence[Source] | None = None,
        *,
        transcript: str | PathLike[str] | bytes | Transcript | None = None,
        transcribe: bool = True,
        asr: str | Recogniser | Callable[[], Recogniser] = DEFAULT_RECOGNISER,
        diarization: str | PathLike[str] | bytes | Transcript | None = None,
        redact: bool | Sequence[str] = False,
        roles: Sequence[Role] | Mapping[str, Role] | None = None,
        speaker_roles: Mapping[str, Role] | None = None,
        agent_reason: str | None = None,
        language: str | None = None,
        start: float | None = None,
        end: float | None = None,
        references: Mapping[str, Source] | None = None,
        rules: str | PathLike[str] | None = None,
        timeline: bool | None = None,
        journal: str | PathLike[str] | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> CallReport:
        """Analyse one call.

        Args:
            recording: the call, or several mono recordings on one clock; None for words alone.
            transcript: its words, in any known format; without times they are placed over detected speech.
            transcribe: False = without a transcript, judge by sound alone.
            asr: what recognises the words where there is no transcript, such as "whisper:small", "hf:ID",
                what `open_recogniser` returned, or what opens one once the recording is known to fit; weights
                that are not on this machine are fetched once.
            diarization: who speaks when on a recording with one channel: RTTM, or a transcript with speakers.
            redact: whether personal data are taken out of the words (see `mmser.redaction`), and silenced in
                the page's sound; a sequence of NAME=REGEX takes these out too.
            roles: one role for each channel, in order; or a mapping from speakers, as `speaker_roles`.
            speaker_roles: speaker of the transcript → role.
            agent_reason: "medical", "safety" or "research-consented"; without one, agents are withheld.
            language: of the words (en, en-US, English); by default what the file states, else what is found.
            start: seconds at which to begin; times in the report stay those of the whole recording.
            end: seconds at which to stop.
            references: role or speaker → a neutral clip of that voice, to judge it against.
            rules: a YAML file of rules to match against the report.
            timeline: whether long turns are also judged from moment to moment, for which the model hears
                their sound four times more; None = where the audio encoder is the CNN, which is fast.
            journal: a file that keeps what is transcribed so far, for a run that is stopped; the caller
                removes it once the report is safe.
            progress: called with what is under way.

        Returns:
            The report; the same input gives the same report.

        Raises:
            MmserError: a child of it names what is wrong with an input and what to do.
        """
        channel_roles, named = _split_roles(roles, speaker_roles)
        check_inputs(recording, transcript, transcribe=transcribe, diarization=diarization)
        patterns = None if redact is False else parse_patterns(() if redact is True else redact)
        if recording is None and (start is not None or end is not None or references):
            raise UsageError("start, end and references need a recording, and none is given")
        check_agent_reason(agent_reason)
        matched = () if rules is None else load_rules(fspath(rules), self.info.labels)
        with contextlib.ExitStack() as stack:
            source = None
            if recording is not None:
                source = stack.enter_context(open_recording(*_several(recording), start=start, end=end))
            call = prepare_call(
                source,
                transcript,
                channel_roles=channel_roles,
                speaker_roles=named,
                language=language,
                languages_read=self.info.languages,
                asr=self._asr(asr, diarization, journal, progress)
                if transcript is None and transcribe
                else None,
                patterns=patterns,
                progress=progress,
            )
            scores, warnings = self._score(call, source, agent_reason, references or {}, progress)
            wanted = is_default(self.model) if timeline is None else timeline
            return report_of(
                described(call, source, warnings),
                scores,
                self._timelines(call, source, scores) if wanted else None,
                model=self.info,
                agent_reason=agent_reason,
                rules=matched,
            )

    def predict_clips(
        self,
        clips: Sequence[Source | None],
        texts: Sequence[str | None] | None = None,
        *,
        language: str | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> tuple[ClipReport, ...]:
        """Judge single clips, each of one voice and by itself.

        Args:
            clips: the clips; one that cannot be read is reported in its `error`, and the rest go on.
                None, or no clips at all, has the words judged alone.
            texts: what is said in each, where that is known.
            language: of the texts (en, en-US, English); detected by default.
            progress: called with what is under way.

        Raises:
            UsageError: if there are neither clips nor texts, texts in another number than clips, or the
                language is none.
        """
        if isinstance(clips, str | bytes | PathLike) or isinstance(texts, str):
            raise UsageError("clips and texts are lists; give [clip] for one clip, and [text] for one text")
        check_clips(len(clips), None if texts is None else len(texts))
        clips = clips or [None] * len(texts or ())
        language = stated_language(language)
        reports = []
        for number, clip in enumerate(clips):
            progress("analysing", number, len(clips))
            text = None if texts is None else texts[number]
            reports.append(self._clip(clip, clip_name(clip, number + 1), text, language))
        progress("analysing", len(clips), len(clips))
        return tuple(reports)

    def _clip(self, clip: Source | None, name: str, text: str | None, language: str | None) -> ClipReport:
        text = None if text is None else plain_text(text)
        spoken = language or guess_language([text])
        try:
            with contextlib.nullcontext() if clip is None else open_recording(clip) as source:
                return score_clip(
                    name,
                    source,
                    text,
                    model=self.model,
                    processor=self.processor,
                    words_read=spoken is None or spoken in self.info.languages,
                )
        except MmserError as error:
            return failed_clip(name, error)

    def _asr(
        self,
        asr: str | Recogniser | Callable[[], Recogniser],
        diarization: str | PathLike[str] | bytes | Transcript | None,
        journal: str | PathLike[str] | None,
        progress: ProgressCallback,
    ) -> AsrRequest:
        """Say how words are recognised; what is asked for by its name stays open for the next call."""
        if isinstance(asr, str):
            check_recogniser(asr)
            asr = functools.partial(self._recogniser, asr, progress)
        if diarization is not None and not isinstance(diarization, Transcript):
            diarization = read_transcript(diarization)
        return AsrRequest(
            recogniser=asr,
            diarization=diarization,
            journal=None if journal is None else Path(fspath(journal)),
        )

    def _recogniser(self, name: str, progress: ProgressCallback) -> Recogniser:
        if name not in self._recognisers:
            self._recognisers = {name: open_recogniser(name, progress=progress)}
        return self._recognisers[name]

    def _score(
        self,
        call: Call,
        source: AudioSource | None,
        agent_reason: str | None,
        references: Mapping[str, Source],
        progress: ProgressCallback,
    ) -> tuple[Scores, list[str]]:
        def withheld(turn: Turn) -> bool:
            return is_withheld(turn.role, agent_reason) is not None

        scorer = Scorer(
            self.model,
            self.processor,
            read=None if source is None else source.read,
            withheld=withheld,
            use_words=call.words_read,
            batch_seconds=self.batch_seconds,
        )
        heard, warnings = hear_references(references, call.turns, withheld)
        return scorer.run(call.turns, heard, progress), warnings

    def _timelines(self, call: Call, source: AudioSource | None, scores: Scores) -> dict[str, Timeline]:
        def heard(turn: Turn) -> bool:
            said = scores.predictions.get(turn.id)  # withheld turns have none
            return said is not None and said.audio_only is not None

        if source is None:
            return {}
        return make_timelines(
            call.turns, wanted=heard, read=source.read, model=self.model, processor=self.processor
        )


def check_inputs(
    recording: object, transcript: object, *, transcribe: bool, diarization: object = None
) -> None:
    """Refuse a call that leaves nothing to analyse, or a diarization that nothing would use.

    Raises:
        UsageError: if so.
    """
    if (recording is None or recording == ()) and transcript is None:
        raise UsageError("there is nothing to analyse; give a recording, a transcript, or both")
    if diarization is not None and (transcript is not None or not transcribe):
        raise UsageError(
            "a diarization tells whose the recognised words are, and none are recognised here; give it as "
            "the transcript instead, or leave it out"
        )


def check_clips(clips: int, texts: int | None) -> None:
    """Refuse a number of clips and a number of texts that do not belong together.

    Raises:
        UsageError: if there are none of either, or one text is not for one clip.
    """
    if not clips and not texts:
        raise UsageError("there is nothing to judge; name audio clips, or give --text for words alone")
    if clips and texts is not None and texts != clips:
        raise UsageError(f"{texts} texts are given for {clips} clips; give one for each, in order")


def check_files(sources: Iterable[Path], *transcripts: Path | None) -> None:
    """Refuse files that cannot be read, before a model is loaded: a mistake is told at once.

    Raises:
        MmserError: a child of it names the file and what is wrong with it.
    """
    for source in sources:
        AudioFile(source).close()
    for transcript in transcripts:
        if transcript is not None and not _is_large(transcript):
            read_transcript(transcript)


def _is_large(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > EARLY_BYTES
    except OSError:  # such as a name that is too long; the reader says so
        return False


def set_threads(count: int) -> None:
    """Let torch use this many processor threads.

    One is a good choice on a busy machine, where more can be slower, and makes sums come out the same.
    """
    import torch

    torch.set_num_threads(count)


def _several(recording: Source | Sequence[Source]) -> Sequence[Source]:
    return recording if isinstance(recording, list | tuple) else (cast(Source, recording),)


def _split_roles(
    roles: Sequence[Role] | Mapping[str, Role] | None, speaker_roles: Mapping[str, Role] | None
) -> tuple[tuple[Role, ...] | None, dict[str, Role]]:
    """Return roles by channel and roles by speaker.

    Raises:
        UsageError: if roles by channel are one text, which would be read letter by letter.
    """
    if isinstance(roles, str):
        raise UsageError(f"roles is the text {roles!r}; give a sequence such as ('agent', 'customer')")
    if isinstance(roles, Mapping):
        return None, {**roles, **(speaker_roles or {})}
    return None if roles is None else tuple(roles), dict(speaker_roles or {})
