"""The shape of the house: who may import whom, how long a file may be, what is never done."""

import ast
from pathlib import Path

import pytest

import mmser

ROOT = Path(mmser.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if "assets" not in p.parts)

# A room may import the rooms before it.
ORDER = (
    ("labels", "errors"),
    ("types", "progress", "language"),
    ("audio", "transcripts"),
    ("segmentation", "utterances", "channels"),
    ("report",),
    ("calls", "aggregation"),
    ("model",),
    ("loading", "scoring"),
    ("clips", "outputs"),
    ("pipeline",),
    ("data",),
    ("evaluation",),
    ("training",),
    ("cli",),
    ("__main__",),
)


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Return the mmser modules a file imports, dotted, without the leading `mmser.`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [n.name for n in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(node.module or "")
    return [name.removeprefix("mmser.") for name in found if name.startswith("mmser.")]


def level(name: str) -> int:
    for depth, rooms in enumerate(ORDER):
        if name in rooms:
            return depth
    raise AssertionError(f"mmser/{name} has no place in ORDER: give it one")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path: Path):
    if path == ROOT / "__init__.py":
        return  # the front door: it names the pipeline and imports it on first use
    own = level(room(path))
    for name in imports(path):
        other = name.split(".")[0]
        assert other == room(path) or level(other) < own, name


@pytest.mark.parametrize("path", sorted((ROOT / "model").glob("*_mmser.py")), ids=lambda p: p.name)
def test_model_files_import_only_torch_transformers_and_siblings(path: Path):
    allowed = {"torch", "transformers", "numpy", "math", "bisect", "itertools", "dataclasses"}
    allowed |= {"typing", "collections", "__future__"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {n.name.split(".")[0] for n in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom):
            sibling = node.level == 1 and str(node.module).endswith("_mmser")
            assert sibling or str(node.module).split(".")[0] in allowed, node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_swallow_no_exception(path: Path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, "bare except"
            silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
            assert not (silent and ast.unparse(node.type) == "Exception")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_are_short(path: Path):
    """What a function does fits on a page; its signature and its docstring are not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            first, last = node.body[0], node.body[-1]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first = node.body[min(1, len(node.body) - 1)]
            assert last.end_lineno is not None
            assert last.end_lineno - first.lineno < 60, node.name


def test_nothing_loads_code_from_data():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("eval", "exec", "pickle.load", "pickle.loads", "yaml.load"), path
                if name == "torch.load":
                    assert any(k.arg == "weights_only" for k in node.keywords), path


def test_model_files_keep_the_labels_of_the_house():
    from mmser import labels
    from mmser.model import configuration_mmser as model

    assert model.EMOTIONS == labels.EMOTIONS
    assert model.ROLES == labels.ROLES
    assert model.DIRECTIONS == labels.DIRECTIONS
