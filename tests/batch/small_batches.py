"""Small batches: a handful of different made calls, the tiny model's settings, results without any model."""

from pathlib import Path

import numpy as np

from mmser.batch.records import CallResult, CallRow
from mmser.batch.settings import Settings
from mmser.batch.store import Schemas
from mmser.batch.tables import call_columns, call_schema, turn_schema
from mmser.types import ModelInfo
from tests.call_fixtures import voice, wav_bytes

SAID = ("i am so angry", "yes thank you", "no refund where is my parcel it is late", "fine", "i am very sad")


def settings(model_dir: Path, **options: object) -> Settings:
    defaults: dict[str, object] = {
        "model_folder": str(model_dir),
        "speaker_roles": {},
        "channel_roles": ("agent", "customer"),
        "transcribe": False,
    }
    return Settings(**(defaults | options))


def write_calls(folder: Path, count: int, *, longest: float = 9.0) -> list[CallRow]:
    """Write calls that all differ: two to five turns of half a second to `longest` seconds each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        draw = np.random.default_rng(number)
        spans: list[tuple[float, float, int]] = []
        end = 0.2
        for turn in range(int(draw.integers(2, 6))):
            start, end = end + 0.2, end + 0.2 + float(draw.uniform(0.5, longest))
            spans.append((round(start, 2), round(end, 2), turn % 2))
        lines = ["WEBVTT", ""]
        for start, stop, party in spans:
            words = SAID[int(draw.integers(len(SAID)))]
            lines += [
                f"{clock(start)} --> {clock(stop)}",
                f"<v {('Agent', 'Customer')[party]}>{words}</v>",
                "",
            ]
        sides = [
            voice(
                end + 0.5,
                tuple((s, e) for s, e, side in spans if side == party),
                pitch=100 + 7 * number,
                seed=number,
            )
            for party in (0, 1)
        ]
        name = f"call{number:03d}"
        (folder / f"{name}.wav").write_bytes(wav_bytes(*sides))
        (folder / f"{name}.vtt").write_text("\n".join(lines), "utf-8")
        rows.append(
            CallRow(
                id=name,
                audio=(str(folder / f"{name}.wav"),),
                transcript=str(folder / f"{name}.vtt"),
                columns={"queue": ("billing", "sales")[number % 2]},
            )
        )
    return rows


def clock(seconds: float) -> str:
    return f"00:{int(seconds // 60):02d}:{seconds % 60:06.3f}"


INFO = ModelInfo(
    id="made",
    revision="0" * 64,
    license="none",
    labels=("anger", "neutral"),
    languages=("en",),
    calibration={"emotion.fused": 1.5},
    abstain_below=0.4,
)
COLUMNS = {"queue": "string"}


def schemas(info: ModelInfo = INFO) -> Schemas:
    return Schemas(turns=turn_schema(info), calls=call_schema(info, COLUMNS))


def made_result(number: int, *, status: str = "done", turns: int = 2) -> CallResult:
    """A result with rows of the right columns, without any analysis."""
    name = f"call {number}"
    if status == "failed":
        return CallResult(id=name, status="failed", error=f"{name} is broken; mend it")
    call = dict.fromkeys(call_columns(INFO.labels)) | {"id": name, "num_turns": turns, "queue": "sales"}
    row = dict.fromkeys(turn_schema(INFO).names) | {
        "call": name,
        "role": "customer",
        "text": f"words of {name}",
    }
    return CallResult(
        id=name,
        status="done",
        audio_sha256=f"{number:064d}",
        duration=10.0,
        seconds=0.5,
        call=call,
        turns=tuple(row | {"id": f"t{place}"} for place in range(1, turns + 1)),
    )
