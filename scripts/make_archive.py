#!/usr/bin/env python
"""Make an archive of calls with a manifest, to try `mmser batch` on.

    python scripts/make_archive.py OUT [--calls 500] [--seconds 40] [--seed 0] [--data FOLDER] [--bad 15]

Turns of the bundled sample call are laid in random order, with pauses and overlaps, at other speeds and
levels, into stereo calls of 15 to 120 s: agent left, customer right. With --data (holds corpora/ravdess) what
customers say are RAVDESS clips, one actor a call; what most of them act is in the column `acted`, and billing
has more anger, more so in later weeks. Files are WAV, µ-law of 8 kHz, FLAC, MP3 and Ogg, with WebVTT or JSON.
--bad adds rows that are broken, or look so (`--bad 15` has each kind once); the column `made` names the kind.
A seed gives one archive, but for the number of an Ogg stream, and with it the hash of that file.
"""

import argparse
import csv
import datetime
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import soundfile
import soxr
from numpy.typing import NDArray

from mmser.transcripts import read_transcript, write_json, write_webvtt
from mmser.types import Transcript, Turn

SAMPLE = Path(__file__).resolve().parent.parent / "mmser" / "assets" / "sample"
RATE = 16_000
SHORTEST, LONGEST = 15.0, 120.0  # seconds of a call
SPEED = 0.08  # of a voice, either way
QUEUES = ("billing", "delivery", "support", "sales")
FIRST_DAY, DAYS = datetime.date(2025, 1, 6), 84
FORMATS = {  # suffix, format, subtype, sampling rate in Hz
    "wav": ("wav", "WAV", "PCM_16", RATE),
    "mu-law": ("wav", "WAV", "ULAW", 8_000),
    "flac": ("flac", "FLAC", "PCM_16", RATE),
    "mp3": ("mp3", "MP3", "MPEG_LAYER_III", RATE),
    "ogg": ("ogg", "OGG", "VORBIS", RATE),
}
ACTED = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")  # RAVDESS's 01 …
SAID = ("Kids are talking by the door.", "Dogs are sitting by the door.")
MOODS = {  # how often a call of a queue is in each mood
    "billing": {"anger": 5, "disgust": 2, "neutral": 3},
    "delivery": {"anger": 2, "sadness": 3, "neutral": 4, "happiness": 1},
    "support": {"fear": 2, "sadness": 2, "neutral": 4, "calm": 2},
    "sales": {"happiness": 4, "surprise": 2, "neutral": 3, "calm": 1},
}

Wave = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One turn that calls are made of, at `RATE`."""

    wave: Wave
    text: str
    acted: str = ""


@dataclass(frozen=True, kw_only=True)
class Voices:
    """Whose turns there are: the pieces of each agent and customer."""

    agents: tuple[tuple[Piece, ...], ...]
    customers: tuple[tuple[Piece, ...], ...]


@dataclass(kw_only=True)
class Made:
    """One row of the manifest that is to be written."""

    id: str
    audio: str
    transcript: str
    roles: str = "agent,customer"
    queue: str = ""
    date: str = ""
    agent: str = ""
    acted: str = ""
    made: str = "call"
    seconds: float = 0.0  # not written


# --- voices --------------------------------------------------------------------------------------


def sample_voices() -> Voices:
    """Return the turns of the bundled call."""
    wave, rate = soundfile.read(SAMPLE / "call.wav", dtype="float32")
    sides: dict[str, list[Piece]] = {"agent": [], "customer": []}
    for turn in read_transcript(SAMPLE / "call.vtt").turns:
        assert turn.start is not None and turn.end is not None and turn.text is not None
        cut = wave[round(turn.start * rate) : round(turn.end * rate), int(turn.role == "customer")]
        sides[turn.role].append(Piece(wave=resampled(cut, rate, RATE), text=turn.text))
    return Voices(agents=(tuple(sides["agent"]),), customers=(tuple(sides["customer"]),))


def ravdess_customers(folder: Path) -> tuple[tuple[Piece, ...], ...]:
    """Return the clips of each actor, without the silence around them."""
    customers = []
    for actor in sorted(folder.glob("Actor_*")):
        pieces = []
        for path in sorted(actor.glob("03-01-*.flac")):
            _, _, emotion, _, said, _, _ = (int(part) for part in path.stem.split("-"))
            wave, rate = soundfile.read(path, dtype="float32")
            wave = resampled(wave if wave.ndim == 1 else wave[:, 0], rate, RATE)
            loud = np.flatnonzero(np.abs(wave) > 0.03 * np.abs(wave).max())
            wave = wave[max(0, loud[0] - RATE // 10) : loud[-1] + RATE // 10]
            pieces.append(Piece(wave=wave, text=SAID[said - 1], acted=ACTED[emotion - 1]))
        if pieces:
            customers.append(tuple(pieces))
    if not customers:
        raise SystemExit(
            f"{folder} holds no clips (Actor_…/03-01-….flac); give the folder above corpora/ravdess"
        )
    return tuple(customers)


def resampled(wave: Wave, old: float, new: float) -> Wave:
    """Return sound at another sampling rate, or, with the old one called otherwise, at another speed."""
    return np.asarray(soxr.resample(wave, old, new) if old != new else wave, dtype=np.float32)


# --- calls ---------------------------------------------------------------------------------------


def mood_of(queue: str, day: int, drawn: random.Random) -> str:
    """Draw what most of a customer's clips act; anger in billing grows by a half over the weeks."""
    weights = dict(MOODS[queue])
    if queue == "billing":
        weights["anger"] = round(weights["anger"] * (1 + 0.5 * day / DAYS), 3)
    return drawn.choices(list(weights), list(weights.values()))[0]


def draw_length(mean: float, drawn: random.Random) -> float:
    """Draw the seconds of a call; many are short and few long."""
    return min(LONGEST, max(SHORTEST, SHORTEST + drawn.gammavariate(2.0, max(mean - SHORTEST, 0.5) / 2.0)))


def lay_turns(
    sides: Sequence[Sequence[Piece]], length: float, mood: str, drawn: random.Random
) -> tuple[Wave, list[Turn]]:
    """Return sound, (samples, 2), and its turns; neither side says one thing again before all is said."""
    speeds = [1 + drawn.uniform(-SPEED, SPEED) for _ in sides]
    level = 10 ** (drawn.uniform(-14, 0) / 20)
    waiting: list[list[Piece]] = [[], []]
    laid: list[tuple[int, int, Wave]] = []  # first sample, side
    turns: list[Turn] = []
    at, side = drawn.uniform(0.2, 1.0), 0
    while at < length or len(turns) < 4:
        if not waiting[side]:
            waiting[side] = drawn.sample(list(sides[side]), len(sides[side]))
        fits = [n for n, one in enumerate(waiting[side]) if one.acted in ("", mood)]
        other = not fits or drawn.random() < 0.3
        piece = waiting[side].pop(len(waiting[side]) - 1 if other else fits[-1])
        wave = resampled(piece.wave, RATE * speeds[side], RATE)
        end = at + len(wave) / RATE
        laid.append((round(at * RATE), side, wave))
        turns.append(
            Turn(
                id=f"t{len(turns) + 1}",
                start=round(at, 3),
                end=round(end, 3),
                speaker=("Agent", "Customer")[side],
                role=("agent", "customer")[side],
                text=piece.text,
            )
        )
        at = end + (drawn.uniform(-0.4, 0.0) if drawn.random() < 0.1 else drawn.uniform(0.2, 1.6))
        side = 1 - side if drawn.random() < 0.9 else side
    whole = np.zeros((round((at + 0.5) * RATE), 2), np.float32)
    for first, channel, wave in laid:
        whole[first : first + len(wave), channel] += level * wave
    noise = np.random.default_rng(drawn.getrandbits(32)).standard_normal(whole.shape, np.float32)
    return np.clip(whole + 0.0005 * noise, -1, 1), turns


def write_sound(path: Path, wave: Wave, kind: str) -> None:
    """Write sound of `RATE` in one of `FORMATS`."""
    _, container, subtype, rate = FORMATS[kind]
    soundfile.write(path, resampled(wave, RATE, rate), rate, format=container, subtype=subtype)


def write_words(path: Path, turns: Sequence[Turn]) -> None:
    whole = Transcript(turns=tuple(turns), format="mmser", language="en")
    path.write_text(write_json(whole) if path.suffix == ".json" else write_webvtt(whole), encoding="utf-8")


def make_call(out: Path, number: int, voices: Voices, mean: float, seed: int, kind: str = "") -> Made:
    """Write one call; it depends on the seed and its number alone."""
    drawn = random.Random(f"{seed} {number}")
    queue, day = drawn.choice(QUEUES), drawn.randrange(DAYS)
    agent, customer = drawn.randrange(8), drawn.choice(voices.customers)
    mood = mood_of(queue, day, drawn)
    sides = (voices.agents[agent % len(voices.agents)], customer)
    wave, turns = lay_turns(sides, draw_length(mean, drawn), mood, drawn)
    kind = kind or drawn.choice(list(FORMATS))
    name = f"call-{number:05d}"
    made = Made(
        id=name,
        audio=f"calls/{name}.{FORMATS[kind][0]}",
        transcript=f"calls/{name}.{drawn.choice(('vtt', 'json'))}",
        queue=queue,
        date=(FIRST_DAY + datetime.timedelta(days=day)).isoformat(),
        agent=f"agent {agent + 1}",
        acted=mood if customer[0].acted else "",
        seconds=len(wave) / RATE,
    )
    write_sound(out / made.audio, wave, kind)
    write_words(out / made.transcript, turns)
    return made


# --- what is broken ------------------------------------------------------------------------------


def _missing(out: Path, row: Made, good: Made) -> None:
    (out / row.audio).unlink()


def _empty(out: Path, row: Made, good: Made) -> None:
    (out / row.audio).write_bytes(b"")


def _text(out: Path, row: Made, good: Made) -> None:
    (out / row.audio).write_text("This is no sound.\n" * 40, encoding="utf-8")


def _cut_header(out: Path, row: Made, good: Made) -> None:
    (out / row.audio).write_bytes((out / row.audio).read_bytes()[:30])


def _change_sound(path: Path, change: Callable[[Wave, int], Wave]) -> None:
    wave, rate = soundfile.read(path, dtype="float32")
    scipy.io.wavfile.write(path, rate, change(wave, rate))  # soundfile puts the time of day in


def _not_numbers(out: Path, row: Made, good: Made) -> None:
    def spoil(wave: Wave, rate: int) -> Wave:
        wave[rate : 2 * rate] = np.nan
        return wave

    _change_sound(out / row.audio, spoil)


def _silence(out: Path, row: Made, good: Made) -> None:
    _change_sound(out / row.audio, lambda wave, rate: np.zeros_like(wave))


def _instant(out: Path, row: Made, good: Made) -> None:
    _change_sound(out / row.audio, lambda wave, rate: wave[rate : rate + rate // 20])
    words = Turn(id="t1", start=0.0, end=0.05, speaker="Customer", role="customer", text="Hello.")
    write_words(out / row.transcript, [words])


def _broken_words(out: Path, row: Made, good: Made) -> None:
    (out / row.transcript).unlink()
    row.transcript = f"calls/{row.id}.json"
    (out / row.transcript).write_text(json.dumps({"schema": "mmser.transcript/1", "turns": []})[:-9])


def _no_words(out: Path, row: Made, good: Made) -> None:
    (out / row.transcript).write_bytes(b"")


def _others_words(out: Path, row: Made, good: Made) -> None:
    turns = read_transcript(SAMPLE / "call.vtt").turns
    write_words(out / row.transcript, [_later(turn, 600.0) for turn in turns])


def _later(turn: Turn, seconds: float) -> Turn:
    assert turn.start is not None and turn.end is not None
    return Turn.from_dict(turn.to_dict() | {"start": turn.start + seconds, "end": turn.end + seconds})


def _no_role(out: Path, row: Made, good: Made) -> None:
    row.roles = "agent,boss"


def _three_roles(out: Path, row: Made, good: Made) -> None:
    row.roles = "agent,customer,agent"


def _same_recording(out: Path, row: Made, good: Made) -> None:
    for name in (row.audio, row.transcript):
        (out / name).unlink()
    row.audio, row.transcript = good.audio, good.transcript


def _odd_name(out: Path, row: Made, good: Made) -> None:
    odd = f"calls/{row.id} Größe, 通話\nzwei 'x' %20#?.wav"
    (out / row.audio).rename(out / odd)
    row.audio = odd


def _cut_mp3(out: Path, row: Made, good: Made) -> None:
    path = out / row.audio
    wave, rate = soundfile.read(path, dtype="float32")
    path.unlink()
    row.audio = row.audio.replace(".wav", ".mp3")
    write_sound(out / row.audio, resampled(wave, rate, RATE), "mp3")
    content = (out / row.audio).read_bytes()
    (out / row.audio).write_bytes(content[: len(content) // 2])


BREAKS: dict[str, Callable[[Path, Made, Made], None]] = {
    "missing file": _missing,
    "0 bytes": _empty,
    "text named .wav": _text,
    "WAV header cut off": _cut_header,
    "NaN samples": _not_numbers,
    "digital silence": _silence,
    "0.05 s": _instant,
    "broken transcript JSON": _broken_words,
    "empty transcript": _no_words,
    "transcript of a longer call": _others_words,
    "a role that is none": _no_role,
    "three roles for two channels": _three_roles,
    "the recording of another id": _same_recording,
    "odd file name (good)": _odd_name,
    "MP3 cut in the middle": _cut_mp3,
}


# --- the archive ---------------------------------------------------------------------------------


def make_archive(
    out: Path, calls: int, *, seconds: float = 40.0, seed: int = 0, data: Path | None = None, bad: int = 0
) -> list[Made]:
    """Write calls and `manifest.csv` into a folder; return its rows.

    Args:
        out: the folder, empty or new.
        calls: number of good calls.
        seconds: mean length of a call.
        seed: of all that is drawn.
        data: folder that holds corpora/ravdess; None = customers of the sample call.
        bad: number of broken rows, spread among the good ones.
    """
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out} holds files; give an empty folder or a new one")
    (out / "calls").mkdir(parents=True, exist_ok=True)
    voices = sample_voices()
    if data is not None:
        voices = Voices(agents=voices.agents, customers=ravdess_customers(data / "corpora" / "ravdess"))
    total = calls + bad
    # Never the first, whose recording serves as the "recording of another id".
    places = sorted(random.Random(seed).sample(range(1, total), min(bad, total - 1)))
    kinds = dict(zip(places, [list(BREAKS)[n % len(BREAKS)] for n in range(bad)], strict=False))
    rows: list[Made] = []
    for number in range(total):
        row = make_call(out, number + 1, voices, seconds, seed, "wav" if number in kinds else "")
        if number in kinds:
            row.made = kinds[number]
            BREAKS[row.made](out, row, rows[0])
        rows.append(row)
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in vars(rows[0]) if name != "seconds"])
        writer.writeheader()
        for row in rows:
            writer.writerow({name: cell for name, cell in vars(row).items() if name != "seconds"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder, empty or new", metavar="OUT")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=40.0, help="of a call, on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="folder that holds corpora/ravdess")
    parser.add_argument("--bad", type=int, default=0, help="rows that are broken, or look so")
    options = parser.parse_args()
    rows = make_archive(**vars(options))
    good = [row for row in rows if row.made == "call"]
    hours = sum(row.seconds for row in good) / 3600
    size = sum(path.stat().st_size for path in (options.out / "calls").iterdir()) / 1e6
    print(
        f"{options.out}/manifest.csv: {len(rows)} rows, {len(good)} good calls, {hours:.2f} h, {size:.0f} MB"
    )
    kinds = Counter(f"{Path(row.audio).suffix} + {Path(row.transcript).suffix}" for row in good)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    for kind, count in Counter(row.made for row in rows if row.made != "call").items():
        print(f"{count} × {kind}")


if __name__ == "__main__":
    main()
