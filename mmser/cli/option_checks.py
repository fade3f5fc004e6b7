"""Options of `mmser evaluate` and `mmser baseline` that do not go together, or would do nothing."""

from collections.abc import Collection

from mmser.cli.request import Request
from mmser.errors import UsageError

DEALT = ("speaker-folds", "text-independent")  # protocols that --folds is of
# What past reports are scored by; model and --quiet, --threads and --debug go with anything.
OF_FEEDBACK = (
    *("model", "from_feedback", "against", "revision", "draws", "seed", "output", "json", "overwrite"),
    *("quiet", "debug", "threads"),
)


def check_feedback_options(given: Collection[str]) -> None:
    """Refuse what says how a corpus is scored, where corrections are.

    Raises:
        UsageError: for the first of them.
    """
    if "corpora" in given:
        raise UsageError("--from-feedback scores corrections, not a corpus; leave one of the two out")
    idle = sorted(name for name in given if name not in OF_FEEDBACK)
    if idle:
        raise UsageError(
            f"{_typed(idle[0])} says how a corpus is scored, and --from-feedback scores corrections; leave "
            "one of the two out"
        )


def check_options(request: Request) -> None:
    """Refuse options that contradict each other, and those that the user gave for nothing.

    Raises:
        UsageError: for the first of them.
    """
    if request.split not in ("test", "validation", "all"):
        raise UsageError(f"--split {request.split!r} is not known; it is test, validation or all")
    if request.split != "test" and request.protocol != "split":
        raise UsageError(
            f"--split {request.split} goes with --protocol split; {request.protocol} tests every row itself"
        )
    _check_trained(request)
    wants = {
        "noise": (request.robustness, "without --robustness; give that too"),
        "rooms": (request.robustness, "without --robustness; give that too"),
        "robustness_rows": (request.robustness, "without --robustness; give that too"),
        "model_dir": (request.asr is not None, "without --asr; give that too"),
        "folds": (
            request.protocol in DEALT,
            f"with --protocol {request.protocol}; give {' or '.join(DEALT)}",
        ),
    }
    for name, (useful, why) in wants.items():
        if name in request.given and not useful:
            raise UsageError(f"{_typed(name)} does nothing {why}, or leave it out")


def _check_trained(request: Request) -> None:
    """Refuse what a training needs of a finished model, and the other way round."""
    trained = request.trains or request.command == "baseline"
    if trained and request.split == "all":
        raise UsageError(
            "--split all has every row tested, so that none is left to train on; give --protocol "
            "speaker-folds or leave-one-speaker-out, which test every row once, by what was trained on others"
        )
    if request.command == "baseline":
        return
    if any(text.partition("=")[0].split(".")[0] == "data" for text in request.overrides):
        raise UsageError("--set data would not be read; name the data after the configuration")
    if not request.trains:
        if request.protocol != "split":
            raise UsageError(
                f"--protocol {request.protocol} trains a model on each fold, and {request.model} is trained "
                "already; give a configuration to train (.yaml), see `mmser baseline`, or leave --protocol "
                "out"
            )
        for name in ("work", "restart", "overrides"):
            if name in request.given:
                raise UsageError(
                    f"{_typed(name)} is of trainings, and {request.model} is trained already; leave it out, "
                    "or give a configuration to train (.yaml)"
                )


def _typed(name: str) -> str:
    if name == "overrides":
        return "--set"
    return f"--{name.replace('_', '-')}"
