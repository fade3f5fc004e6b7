"""What a model hears in spliced calls: when the emotion changes, and which it is meanwhile.

Where boundaries are unknown, a method is given the sound alone, as the inside of one long turn; where they
are known, the times of all splices, as the turns of a call would be.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmser.aggregation import label_order
from mmser.audio import SAMPLING_RATE
from mmser.changes import BOUNDARY_DISTANCE, Shift, find_shifts, shifts_at
from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Floats
from mmser.evaluation.result import TimelineScores
from mmser.evaluation.scores.change_points import Stretch, stretches_between
from mmser.evaluation.scores.timeline_scores import TimedCall, timeline_scores
from mmser.evaluation.splices import SplicedCall, Waveform, splice_calls
from mmser.model import MmserModel, MmserProcessor
from mmser.progress import ProgressCallback, ignore_progress
from mmser.timeline import DEFAULT, Windows, judge_sounds, window_starts

CALLS_PER_SPEAKER = 12
BATCH = 32  # sounds judged at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A spliced call and what the model says of it."""

    call: SplicedCall
    labels: tuple[str, ...]  # of the classes
    segments: Floats  # posteriors of each segment between two splices, (segments, classes)
    windows: dict[Windows, Floats]  # posteriors of sliding windows, (windows, classes)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method says of one call."""

    changes: Sequence[float]  # seconds
    course: Sequence[Stretch]


Method = Callable[[Heard], Answer]


def hear(
    call: SplicedCall, model: MmserModel, processor: MmserProcessor, plans: Sequence[Windows] = (DEFAULT,)
) -> Heard:
    """Run a model over a call's segments and windows, each by itself and by sound alone."""

    def judge(spans: Sequence[tuple[float, float]]) -> Floats:
        sounds: list[Waveform] = [
            call.waveform[round(start * SAMPLING_RATE) : round(end * SAMPLING_RATE)] for start, end in spans
        ]
        batches = range(0, len(sounds), BATCH)
        return np.concatenate([judge_sounds(sounds[i : i + BATCH], model, processor) for i in batches])

    config: Any = model.config
    return Heard(
        call=call,
        labels=tuple(label_order(config.id2label)),
        segments=judge(list(itertools.pairwise(call.edges))),
        windows={p: judge([(s, s + p.window) for s in window_starts(call.duration, p)]) for p in plans},
    )


def _unheard(heard: Heard) -> Heard:
    """Return it without its sound, which nothing needs any more; it would be most of the memory."""
    return replace(heard, call=replace(heard.call, waveform=heard.call.waveform[:0].copy()))


# --- methods -----------------------------------------------------------------------------------------------


def by_windows(plan: Windows = DEFAULT) -> Method:
    """Return the method that knows no boundaries: it cuts the course of the windows' posteriors.

    A stretch's emotion is that of the mean of its windows.

    Args:
        plan: windows that the calls were heard in, with the penalty and the shortest stretch.
    """

    def answer(heard: Heard) -> Answer:
        rows = next(rows for heard_in, rows in heard.windows.items() if _alike(heard_in, plan))
        shifts = find_shifts(
            rows, window=plan.window, hop=plan.hop, penalty=plan.penalty, shortest=plan.shortest
        )
        return _answer(heard, shifts, rows.mean(0))

    return answer


def _alike(one: Windows, other: Windows) -> bool:
    return (one.window, one.hop) == (other.window, other.hop)


def _answer(heard: Heard, shifts: Sequence[Shift], whole: Floats) -> Answer:
    classes = [shift.before for shift in shifts[:1]] + [shift.after for shift in shifts]
    emotions = [heard.labels[place] for place in classes or [int(whole.argmax())]]
    times = [shift.time for shift in shifts]
    return Answer(changes=times, course=stretches_between(times, emotions, heard.call.duration))


def by_boundaries(threshold: float = BOUNDARY_DISTANCE) -> Method:
    """Return the method that knows all boundaries: it compares the segments on both sides.

    The emotion between two changes is that of all segments there, each counted by its length.

    Args:
        threshold: Hellinger distance from which a boundary is a change.
    """

    def answer(heard: Heard) -> Answer:
        times = [shift.time for shift in shifts_at(heard.segments, heard.call.splices, threshold)]
        lengths = np.diff(heard.call.edges)
        parts = np.searchsorted(times, heard.call.edges[:-1], side="right")
        emotions = []
        for part in range(len(times) + 1):
            rows = parts == part
            emotions.append(heard.labels[int((lengths[rows] @ heard.segments[rows]).argmax())])
        return Answer(changes=times, course=stretches_between(times, emotions, heard.call.duration))

    return answer


def every_splice(heard: Heard) -> Answer:
    """Claim a change at each known boundary; emotions by segment."""
    emotions = [heard.labels[int(row.argmax())] for row in heard.segments]
    splices = heard.call.splices
    return Answer(changes=splices, course=stretches_between(splices, emotions, heard.call.duration))


def no_change(heard: Heard) -> Answer:
    """Claim one emotion throughout."""
    return _answer(heard, [], np.diff(heard.call.edges) @ heard.segments)


def turn_argmax(heard: Heard) -> Answer:
    """Claim a change at known boundaries where the most probable emotion becomes another."""
    top = heard.segments.argmax(1)
    moved = [t for t, a, b in zip(heard.call.splices, top[:-1], top[1:], strict=True) if a != b]
    return Answer(changes=moved, course=every_splice(heard).course)


# --- scores ------------------------------------------------------------------------------------------------


def timed(heard: Heard, method: Method) -> TimedCall:
    """Return a call beside what a method says of it."""
    call, said = heard.call, method(heard)
    return TimedCall(
        name=" + ".join(call.clips),
        group=call.speaker,
        duration=call.duration,
        true_points=call.changes,
        guessed_points=tuple(said.changes),
        true_course=call.stretches,
        guessed_course=tuple(said.course),
    )


def spliced_scores(
    examples: Sequence[Example],
    model: MmserModel,
    processor: MmserProcessor,
    *,
    calls_per_speaker: int = CALLS_PER_SPEAKER,
    seed: int = 0,
    draws: int = DRAWS,
    progress: ProgressCallback = ignore_progress,
) -> TimelineScores:
    """Score a model on calls spliced from clips of one speaker each, their boundaries unknown.

    The windows are those of a report's timeline. Beside them stand the method that knows all boundaries, and
    simple rules.

    Args:
        examples: clips of speakers whom the model has not heard; those that carry no sound, speaker or single
            label of the model's take no part.
        model: in evaluation mode.
        processor: its own.
        calls_per_speaker: how many calls are made of each.
        seed: of the calls, and of the intervals' draws.
        draws: of the intervals' bootstrap.
        progress: called with the calls that are heard.

    Returns:
        The scores, with the speakers of whom no call can be made in `left_out`.

    Raises:
        DataError: if no call can be made of any speaker.
        AudioError: if a clip cannot be read.
    """
    config: Any = model.config
    known = set(label_order(config.id2label))
    clips = [e for e in examples if e.audio is not None and len(e.emotions) == 1 and e.emotions[0] in known]
    speakers = sorted({e.speaker for e in clips if e.speaker is not None})
    heard: list[Heard] = []
    left_out: dict[str, str] = {}
    for number, speaker in enumerate(speakers):
        own = [e for e in clips if e.speaker == speaker]
        try:
            for done, call in enumerate(splice_calls(own, calls_per_speaker=calls_per_speaker, seed=seed), 1):
                heard.append(_unheard(hear(call, model, processor)))
                progress("splicing", number * calls_per_speaker + done, len(speakers) * calls_per_speaker)
        except DataError as error:
            left_out[speaker] = str(error)
            heard = [one for one in heard if one.call.speaker != speaker]
            progress("splicing", (number + 1) * calls_per_speaker, len(speakers) * calls_per_speaker)
    if not heard:
        first = next(iter(left_out.values()), "no clip has sound, a speaker and one label of the model's")
        raise DataError(f"no calls can be spliced: {first}")
    simple = {
        "boundaries known": by_boundaries(),
        "a change at every splice": every_splice,
        "no change": no_change,
        "turn-level argmax": turn_argmax,
    }
    scores = timeline_scores(
        [timed(one, by_windows()) for one in heard],
        of="spliced calls",
        baselines={name: [timed(one, method) for one in heard] for name, method in simple.items()},
        draws=draws,
        seed=seed,
    )
    return replace(scores, left_out=left_out, given=_given())


def _given() -> dict[str, str]:
    """Return what each method is told of a call, and by what it decides."""
    return {
        "model": f"not told where the splices lie: it hears the sound alone, without words, in windows of "
        f"{DEFAULT.window:g} s every {DEFAULT.hop:g} s, with the settings of a report's timeline (a change "
        f"costs {DEFAULT.penalty:g} s of squared Hellinger distance; two lie {DEFAULT.shortest:g} s apart or "
        "more). Its temperatures apply; its thresholds for shifts between turns do not",
        "boundaries known": "told the splices: a change where the sound before and after lies a Hellinger "
        f"distance of {BOUNDARY_DISTANCE:g} or more apart",
        "a change at every splice": "told the splices",
        "no change": "not told when anything changes; its one emotion is the mean over the spliced clips",
        "turn-level argmax": "told the splices: a change where the most probable emotion becomes another",
    }
