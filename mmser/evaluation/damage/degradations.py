"""Ways of damaging what a model is given, each as recordings, lines and recognisers do it, and none other.

A row is damaged the same whatever is damaged before it or beside it: all that is drawn comes from a seed and
the row's name. So the noise at 0 dB is the noise at 20 dB, louder, and of the words those that are wrong at
5 % are wrong at 30 % as well.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from mmser.audio import effects
from mmser.audio.files import SAMPLING_RATE, Waveform
from mmser.data import Example
from mmser.evaluation.damage.word_errors import Vocabulary, make_vocabulary, mishear, words_of
from mmser.evaluation.judged import name_of
from mmser.evaluation.judging import Alter, Given
from mmser.evaluation.sounds import Sounds

Kind = Literal["sound", "words", "missing"]
MOST_SPEAKERS = 20  # of babble, and
EACH = 2  # clips of each,
MOST_SECONDS = 10.0  # of each clip


@dataclass(frozen=True, kw_only=True, eq=False)
class Voice:
    """One clip of one person."""

    waveform: Waveform
    speaker: str | None = None  # as examples name them; None = nobody in the data


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """What rows are damaged with; whatever is not there is made, as each of `DEGRADATIONS` says."""

    noises: tuple[Waveform, ...] = ()
    rooms: tuple[Waveform, ...] = ()  # impulse responses that begin with the direct sound
    voices: tuple[Voice, ...] = ()
    vocabulary: Vocabulary = field(default_factory=lambda: make_vocabulary([]))

    def without(self, speaker: str | None) -> "Surroundings":
        """Return them without a speaker's own voice; of an unnamed speaker, without any that may be it."""
        others = [v for v in self.voices if v.speaker is None or speaker not in (None, v.speaker)]
        return replace(self, voices=tuple(others))


Change = Callable[[Given, np.random.Generator, Surroundings], Given]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One way of damaging what a model is given."""

    name: str  # "mu-law 8 kHz"
    kind: Kind
    change: Change

    def concerns(self, example: Example) -> bool:
        """Tell whether an example has what is damaged, and something left where a part is taken away."""
        sound, words = example.audio is not None, bool(words_of(example.text or ""))
        return {"sound": sound, "words": words, "missing": sound and words}[self.kind]


def altered(degradation: Degradation, surroundings: Surroundings, *, seed: int = 0) -> Alter:
    """Return what damages the rows of an evaluation, each with other speakers' voices.

    Args:
        degradation: one of `DEGRADATIONS`.
        surroundings: of all rows.
        seed: of all that is drawn.
    """

    def alter(example: Example, given: Given) -> Given:
        own = surroundings.without(example.speaker)
        return degradation.change(given, row_rng(seed, name_of(example)), own)

    return alter


def row_rng(seed: int, name: str) -> np.random.Generator:
    """Return the generator of a row, whatever other rows there are."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


# --- surroundings ----------------------------------------------------------------------------------------


def read_surroundings(
    *, noises: Path | None = None, rooms: Path | None = None, voices: Path | None = None
) -> Surroundings:
    """Read recordings from folders of WAV and FLAC files; None = there are none.

    Args:
        noises: recordings of noise.
        rooms: impulse responses; what comes before the direct sound is cut off.
        voices: one person in each file, nobody who is in the data.

    Raises:
        MmserError: if a folder holds no such files, or one cannot be read, is empty or silent.
    """
    read = {name: effects.read_sounds(folder) for name, folder in _given(noises, rooms, voices)}
    return Surroundings(
        noises=tuple(_without_gaps(noise) for noise in read.get("noises", ())),
        rooms=tuple(_from_direct_sound(response) for response in read.get("rooms", ())),
        voices=tuple(Voice(waveform=waveform) for waveform in read.get("voices", ())),
    )


def _given(*folders: Path | None) -> list[tuple[str, Path]]:
    names = ("noises", "rooms", "voices")
    return [(name, folder) for name, folder in zip(names, folders, strict=True) if folder is not None]


def _from_direct_sound(response: Waveform) -> Waveform:
    # A late response would move what is said, and push its end out of the clip.
    loud = np.flatnonzero(np.abs(response) > 0.1 * np.abs(response).max())
    return response[loud[0] :]


def _without_gaps(noise: Waveform) -> Waveform:
    # In a stretch of digital silence a row would be heard without any noise.
    size = SAMPLING_RATE // 50
    frames = [noise[start : start + size] for start in range(0, len(noise), size)]
    return np.concatenate([frame for frame in frames if frame.any()])


def surround(
    examples: Sequence[Example], sounds: Sounds, recorded: Surroundings | None = None, *, seed: int = 0
) -> Surroundings:
    """Add what the examples themselves offer: voices of their named speakers, and the vocabulary.

    Args:
        examples: that are evaluated.
        sounds: where their sound is read.
        recorded: from folders; voices from there are used instead of the examples' own.
        seed: of whose voices, and which clips.

    Raises:
        DataError: if a clip cannot be read.
    """
    recorded = recorded or Surroundings()
    voices = recorded.voices or _voices(examples, sounds, np.random.default_rng(seed))
    vocabulary = make_vocabulary(example.text or "" for example in examples)
    return replace(recorded, voices=tuple(voices), vocabulary=vocabulary)


def _voices(examples: Iterable[Example], sounds: Sounds, rng: np.random.Generator) -> list[Voice]:
    clips: dict[str, list[Example]] = {}
    for example in sorted(examples, key=name_of):
        if example.speaker is not None and example.audio is not None:
            clips.setdefault(example.speaker, []).append(example)
    found = []
    speakers = sorted(clips)
    for place in sorted(rng.permutation(len(speakers))[:MOST_SPEAKERS].tolist()):
        own = clips[speakers[place]]
        for chosen in sorted(rng.permutation(len(own))[:EACH].tolist()):
            waveform = sounds.read(own[chosen], MOST_SECONDS)
            if waveform is not None and waveform.any():
                found.append(Voice(waveform=waveform, speaker=speakers[place]))
    return found


# --- sound -----------------------------------------------------------------------------------------------

Sound = Callable[[Waveform, np.random.Generator, Surroundings], Waveform]
Codec = Callable[[Waveform], Waveform]


def _sound(name: str, sound: Sound) -> Degradation:
    def change(given: Given, rng: np.random.Generator, around: Surroundings) -> Given:
        if given.waveform is None:
            return given
        return replace(given, waveform=sound(given.waveform, rng, around))

    return Degradation(name=name, kind="sound", change=change)


def _plain(name: str, effect: Codec) -> Degradation:
    """Name an effect that draws nothing and needs nothing else."""
    return _sound(name, lambda waveform, rng, around: effect(waveform))


def _phone(name: str, codec: Codec | None = None) -> Degradation:
    return _plain(name, lambda waveform: effects.at_phone_rate(waveform, codec))


def _noise(snr: float) -> Degradation:
    def sound(waveform: Waveform, rng: np.random.Generator, around: Surroundings) -> Waveform:
        if around.noises:
            noise = around.noises[int(rng.integers(len(around.noises)))]
        else:
            noise = effects.pink_noise(len(waveform), rng)
        return effects.add_noise(waveform, snr, rng, noise)

    return _sound(f"noise {snr:g} dB", sound)


def _babble(snr: float) -> Degradation:
    def sound(waveform: Waveform, rng: np.random.Generator, around: Surroundings) -> Waveform:
        chosen = _several(around.voices, rng)
        if chosen:
            voices = effects.babble([voice.waveform for voice in chosen], len(waveform), rng)
        else:
            voices = effects.made_babble(waveform, rng)
        return effects.add_noise(waveform, snr, rng, voices)

    return _sound(f"babble {snr:g} dB", sound)


def _several(voices: Sequence[Voice], rng: np.random.Generator) -> list[Voice]:
    """Draw the voices of a babble, of different speakers as long as there are others."""
    heard: dict[str, int] = {}
    drawn: list[tuple[int, Voice]] = []
    for place in rng.permutation(len(voices)).tolist():
        voice = voices[place]
        name = f"voice {place}" if voice.speaker is None else f"speaker {voice.speaker}"
        heard[name] = heard.get(name, 0) + 1
        drawn.append((heard[name], voice))
    return [voice for _, voice in sorted(drawn, key=lambda one: one[0])][: effects.MUMBLERS]


def _room(waveform: Waveform, rng: np.random.Generator, around: Surroundings) -> Waveform:
    rooms = around.rooms or (effects.made_room(rng),)
    return effects.reverberate(waveform, rooms[int(rng.integers(len(rooms)))])


# --- words -----------------------------------------------------------------------------------------------


def _word_errors(rate: float) -> Degradation:
    def change(given: Given, rng: np.random.Generator, around: Surroundings) -> Given:
        if given.text is None:
            return given
        # Confidences, where there are any, are of the words that were there.
        return replace(given, text=mishear(given.text, rate, rng, around.vocabulary), words=())

    return Degradation(name=f"word errors {rate:.0%}".replace("%", " %"), kind="words", change=change)


def _no_words(given: Given, rng: np.random.Generator, around: Surroundings) -> Given:
    return replace(given, text=None, words=())


def _no_sound(given: Given, rng: np.random.Generator, around: Surroundings) -> Given:
    return replace(given, waveform=None)


DEGRADATIONS: tuple[Degradation, ...] = (  # in the order of the report
    _phone("8 kHz"),
    _phone("mu-law 8 kHz", effects.mu_law),
    _phone("A-law 8 kHz", effects.a_law),
    _phone("GSM 06.10", effects.gsm_codec),
    _plain("Opus 6 kbit/s", lambda waveform: effects.opus(waveform, 6_000)),
    _plain("MP3 16 kbit/s", lambda waveform: effects.mp3(waveform, 0.95)),
    *(_noise(snr) for snr in (20, 10, 5, 0)),  # of the recordings given, or pink
    _babble(10),  # of the voices given, or made from the row's own spectrum
    _sound("room", _room),  # of the responses given, or made
    *(_plain(f"gain {gain:+d} dB", partial(effects.amplify, gain=gain)) for gain in (12, -20)),
    _plain("clipping 10 dB", partial(effects.clip_peaks, excess=10)),
    _sound("packet loss 10 %", lambda waveform, rng, around: effects.lose_packets(waveform, 0.1, rng)),
    *(
        _plain(f"pitch {steps:+d} semitones", partial(effects.shift_pitch, semitones=steps))
        for steps in (3, -3)
    ),
    *(
        _plain(f"speed {percent:+d} %", partial(effects.change_speed, factor=1 + percent / 100))
        for percent in (10, -10)
    ),
    *(_word_errors(rate) for rate in (0.05, 0.1, 0.2, 0.3)),
    Degradation(name="no words", kind="missing", change=_no_words),
    Degradation(name="no sound", kind="missing", change=_no_sound),
)
