"""The engine of many machines: Ray Data, on a cluster that is there or on one begun here for the batch."""

import contextlib
import importlib.util
import logging
import os
import secrets
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mmser.batch.local import WorkerError
from mmser.batch.records import CallResult, CallRow, DatasetSource
from mmser.batch.settings import Settings
from mmser.errors import MissingExtraError
from mmser.types import ModelInfo

if TYPE_CHECKING:
    from mmser.batch.ray_pipeline import Plan

CLIENT: Final = "ray://"
CLIENT_PORT: Final = "10001"
SECONDS_TO_REACH: Final = 5.0
MAX_WORKERS_EACH: Final = 16  # readers for one model on a cluster; see mmser.batch.machine
PASSED_ON: Final = ("HF_HUB_OFFLINE", "OMP_NUM_THREADS")  # to the processes on other machines


class RayEngine:
    """Runs calls through Ray; a context manager, which ends a cluster that was begun for it."""

    def __init__(
        self,
        settings: Settings,
        info: ModelInfo,
        dataset: DatasetSource | None = None,
        *,
        workers: int | None = None,
        models: int | None = None,
        address: str | None = None,
        report_folder: Callable[[str], str] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            settings: of the batch; every machine of a cluster must have the model where they say.
            info: the model.
            dataset: that the rows point into.
            workers: processes that read calls; None = as many as the cluster has room for.
            models: processes that hold the model; None = one for each GPU, or for two of three cores.
            address: of a cluster ("ray://host:10001", "host:6379", "auto" = the one that this machine is part
                of); None = one on this machine alone, begun for the batch.
            report_folder: id of a call → the folder or URL of its report; None = no reports.

        Raises:
            MissingExtraError: if Ray is not installed.
        """
        if importlib.util.find_spec("ray") is None:
            raise MissingExtraError("ray", "ray", "--engine ray")
        self.settings, self.info, self.dataset = settings, info, dataset
        self.workers, self.models = workers, models
        self.address, self.report_folder = address, report_folder
        self.spent: dict[str, float] = defaultdict(float)  # seconds of work by stage, over all processes
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "RayEngine":
        """Join the cluster, or begin one.

        Raises:
            WorkerError: if it cannot be joined, or has no room for the processes.
        """
        with contextlib.ExitStack() as stack:
            self._connect(stack)
            self._plan = self._planned()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster."""
        self._stack.close()

    def run(self, rows: Iterable[CallRow]) -> Iterator[CallResult]:
        """Yield what became of each call, in the order in which their blocks end.

        Raises:
            WorkerError: if the processes cannot begin at all, or the cluster is lost.
        """
        from ray.exceptions import RayError

        waiting: dict[str, CallRow] = {}
        for row in rows:
            if row.problem is not None:
                yield CallResult(id=row.id, status="failed", error=row.problem)
            else:
                waiting[row.id] = row
        if not waiting:
            return
        try:
            yield from self._run(waiting)
        except (RayError, ConnectionError) as error:
            raise WorkerError(
                f"Ray ended the batch: {_first_line(error)}; what is finished is kept: the same command goes "
                "on"
            ) from error

    def _run(self, waiting: dict[str, CallRow]) -> Iterator[CallResult]:
        from mmser.batch.ray_pipeline import stream

        of = self.report_folder if self.settings.reports else None
        folders = ["" if of is None else of(key) for key in waiting]
        with contextlib.closing(stream(list(waiting.values()), folders, self._plan)) as blocks:
            for call in (call for block in blocks for call in block):
                if call.unable is not None:
                    raise WorkerError(call.unable)
                if call.result is None or waiting.pop(call.row.id, None) is None:
                    continue
                for stage, seconds in (*call.spent.items(), *call.result.stages.items()):
                    self.spent[stage] += seconds
                yield call.result
        if waiting:
            raise WorkerError(
                f"Ray gave no answer for {len(waiting)} calls, {next(iter(waiting))!r} among them; what is "
                "finished is kept: the same command goes on"
            )

    # --- the cluster -----------------------------------------------------------------------------

    def _connect(self, stack: contextlib.ExitStack) -> None:
        alone = self.address in (None, "local")
        _set_environment(alone=alone)
        logging.getLogger("ray").setLevel(logging.ERROR)
        import ray

        if ray.is_initialized():
            return
        quiet = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
        if alone:
            self._begin(ray, quiet)
        else:
            self._join(ray, _full(self.address or ""), quiet)
        stack.callback(ray.shutdown)

    def _begin(self, ray: Any, quiet: dict[str, Any]) -> None:
        """Begin a cluster of this machine alone, with room for just what was asked for."""
        from mmser.batch.machine import suit_machine

        crew = suit_machine(self.settings.device, 1 << 30, workers=self.workers, models=self.models)
        self.workers, self.models = crew.workers, crew.models
        try:
            ray.init("local", num_cpus=self._planned_alone().cpus, include_dashboard=False, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise WorkerError(f"Ray cannot begin on this machine: {_first_line(error)}") from error

    def _join(self, ray: Any, address: str, quiet: dict[str, Any]) -> None:
        _require_reachable(address)
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            ray.init(address, runtime_env={"env_vars": variables}, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise WorkerError(
                f"the Ray cluster at {address} cannot be joined: {_first_line(error)}; give --ray-address as "
                "ray://HOST:10001, or auto on one of its machines, with the same Python and Ray as there"
            ) from error

    def _planned(self) -> "Plan":
        """Return the plan, once the cluster is known.

        Raises:
            WorkerError: if it has no room for it.
        """
        from mmser.batch.ray_pipeline import count_resources

        cpus, gpus = count_resources()
        on_gpus = self.settings.device.startswith("cuda")
        cores = max(1, self.settings.threads)
        if self.models is None:
            self.models = max(1, gpus if on_gpus else cpus * 2 // 3 // cores)
        if self.workers is None:
            self.workers = max(1, min(cpus - self.models * cores, self.models * MAX_WORKERS_EACH))
        plan = self._planned_alone()
        if plan.cpus > cpus or plan.gpus > gpus:
            raise WorkerError(
                f"{plan.workers} workers and {plan.models} models need {plan.cpus} cores and {plan.gpus} "
                f"GPUs; the Ray cluster has {cpus} and {gpus}: give fewer --workers and --models, or add "
                "machines"
            )
        return plan

    def _planned_alone(self) -> "Plan":
        from mmser.batch.ray_pipeline import Plan

        assert self.workers is not None and self.models is not None
        return Plan(
            settings=self.settings,
            info=self.info,
            dataset=self.dataset,
            workers=self.workers,
            models=self.models,
        )


def _set_environment(*, alone: bool) -> None:
    """Set what Ray goes by, for as long as this process lives, where the user has not."""
    variables = {"RAY_USAGE_STATS_ENABLED": "0"}
    if "ray" in sys.modules:
        pass  # how it was imported decides on tokens
    elif alone:
        # Nobody else may give it work: a token of its own, else Ray writes one into the home folder.
        variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    elif _has_token():
        variables["RAY_AUTH_MODE"] = "token"
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _full(address: str) -> str:
    """Return an address with the port of Ray's clients, where it states none."""
    if address.startswith(CLIENT) and ":" not in address.removeprefix(CLIENT).rpartition("]")[2]:
        return f"{address}:{CLIENT_PORT}"
    return address


def _require_reachable(address: str) -> None:
    """Refuse at once what Ray would try to reach for minutes.

    Raises:
        WorkerError: if nothing listens there.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_REACH).close()
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"no Ray cluster answers at {address} ({error}); look at --ray-address, and whether "
            "`ray start --head` runs there"
        ) from error


def _has_token() -> bool:
    """Tell whether this user has a token for clusters, where Ray itself looks for one."""
    given = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return given or (Path.home() / ".ray" / "auth_token").is_file()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
