"""TensorBoard's curves of one stage, written where they are told.

torch's own writer writes in a thread, where a full disk ends in a traceback on the screen and nothing else.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Board:
    """One event file.

    Args:
        folder: of the stage; TensorBoard shows all event files in it as one run.
        step: from here on, what earlier files hold counts no longer.

    Raises:
        OSError: from here on and by `write`, if the file cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        seconds, rest = divmod(time.time_ns(), 10**9)
        self._file = (folder / f"events.out.tfevents.{seconds:010}.{rest:09}").open("wb", buffering=0)
        self._event, self._records = Event, RecordWriter(self._file)
        self._add(step, file_version="brain.Event:2")
        self._add(step, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, values: Mapping[str, float | None]) -> None:
        """Add a point to each curve; None = none."""
        from torch.utils.tensorboard.summary import scalar

        for name, value in values.items():
            if value is not None:
                self._add(step, summary=scalar(name, value))

    def _add(self, step: int, **content: Any) -> None:
        event = self._event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
