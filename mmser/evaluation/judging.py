"""Labelled examples through a model, as in use: dialogues with their state, long turns in windows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmser.aggregation import TurnAnswers, label_order, predict_turn
from mmser.calls import guess_language
from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.judged import Floats, Judged, name_of, with_context
from mmser.evaluation.sounds import Sounds, Waveform, seconds_of
from mmser.hearing import CONSTANT, MIN_SECONDS
from mmser.labels import ROLES
from mmser.model import MmserModel, MmserProcessor
from mmser.progress import ProgressCallback, ignore_progress
from mmser.scoring import BATCH_ROWS, BATCH_SECONDS, Scorer, plain_answers
from mmser.types import Prediction, Seconds, Turn, Word
from mmser.utterances import Utterance, cut_turn

WINDOW = 256  # single clips that are sorted by length before they are batched,
WINDOW_SECONDS = 7200.0  # and so much of their sound, about 0.5 GB
NOTHING = "there is neither sound nor words that the model reads"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the model is given of one example."""

    waveform: Waveform | None  # mono, 16 kHz
    text: str | None
    words: tuple[Word, ...] = ()  # with their confidences, where they were recognised


Alter = Callable[[Example, Given], Given]


def as_it_is(example: Example, given: Given) -> Given:
    """Give the model what the data hold."""
    return given


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One example on its way to the model."""

    place: int  # in the examples
    turn: Turn
    given: Given


@dataclass
class _Said:
    """What was said of the examples so far, by their places."""

    predictions: dict[int, Prediction] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)


def judge(
    model: MmserModel,
    processor: MmserProcessor,
    examples: Sequence[Example],
    sounds: Sounds,
    *,
    alter: Alter = as_it_is,
    context: bool = True,
    fold: str = "",
    progress: ProgressCallback = ignore_progress,
) -> Judged:
    """Return what a model says of the labelled ones among some examples.

    Dialogues are judged in order, each turn with what came before it; turns without labels, and agents'
    words, are their context. Examples that no dialogue holds are judged alone.

    Args:
        model: in evaluation mode.
        processor: its own.
        examples: whole dialogues, and single clips and texts.
        sounds: where their sound is read.
        alter: what becomes of an example's sound and words before the model is given them.
        context: False = each turn is judged as if it stood alone.
        fold: the name of the model, among those of a protocol.
        progress: called with what is under way.

    Raises:
        DataError: if no example has a label.
    """
    wanted = [is_labelled(example) for example in examples]
    if not any(wanted):
        raise DataError(
            "none of the rows carries a label to compare with; fill in emotion, intensity or change"
        )
    said = _Said()
    judging = _Judging(model, processor, examples, sounds, alter, said)
    dialogues = _dialogues(examples, context=context)
    done, total = 0, len(examples)
    alone = [places[0] for places in dialogues if len(places) == 1 and wanted[places[0]]]
    for places in _windows(alone):
        judging.singles(places)
        done += len(places)
        progress("judging", done, total)
    for places in dialogues:
        if len(places) > 1 and any(wanted[place] for place in places):
            judging.dialogue(places)
            done += len(places)
            progress("judging", done, total)
    progress("judging", total, total)
    kept = [i for i in sorted(said.predictions) if wanted[i]]
    left_out = {name_of(examples[i]): why for i, why in sorted(said.left_out.items()) if wanted[i]}
    predictions = [said.predictions[i] for i in kept]
    judged = _as_judged([examples[i] for i in kept], predictions, model, left_out, fold)
    return with_context(judged, examples)


def is_labelled(example: Example) -> bool:
    """Tell whether an example carries any label that an answer can be compared with."""
    return bool(example.emotions) or example.intensity is not None or example.change is not None


def _dialogues(examples: Sequence[Example], *, context: bool) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        key = example.dialogue_id if context and example.dialogue_id is not None else f"\0{place}"
        groups.setdefault(key, []).append(place)
    return [sorted(group, key=lambda i: examples[i].turn_index or 0) for group in groups.values()]


def _windows(places: Sequence[int]) -> Iterator[Sequence[int]]:
    return (places[i : i + WINDOW] for i in range(0, len(places), WINDOW))


class _Judging:
    """Takes examples to the model, one dialogue or many single ones at a time."""

    def __init__(
        self,
        model: MmserModel,
        processor: MmserProcessor,
        examples: Sequence[Example],
        sounds: Sounds,
        alter: Alter,
        said: _Said,
    ) -> None:
        self.model, self.processor, self.examples = model, processor, examples
        self.sounds, self.alter, self.said = sounds, alter, said
        self.config: Any = model.config
        self.labels = label_order(model.config.id2label)

    # --- dialogues -------------------------------------------------------------------------------

    def dialogue(self, places: Sequence[int]) -> None:
        """Judge the turns of one dialogue, as `mmser analyze` does those of a call."""
        rows = self._rows(places)
        if not rows:
            return
        clock = _Clock(rows)
        silent = {row.turn.id for row in rows if _is_withheld(self.examples[row.place])}
        scorer = Scorer(
            self.model,
            self.processor,
            read=clock.read,
            withheld=lambda turn: turn.id in silent,
            use_words=True,
        )
        scores = scorer.run([row.turn for row in clock.rows])
        for row in rows:
            said = scores.predictions.get(row.turn.id)
            if said is not None:
                self.said.predictions[row.place] = said
            else:
                self.said.left_out[row.place] = scores.no_sound.get(row.turn.id, NOTHING)

    def _rows(self, places: Iterable[int]) -> list[_Row]:
        """Read examples; those that cannot be used are told of and left out."""
        read: list[tuple[int, Given]] = []
        for place in places:
            example = self.examples[place]
            try:
                waveform = self.sounds.read(example)
            except DataError as error:
                self.said.left_out[place] = str(error)
                continue
            text = (example.text or "").strip() or None
            read.append((place, self.alter(example, Given(waveform=waveform, text=text))))
        reads = _reads_words([self.examples[p] for p, _ in read], [g for _, g in read], self.config)
        return [
            _Row(place=place, given=given, turn=_as_turn(place, self.examples[place], given, reads=reads))
            for place, given in read
        ]

    # --- single clips and texts ------------------------------------------------------------------

    def singles(self, places: Sequence[int]) -> None:
        """Judge examples that stand alone, those of about one length together."""
        rows: list[_Row] = []
        for place in places:
            rows += self._rows([place])
            if sum(seconds_of(row.given.waveform) for row in rows) > WINDOW_SECONDS:
                self._alone(rows)
                rows = []
        self._alone(rows)

    def _alone(self, rows: Sequence[_Row]) -> None:
        batch: list[tuple[_Row, Utterance]] = []
        longest = 0.0
        for row in sorted(rows, key=lambda row: (seconds_of(row.given.waveform), len(row.turn.text or ""))):
            pieces = self._cut(row)
            if len(pieces) > 1:
                self.dialogue([row.place])  # longer than one window
                continue
            if not pieces or not (_is_heard(row.given.waveform) or pieces[0].text):
                self.said.left_out[row.place] = NOTHING
                continue
            longest = max(longest, seconds_of(row.given.waveform))
            if batch and (len(batch) >= BATCH_ROWS or longest * (len(batch) + 1) > BATCH_SECONDS):
                self._predict(batch)
                batch, longest = [], seconds_of(row.given.waveform)
            batch.append((row, pieces[0]))
        if batch:
            self._predict(batch)

    def _cut(self, row: _Row) -> list[Utterance]:
        return list(
            cut_turn(
                row.turn,
                count_tokens=self.processor.count_tokens,
                max_seconds=self.config.max_seconds,
                max_tokens=self.config.max_text_tokens,
                sound=_is_heard(row.given.waveform),
                words=True,
            )
        )

    def _predict(self, batch: Sequence[tuple[_Row, Utterance]]) -> None:
        limit = int(self.config.max_seconds * self.config.sampling_rate)
        heard = [row.given.waveform if _is_heard(row.given.waveform) else None for row, _ in batch]
        stated = [list(piece.confidence) or None for _, piece in batch]
        inputs = self.processor(
            audio=[None if waveform is None else waveform[:limit] for waveform in heard],
            text=[list(piece.words) or piece.text for _, piece in batch],
            sampling_rate=self.config.sampling_rate,
            text_confidence=stated if any(stated) else None,
            dialogue_ids=list(range(len(batch))),
            speaker_ids=[0] * len(batch),
            roles=[row.turn.role for row, _ in batch],
            positions=[0] * len(batch),
        )
        said = self.model.predict(**inputs.to(self.model.device))
        for (row, piece), answer in zip(batch, plain_answers(said), strict=True):
            answers = TurnAnswers(turn=row.turn, pieces=[(piece, answer)])
            self.said.predictions[row.place] = predict_turn(answers, self.labels, self.config)


class _Clock:
    """The turns of a dialogue laid one after the other on one clock, whatever files their sound is in."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self.rows: list[_Row] = []
        self._starts: list[Seconds] = []
        time = 0.0
        for row in rows:
            length = seconds_of(row.given.waveform)
            times = {"start": time, "end": time + length, "channel": 0} if length else {}
            turn = _shifted(row.turn, times)
            self.rows.append(_Row(place=row.place, turn=turn, given=row.given))
            self._starts.append(time)
            time += length + 1.0

    def read(self, start: Seconds, end: Seconds, channel: int) -> Waveform:
        """Return the samples of a stretch inside one turn, (samples,)."""
        place = int(np.searchsorted(self._starts, start + 1e-6, side="right")) - 1
        waveform = self.rows[place].given.waveform
        assert waveform is not None
        rate = len(waveform) / seconds_of(waveform)
        first, last = (round((time - self._starts[place]) * rate) for time in (start, end))
        return waveform[max(first, 0) : last]


def _shifted(turn: Turn, times: dict[str, Any]) -> Turn:
    """Return a turn at another time; its words are laid over it by their length."""
    values = {"start": None, "end": None, "channel": None} | times
    return Turn(
        id=turn.id, speaker=turn.speaker, role=turn.role, text=turn.text, words=turn.words, flags=(), **values
    )


def _as_turn(place: int, example: Example, given: Given, *, reads: bool) -> Turn:
    words = given.words if reads else ()
    length = seconds_of(given.waveform)
    return Turn(
        id=str(place),
        start=0.0 if length else None,
        end=length or None,
        channel=0 if length else None,
        # Who is not named is nobody's earlier self.
        speaker=example.speaker or f"row {place}",
        role=next((role for role in ROLES if role == example.role), "unknown"),
        text=given.text if reads else None,
        # Times of recognised words are of their own clock: where they lie is not needed here.
        words=tuple(Word(text=word.text, confidence=word.confidence) for word in words),
    )


def _reads_words(examples: Sequence[Example], given: Sequence[Given], config: Any) -> bool:
    """Tell whether the text encoder reads the language of a dialogue, as `mmser analyze` decides it."""
    stated = next((e.language for e in examples if e.language is not None), None)
    spoken = stated or guess_language([g.text for g in given])
    return spoken is None or spoken in config.text_languages


def _is_withheld(example: Example) -> bool:
    # Of agents' turns nothing but the words is left unless the data's entry states a reason.
    return example.role == "agent" and example.audio is None and not is_labelled(example)


def _is_heard(waveform: Waveform | None) -> bool:
    """Tell whether there is sound to judge, as the scorer of calls does."""
    if waveform is None or seconds_of(waveform) < MIN_SECONDS:
        return False
    return bool(np.ptp(waveform) >= CONSTANT)


def _as_judged(
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    model: MmserModel,
    left_out: dict[str, str],
    fold: str,
) -> Judged:
    labels = label_order(model.config.id2label)
    emotion: Floats = np.array(
        [[p.emotion.probabilities[label] for label in labels] for p in predictions], np.float64
    ).reshape(len(predictions), len(labels))
    return Judged(
        examples=tuple(examples),
        labels=labels,
        emotion=emotion / np.maximum(emotion.sum(1, keepdims=True), 1e-12),
        abstained=np.array([p.emotion.abstained for p in predictions], np.bool_),
        intensity=np.array(
            [np.nan if p.intensity is None else p.intensity.value for p in predictions], float
        ),
        change=np.array([np.nan if p.change is None else p.change.probability for p in predictions], float),
        shifted=np.array([p.change is not None and p.change.shifted for p in predictions], np.bool_),
        direction=tuple(None if p.change is None else p.change.direction for p in predictions),
        fold=(fold,) * len(predictions),
        left_out=left_out,
    )
