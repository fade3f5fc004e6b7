"""How a long turn sounds from moment to moment: sliding windows of its sound, each judged by itself.

Windows overlap, so that the model hears the sound of the long turns `window / hop` times more: four times,
with the defaults. For the CNN a call then takes at most about twice as long, and one is made by default;
encoders of the wav2vec2 family are far slower, and there it is made only where asked for.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmser.aggregation import label_order
from mmser.changes import find_shifts
from mmser.channels import ReadSound
from mmser.errors import UsageError
from mmser.hearing import CONSTANT
from mmser.labels import VALENCE, direction_of
from mmser.report.turns import is_long
from mmser.scoring import BATCH_SECONDS
from mmser.types import Seconds, Timeline, TimelineChange, Turn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mmser.model import MmserModel, MmserProcessor

    Waveform = npt.NDArray[np.float32]
    Floats = npt.NDArray[np.float64]

MIN_WINDOWS = 3  # with fewer there is no course to speak of


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How a turn is cut into windows, and what counts as a change between them.

    The defaults are calmer than what finds most in spliced calls (windows of 1 s, a penalty of 0.2 and
    stretches of 1.5 s): with those, the voice of a real call would seem to change every few seconds, which
    nobody would believe.
    """

    window: Seconds = 2.0  # length of each
    hop: Seconds = 0.5  # between the beginnings of two
    penalty: float = 0.5  # of a change, in seconds of squared Hellinger distance
    shortest: Seconds = 3.0  # between two changes

    def __post_init__(self) -> None:
        """Refuse lengths that leave sound unheard or never end.

        Raises:
            UsageError: if so.
        """
        if not 0.25 <= self.window <= 10.0 or not 0.05 <= self.hop <= self.window:
            raise UsageError(
                f"a timeline of windows of {self.window:g} s every {self.hop:g} s cannot be made; "
                "windows take 0.25 to 10 s, and the hop 0.05 s up to one window"
            )


DEFAULT = Windows()


def is_default(model: "MmserModel") -> bool:
    """Say whether a timeline is made without being asked for: where the model's audio encoder is cheap."""
    config: Any = model.config
    return bool(config.audio_encoder == "cnn")


def window_starts(duration: Seconds, windows: Windows = DEFAULT) -> list[Seconds]:
    """Return where the windows of a stretch begin, counted from its beginning; the last ends within it."""
    # Rounding in times read from files must not cost the last window.
    count = math.floor((duration - windows.window) / windows.hop + 1e-6) + 1
    return [number * windows.hop for number in range(max(count, 0))]


def judge_sounds(
    waveforms: Sequence["Waveform"], model: "MmserModel", processor: "MmserProcessor"
) -> "Floats":
    """Return calibrated posteriors, each waveform by itself and by sound alone, (waveforms, classes)."""
    import numpy as np

    config: Any = model.config
    batch = processor(audio=list(waveforms), sampling_rate=config.sampling_rate)
    said = model.predict(**batch.to(model.device))
    assert said.audio_only is not None
    return np.asarray(said.audio_only.double().cpu().numpy())


@dataclass(frozen=True, kw_only=True)
class Course:
    """Some windows of one long turn on their way into a batch."""

    turn_id: str
    starts: tuple[Seconds, ...]  # of the windows that sound
    sound: "Waveform"  # that they lie in, (samples,)
    offsets: tuple[int, ...]  # sample of `sound` at which each begins
    length: int  # samples of a window

    @property
    def waveforms(self) -> list["Waveform"]:
        """The windows' sound, each (samples,)."""
        return [self.sound[offset : offset + self.length] for offset in self.offsets]


def make_timelines(
    turns: Sequence[Turn],
    *,
    wanted: Callable[[Turn], bool],
    read: ReadSound,
    model: "MmserModel",
    processor: "MmserProcessor",
    windows: Windows = DEFAULT,
) -> dict[str, Timeline]:
    """Return turn id → timeline of the long turns in which enough sounds.

    Args:
        turns: of a call.
        wanted: whether a turn was judged from sound; never true of a withheld one.
        read: reads the recording.
        model: whose audio-only answers are used.
        processor: the model's own.
        windows: lengths in seconds.
    """
    import numpy as np

    config: Any = model.config
    found = {}
    for turn in turns:
        if wanted(turn):
            starts: list[Seconds] = []
            rows: list[Floats] = []
            for course in hear_course(turn, read, config.sampling_rate, windows):
                starts += course.starts
                rows.append(judge_sounds(course.waveforms, model, processor))
            timeline = timeline_of(starts, np.concatenate(rows), model.config, windows) if starts else None
            if timeline is not None:
                found[turn.id] = timeline
    return found


def timeline_of(
    starts: Sequence[Seconds], rows: "Floats", config: Any, windows: Windows = DEFAULT
) -> Timeline | None:
    """Return the timeline of one turn; None where too little of it sounds.

    Args:
        starts: where its windows begin, rising.
        rows: what `judge_sounds` says of them, (windows, classes).
        config: the model's.
        windows: lengths in seconds.
    """
    if len(starts) < MIN_WINDOWS:
        return None
    labels = label_order(config.id2label)
    return Timeline(
        window=windows.window,
        hop=windows.hop,
        times=tuple(start + windows.window / 2 for start in starts),
        probabilities={label: tuple(rows[:, place].tolist()) for place, label in enumerate(labels)},
        changes=tuple(_changes(starts, rows, labels, windows)),
    )


def hear_course(
    turn: Turn, read: ReadSound, sampling_rate: int, windows: Windows = DEFAULT
) -> Iterator[Course]:
    """Yield the windows of a turn that sound, one piece of sound at a time; none of a short turn."""
    import numpy as np

    if not is_long(turn) or turn.channel is None:
        return
    assert turn.start is not None and turn.end is not None
    starts = window_starts(turn.end - turn.start, windows)
    size, length = max(1, int(BATCH_SECONDS / windows.window)), round(windows.window * sampling_rate)
    for first in range(0, len(starts), size):
        part = starts[first : first + size]
        sound = read(turn.start + part[0], turn.start + part[-1] + windows.window, turn.channel)
        places = [(start, round((start - part[0]) * sampling_rate)) for start in part]
        # The recording may end before the turn, and a constant is silence.
        kept = [
            (turn.start + start, offset)
            for start, offset in places
            if len(sound) - offset > length / 2 and np.ptp(sound[offset : offset + length]) >= CONSTANT
        ]
        if kept:
            begins, offsets = zip(*kept, strict=True)
            yield Course(turn_id=turn.id, starts=begins, sound=sound, offsets=offsets, length=length)


def _changes(
    starts: Sequence[Seconds], rows: "Floats", labels: Sequence[str], windows: Windows
) -> Iterator[TimelineChange]:
    """Yield the changes between different emotions, within each run of windows without a gap."""
    import numpy as np

    gaps = np.flatnonzero(np.diff(starts) > 1.5 * windows.hop) + 1
    for begin, part in zip([0, *gaps], np.split(rows, gaps), strict=True):
        for shift in find_shifts(
            part,
            window=windows.window,
            hop=windows.hop,
            penalty=windows.penalty,
            shortest=windows.shortest,
        ):
            before, after = labels[shift.before], labels[shift.after]
            if before != after:  # the same emotion, more or less sure, is no change to report
                known = before in VALENCE and after in VALENCE
                yield TimelineChange(
                    time=starts[begin] + shift.time,
                    strength=shift.strength,
                    direction=direction_of(before, after) if known else None,
                    before=before,
                    after=after,
                )
