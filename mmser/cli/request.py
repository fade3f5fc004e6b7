"""What is asked of `mmser evaluate` and `mmser baseline`, and how it is typed again."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from mmser.cli.corpora import CONFIGS
from mmser.evaluation.defaults import DRAWS, FOLDS, ROBUSTNESS_ROWS, SPLICED_CALLS

MOST_SPLICED = 100  # calls of each speaker; intervals are over speakers, and more calls make none narrower
# Options that do not decide the result, and those that `baseline` has as well.
HIDDEN = ("data", "model_dir", "work", "restart", "quiet", "threads", "command", "training_seed", "given")
SHARED = ("protocol", "split", "folds", "seed", "draws", "allow_overlap")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of a command."""

    model: str
    corpora: Path
    data: Path | None
    protocol: str = "split"
    split: str = "test"
    folds: int = FOLDS
    seed: int = 0
    draws: int = DRAWS
    baselines: str = "auto"
    views: bool = True
    asr: str | None = None
    model_dir: Path | None = None  # of the weights of a recogniser
    robustness: bool = False
    robustness_rows: int = ROBUSTNESS_ROWS
    noise: Path | None = None
    rooms: Path | None = None
    spliced_calls: int = SPLICED_CALLS
    fairness: bool = True
    allow_overlap: bool = False
    work: Path | None = None
    restart: bool = False
    overrides: tuple[str, ...] = ()  # of a configuration to train
    training_seed: int | None = None  # None = the configuration's own
    threads: int = 1
    quiet: bool = False
    command: str = "evaluate"
    given: frozenset[str] = frozenset()  # names of the options that the user gave, whatever their values

    @property
    def trains(self) -> bool:
        """Whether a configuration is trained on folds, and not a finished model scored."""
        return self.model.lower().endswith(CONFIGS)

    def shown(self) -> dict[str, str]:
        """Return the options that decide the result, and the command; no folder of this machine."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in HIDDEN}
        # Of a path its name: where it lies is nobody's business.
        shown = {
            name: value.name if isinstance(value, Path) else str(value)
            for name, value in values.items()
            if value is not None
        }
        shown["model"] = Path(self.model).name if Path(self.model).exists() else self.model
        shown.pop("overrides")
        if self.overrides:
            shown["set"] = " ".join(self._overrides())
        return shown | {"command": self._command(shown)}

    def _command(self, shown: Mapping[str, str]) -> str:
        """Return what is typed to print the result again."""
        typed = [shlex.quote(shown[name]) for name in ("model", "corpora")]
        paths = ["--data", "FOLDER"] if self.corpora.suffix.lower() in CONFIGS else []
        words = ["mmser", self.command, *typed, *paths]
        for one in fields(self):
            name, value, option = one.name, getattr(self, one.name), f"--{one.name.replace('_', '-')}"
            if name in (*HIDDEN, "model", "corpora") or (value == one.default and name not in self.given):
                continue
            if self.command == "baseline" and name not in SHARED:
                continue
            if name == "overrides":
                words += [word for one in self._overrides() for word in ("--set", shlex.quote(one))]
            elif isinstance(value, bool):
                words.append(option if value else option.replace("--", "--no-", 1))
            else:
                words += [option, shlex.quote(shown[name])]
        return " ".join(words)

    def _overrides(self) -> list[str]:
        """Return the settings of a training, of absolute paths in them the names."""
        return [re.sub(r"(?<![\w.~/-])[~/][^\s'\",{}\[\]]*/", "", text) for text in self.overrides]
