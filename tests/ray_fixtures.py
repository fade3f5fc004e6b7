"""Stages of Ray that end their processes; Ray's workers import them from here."""

import os
from collections.abc import Iterator, Sequence

from mmser.batch.ray_stages import Carried, JudgeStage, Work, loaded


class DeadlyStage(JudgeStage):
    """Ends its process at one call, every time."""

    def judged(self, calls: Sequence[Carried]) -> Iterator[Carried]:
        if any(call.row.id == "deadly" for call in calls):
            os._exit(1)
        yield from super().judged(calls)


class StillbornStage(JudgeStage):
    """Ends its process before it can begin."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._judge_of, self.unable = loaded(work, lambda: os._exit(1))
