"""The shape of the house: who may import whom, how long a file may be, what is never done.

Each rule is a function from a file's code to what breaks it, tried on made examples before the house.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

import mmser

ROOT = Path(mmser.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if "assets" not in p.relative_to(ROOT).parts)
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

# A room may import the rooms before it.
ORDER = (
    ("labels", "errors", "record"),
    ("types", "progress", "language", "quiet", "yaml_files"),
    ("hub",),
    ("audio", "transcripts"),
    ("speech",),
    ("talks",),
    ("segmentation", "utterances", "channels", "changes"),
    ("redaction",),
    ("transcription",),
    ("report",),
    ("calls", "aggregation"),
    ("model",),
    ("hearing",),
    ("config_checks",),
    ("loading", "scoring"),
    ("clips", "outputs", "timeline", "reporting"),
    ("references",),
    ("pipeline",),
    ("data",),
    ("evaluation",),
    ("training",),
    ("publishing",),
    ("batch",),
    ("cli",),
    ("__main__",),
)
FRONT_DOOR = "pipeline"  # what `mmser.EmotionPipeline` imports
MODEL_MAY_IMPORT = {"torch", "transformers", "numpy", "math", "bisect", "itertools", "dataclasses"}
MODEL_MAY_IMPORT |= {"typing", "collections", "__future__"}
BROAD = {"Exception", "BaseException"}
RUNS_DATA = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}  # on loading
EVALUATES = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}


@cache
def nodes(code: str) -> Sequence[ast.AST]:
    """Return everything in a file's code; parsed once for all rules."""
    return [*ast.walk(ast.parse(code))]


def room(name: str) -> str:
    """Return the room of a file, "report/html.py" → "report"."""
    return Path(name).parts[0].removesuffix(".py")


def is_room(name: str) -> bool:
    return (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()


def level(name: str) -> int:
    for depth, rooms in enumerate(ORDER):
        if name in rooms:
            return depth
    raise AssertionError(f"mmser/{name} has no place in ORDER: give it one")


def imports(code: str, name: str) -> Iterator[str]:
    """Yield the mmser modules that a file imports, dotted, without the leading `mmser.`.

    Args:
        code: the file's.
        name: its path in the package, against which relative imports are resolved.
    """
    package = ["mmser", *Path(name).parts[:-1]]
    for node in nodes(code):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found = [f"{module}.{alias.name}" for alias in node.names] if module == "mmser" else [module]
        else:
            continue
        for full in found:
            first, _, inner = full.partition(".")
            if first == "mmser" and inner != "__version__":
                yield inner if inner and is_room(inner.split(".")[0]) else FRONT_DOOR


def upward_imports(code: str, name: str) -> list[str]:
    """Return what a file imports from rooms that are not before its own."""
    own = room(name)
    others = [(module, module.split(".")[0]) for module in imports(code, name)]
    return [module for module, other in others if other != own and level(other) >= level(own)]


def swallowed(code: str) -> list[str]:
    """Return where every kind of exception is caught and neither raised again nor looked at."""
    found = []
    for node in nodes(code):
        if isinstance(node, ast.ExceptHandler):
            inside = [inner for statement in node.body for inner in ast.walk(statement)]
            told = any(
                isinstance(inner, ast.Raise)
                or (isinstance(inner, ast.Name) and node.name is not None and inner.id == node.name)
                for inner in inside
            )
            if node.type is None or (_broad(node.type) and not told):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
            found += [ast.unparse(node)] if any(_broad(kind) for kind in node.args) else []
    return found


def _broad(kind: ast.expr) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(ast.unparse(one).removeprefix("builtins.") in BROAD for one in kinds)


def loads_of_code(code: str) -> list[str]:
    """Return where data could bring code with it."""
    found = []
    for node in nodes(code):
        if isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {key.arg: key.value for key in node.keywords}
            unsafe = name in EVALUATES or (name == "torch.load" and not _is(given.get("weights_only"), True))
            pickled = "allow_pickle" in given and not _is(given["allow_pickle"], False)
            found += [ast.unparse(node)] if unsafe or pickled else []
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in RUNS_DATA]
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            hidden = names & {*EVALUATES, "torch.load"}  # under a name of its own a call is not recognised
            found += [str(node.module)] if str(node.module).split(".")[0] in RUNS_DATA or hidden else []
    return found


def _is(value: ast.expr | None, wanted: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is wanted


def foreign_imports(code: str) -> list[str]:
    """Return what a model file imports beside torch, transformers, a few more and its siblings."""
    found = []
    for node in nodes(code):
        if isinstance(node, ast.Import):
            found += [n.name for n in node.names if n.name.split(".")[0] not in MODEL_MAY_IMPORT]
        elif isinstance(node, ast.ImportFrom):
            sibling = node.level == 1 and str(node.module).endswith("_mmser")
            allowed = not node.level and str(node.module).split(".")[0] in MODEL_MAY_IMPORT
            found += [] if sibling or allowed else [ast.unparse(node)]
    return found


# --- the rules themselves --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "name", "upward"),
    [
        ("from mmser.pipeline import X", "report/html.py", ["pipeline"]),
        ("from mmser import cli, pipeline", "report/html.py", ["cli", "pipeline"]),
        ("from mmser import EmotionPipeline", "report/html.py", ["pipeline"]),
        ("import mmser", "report/html.py", ["pipeline"]),
        ("import mmser.training.card as card", "report/html.py", ["training.card"]),
        ("from ..pipeline import X", "report/html.py", ["pipeline"]),
        ("from .. import cli", "report/html.py", ["cli"]),
        ("from . import cli", "outputs.py", ["cli"]),
        ("from .cli.analyze import X", "outputs.py", ["cli.analyze"]),
        ("from ..scoring import X", "loading/hub.py", ["scoring"]),  # side by side is not before
        ("def late():\n    from ..cli import main", "report/html.py", ["cli"]),
        ("from . import palette\nfrom .palette import X", "report/html.py", []),
        ("from ..types import X\nfrom .. import audio, __version__", "report/html.py", []),
        ("import torch\nfrom pathlib import Path\nfrom mmserver import x", "report/html.py", []),
    ],
)
def test_upward_imports_are_seen_in_every_form(code: str, name: str, upward: list[str]):
    assert upward_imports(code, name) == upward


@pytest.mark.parametrize(
    ("handler", "swallows"),
    [
        ("except Exception: pass", True),
        ("except Exception: return None", True),
        ("except Exception:\n        x = 0\n        return x", True),
        ("except (ValueError, Exception): ...", True),
        ("except BaseException as error: return {}", True),
        ("except: raise", True),
        ("except Exception: log('it failed')", True),
        ("except Exception as error: return str(error)", False),
        ("except Exception as error: raise ValueError from error", False),
        ("except BaseException:\n        tidy()\n        raise", False),
        ("except OSError: return None", False),
    ],
)
def test_swallowed_exceptions_are_seen_in_every_form(handler: str, swallows: bool):
    assert bool(swallowed(f"def f():\n    try: work()\n    {handler}")) is swallows


@pytest.mark.parametrize(
    ("code", "swallows"),
    [
        ("with contextlib.suppress(Exception): work()", True),
        ("with suppress(KeyError, BaseException): work()", True),
        ("with contextlib.suppress(OSError): work()", False),
    ],
)
def test_suppressing_everything_is_swallowing_it(code: str, swallows: bool):
    assert bool(swallowed(code)) is swallows


@pytest.mark.parametrize(
    ("code", "loads"),
    [
        ("torch.load(path, weights_only=True)", False),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, weights_only=safe)", True),
        ("torch.load(path)", True),
        ("from torch import load", True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path)", False),
        ("import pickle", True),
        ("from joblib import load", True),
        ("yaml.load(text, Loader=Loader)", True),
        ("yaml.safe_load(text)", False),
        ("eval(text)", True),
        ("model.eval()", False),
    ],
)
def test_loads_that_could_bring_code_are_seen(code: str, loads: bool):
    assert bool(loads_of_code(code)) is loads


@pytest.mark.parametrize(
    "code", ["from ..torch import x", "from . import fusion", "import mmser", "import re"]
)
def test_model_files_may_not_import_beyond_their_siblings(code: str):
    assert foreign_imports(code)
    assert not foreign_imports("import torch\nfrom .fusion_mmser import X\nfrom transformers import Y")


# --- the house -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name != "__init__.py"])
def test_imports_point_downwards(name: str):
    # mmser/__init__.py is the front door: it names the pipeline and imports it on first use.
    assert upward_imports((ROOT / name).read_text("utf-8"), name) == []


@pytest.mark.parametrize("path", sorted((ROOT / "model").glob("*_mmser.py")), ids=lambda p: p.name)
def test_model_files_import_only_torch_transformers_and_siblings(path: Path):
    assert foreign_imports(path.read_text("utf-8")) == []


@pytest.mark.parametrize("name", NAMES)
def test_files_are_short_swallow_no_exception_and_load_no_code(name: str):
    code = (ROOT / name).read_text("utf-8")
    assert code.count("\n") <= 400
    assert swallowed(code) == []
    assert loads_of_code(code) == []


@pytest.mark.parametrize("name", NAMES)
def test_functions_are_short(name: str):
    """What a function does fits on a page; its signature and its docstring are not counted."""
    for node in nodes((ROOT / name).read_text("utf-8")):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0], node.body[-1]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first = node.body[min(1, len(node.body) - 1)]
            assert last.end_lineno is not None
            assert last.end_lineno - first.lineno < 60, node.name


def test_model_files_keep_the_labels_of_the_house():
    from mmser import labels
    from mmser.model import configuration_mmser as model

    assert model.EMOTIONS == labels.EMOTIONS
    assert model.ROLES == labels.ROLES
    assert model.DIRECTIONS == labels.DIRECTIONS
