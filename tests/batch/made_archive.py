"""A batch's folder with plausible tables: calls over some weeks and queues, some of which escalate."""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from mmser.batch.tables import call_columns, call_schema, turn_schema
from mmser.labels import EMOTIONS
from mmser.report.policy import notice_of
from mmser.types import ModelInfo

MODEL = ModelInfo(
    id="mmser-default",
    revision="2f1c9a7e5b3d",
    license="CC-BY-NC-SA-4.0",
    labels=EMOTIONS,
    languages=("en",),
    calibration={},
    abstain_below=0.4,
)
NOTICE = notice_of({"emotion.both": 1.3})
QUEUES = ("billing", "delivery", "returns", "technical")
_ANGRY = {"billing": 1.6, "delivery": 1.1, "returns": 0.8, "technical": 1.0}  # against the mean


def made_rows(
    count: int,
    *,
    weeks: int = 12,
    queues: Sequence[str] = QUEUES,
    seed: int = 0,
    first: datetime.date = datetime.date(2026, 1, 5),
) -> list[dict[str, Any]]:
    """Return rows of `calls` with the columns queue, region and started_at of the user's."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        queue = queues[rng.choice(len(queues), p=_sizes(len(queues)))]
        day = first + datetime.timedelta(days=int(rng.integers(7 * weeks)))
        tilt = _ANGRY.get(queue, 1.0) * (1 + 0.4 * (day - first).days / (7 * weeks))
        mean = np.array([0.12 * tilt, 0.02, 0.04, 0.13, 0.45, 0.1, 0.04, 0.1])
        shares = rng.dirichlet(6 * mean / mean.sum())
        negative = float(np.clip(rng.normal(0.25 * tilt, 0.1), 0.01, 0.95))
        rise = float(np.clip(rng.normal(0.02 * tilt, 0.12), -negative, 1 - negative))
        anger, half = rise * 0.6 + rng.normal(0, 0.03), 0.05 + 0.1 * rng.random()
        duration = float(np.round(rng.lognormal(5.6, 0.5), 1))
        talk = round(duration * rng.uniform(0.6, 0.9), 1)
        row = call_of(
            f"call-{number:05d}",
            duration=duration,
            shares=shares.round(4).tolist(),
            scored_time=round(talk * 0.45, 3),
            first=round(negative, 4),
            last=round(negative + rise, 4),
            anger=(round(anger, 4), round(anger - half, 4), round(anger + half, 4)),
            talk=talk,
            non_talk=round(duration - talk * 0.97, 2),
            longest_silence=round(float(rng.gamma(2, 4)), 2),
            overlap=round(talk * float(rng.uniform(0, 0.06)), 2),
            interruptions=int(rng.poisson(3)),
            rules=[
                name
                for name, share in (
                    ("shouting", 0.05 * tilt),
                    ("cancel the contract", 0.03),
                    ("silence", 0.1),
                )
                if rng.random() < share
            ],
        )
        clock = f"{day}T{rng.integers(8, 20):02d}:{rng.integers(60):02d}:00"
        rows.append(row | {"queue": queue, "region": f"R{rng.integers(30):02d}", "started_at": clock})
    return rows


def call_of(
    call_id: str,
    *,
    duration: float | None = 120.0,
    shares: Sequence[float] | Mapping[str, float] | None = None,
    scored_time: float | None = 50.0,
    first: float | None = 0.2,
    last: float | None = 0.2,
    anger: tuple[float | None, ...] = (None, None, None),
    talk: float = 100.0,
    rules: Sequence[str] = (),
    **others: Any,
) -> dict[str, Any]:
    """Return one row of `calls`; shares are of the labels, then of "uncertain"; all neutral if left out."""
    labels = (*EMOTIONS, "uncertain")
    given = dict(zip(labels, shares, strict=True)) if isinstance(shares, Sequence) else shares
    given = {"neutral": 1.0} if given is None else given
    row: dict[str, Any] = dict.fromkeys(call_columns(EMOTIONS)) | {
        "id": call_id,
        "rules": json.dumps(list(rules)),
        "audio": f"{call_id}.wav",
        "audio_sha256": f"{call_id}:sound",
        "duration": duration,
        "num_channels": 2,
        "num_turns": 24,
        "talk_time": talk,
        "non_talk": None if duration is None else round(duration * 0.2, 2),
        "longest_silence": 4.0,
        "overlap": 2.0,
        "interruptions": 1,
        "customer_num_turns": 12,
        "customer_num_scored": 11,
        "customer_num_abstained": 1,
        "customer_talk_time": round(talk * 0.5, 2),
        "customer_words_per_minute": 150.0,
        "customer_interruptions": 1,
        "agent_num_turns": 12,
        "agent_num_scored": 0,
        "agent_num_abstained": 0,
        "agent_talk_time": round(talk * 0.5, 2),
        "agent_words_per_minute": 170.0,
        "agent_interruptions": 0,
        "customer_scored_time": scored_time,
        "customer_negative_first": first,
        "customer_negative_last": last,
        "customer_escalation": None if first is None or last is None else round(last - first, 4),
    }
    row |= {f"customer_share_{label}": given.get(label, 0.0) for label in labels} if given else {}
    row |= dict(zip((f"customer_anger_delta{end}" for end in ("", "_low", "_high")), anger, strict=True))
    return row | others


def write_archive(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    user: Mapping[str, Any] | None = None,
    per_part: int = 500,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write the parts of `calls`, and `turns` without a row, as `mmser batch` does.

    Args:
        folder: made.
        rows: of calls.
        user: columns of the user's and their types; by default all that the rows have, as text.
        per_part: calls.
        metadata: of each part; by default the model and the notice.
    """
    if user is None:
        ours = set(call_columns(EMOTIONS))
        user = {name: "string" for row in rows[:1] for name in row if name not in ours}
    told = {"model": f"{MODEL.id} {MODEL.revision}", "notice": NOTICE} if metadata is None else metadata
    schema = call_schema(MODEL, user).with_metadata(dict(told))
    for name in ("calls", "turns"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    done = len(list((folder / "calls").glob("*.parquet")))
    for number, start in enumerate(range(0, max(len(rows), 1), per_part), done):
        part = pyarrow.Table.from_pylist([dict(row) for row in rows[start : start + per_part]], schema=schema)
        pyarrow.parquet.write_table(part, folder / "calls" / f"part-{number:05d}.parquet")
        turns = pyarrow.Table.from_pylist([], schema=turn_schema(MODEL))
        pyarrow.parquet.write_table(turns, folder / "turns" / f"part-{number:05d}.parquet")
    return folder


def _sizes(count: int) -> list[float]:
    sizes = np.arange(count, 0, -1, dtype=np.float64)
    return (sizes / sizes.sum()).tolist()
