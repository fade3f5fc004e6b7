"""Training configurations: bases, overrides, and what is refused in a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mmser.training.config import ConfigError, read_config

GOOD: dict[str, Any] = {
    "data": [{"corpus": "ravdess", "path": "r"}],
    "model": {"text_encoder": "bert", "options": {"audio_size": 24}},
    "joint": {"steps": 4, "augment": {"speed": 0.5}},
}


def write(folder: Path, name: str = "config.yaml", **values: Any) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def problem(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message and caught.value.exit_code == 2
    return message


def test_a_configuration_holds_the_differences_from_its_base(tmp_path: Path):
    write(tmp_path, "base.yaml", **GOOD, seed=1)
    write(tmp_path, "middle.yaml", base="base.yaml", joint={"batch_size": 2})
    path = write(tmp_path, base="middle.yaml", joint={"steps": None, "epochs": 2}, data=[])
    found = read_config(path)
    assert (found.seed, found.data) == (1, [])
    assert found.joint is not None
    assert (found.joint.epochs, found.joint.batch_size, found.joint.augment.speed) == (2, 2, 0.5)


def test_overrides_are_yaml_under_dotted_keys(tmp_path: Path):
    path = write(tmp_path, **GOOD)
    found = read_config(
        path, ("joint.steps=50", "joint.learning_rate=1e-4", "model.freeze={text: all}", "license=a=b")
    )
    assert found.joint is not None
    assert (found.joint.steps, found.joint.learning_rate) == (50, 1e-4)
    assert found.model.freeze == {"text": "all"}
    assert found.license == "a=b"
    assert read_config(path, ("joint=null",)).joint is None
    assert read_config(path, ("text.steps=5",)).text is not None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("joint.step=5", "unknown key 'joint.step', did you mean 'steps'?"),
        ("joint.augment.sped=1", "unknown key 'joint.augment.sped', did you mean 'speed'?"),
        ("modell=1", "unknown key 'modell', did you mean 'model'?"),
        ("model.options.audio_sise=9", "the model has no option 'audio_sise', did you mean 'audio_size'?"),
        ("model.options.calibration=9", "the model has no option 'calibration'"),
        ("data=[{corpus: ravdess, pat: r}]", "unknown key 'data.0.pat', did you mean 'path'?"),
        ("joint.weights.emotoin=1", "'joint.weights.emotoin"),
        ("joint.steps=many", "joint.steps=many: 'joint.steps' must be a whole number (found 'many')"),
        ("joint.batch_size=0", "'joint.batch_size' must be at least 1"),
        (
            "joint.learning_rate=1.0e+300",
            "'joint.learning_rate' must be at most",
        ),
        ("joint.average=1", "'joint.average' must be less than 1"),
        ("seed=-1", "'seed' must be at least 0"),
        ("seed=99999999999999999999", "'seed' must be less than"),
        ("joint.steps=null", "'joint': give either steps or epochs"),
        ("model.freeze.text=some", "'model.freeze.text' must be 'all' or a whole number (found 'some')"),
        ("model.freeze={image: 1}", "'model.freeze.image' must be 'text' or 'audio'"),
        ("model.voice_encoder=3", "'model.voice_encoder' must be a path"),
        ("joint=4", "'joint' must be a mapping"),
        ("data=ravdess", "'data' must be a list"),
        ("model.start_from=default", "start_from brings its own encoders; leave out text_encoder"),
        ("joint.steps", "'joint.steps' is no override; write key=value"),
        ("=4", "'=4' is no override"),
        ("base=quick.yaml", "'base=quick.yaml' comes too late"),
        ("joint.weights.audio=-1", "'joint.weights.audio' must be at least 0"),
        ("joint.steps=[", "the value in 'joint.steps=[' is not valid YAML"),
        ("seed=2024-99-99", "the value in 'seed=2024-99-99' is not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(override: str, said: str, tmp_path: Path):
    assert said in problem(write(tmp_path, **GOOD), override)


def test_what_a_file_gets_wrong_is_not_blamed_on_an_override(tmp_path: Path):
    path = write(tmp_path, **GOOD | {"joint": {"batch_size": 4}})
    said = problem(path, "joint.batch_size=8", "seed=1")
    assert f"{path} with joint.batch_size=8: 'joint': give either steps or epochs" in said
    assert f"{path}: 'joint'" in problem(path, "seed=1")
    assert "joint={}: 'joint': give either" in problem(write(tmp_path, **GOOD), "joint={}")


def test_an_override_of_the_length_replaces_the_other_way_to_give_it(tmp_path: Path):
    """As `joint.steps=50` on a configuration that gives epochs; who gives both is told."""
    path = write(tmp_path, **GOOD | {"joint": {"epochs": 20}})
    found = read_config(path, ("joint.steps=50",)).joint
    assert found is not None and (found.steps, found.epochs) == (50, None)
    found = read_config(write(tmp_path, **GOOD), ("joint.epochs=3",)).joint
    assert found is not None and (found.steps, found.epochs) == (None, 3)
    found = read_config(path, ("joint.epochs=null", "joint.steps=2")).joint
    assert found is not None and (found.steps, found.epochs) == (2, None)
    assert "'joint': give either steps or epochs" in problem(path, "joint.steps=50", "joint.epochs=3")


def test_bases_that_lead_in_a_circle_are_refused(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    write(tmp_path, "a.yaml", base="inner/b.yaml")
    write(tmp_path / "inner", "b.yaml", base="../a.yaml")
    assert "its bases lead back to itself" in problem(tmp_path / "a.yaml")
    assert "its bases lead back to itself" in problem(write(tmp_path, "own.yaml", base="own.yaml"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"joint: [1", "line 1: not valid YAML"),
        (b"- 1", "a configuration is a mapping of options"),
        (b"seed: 1\nseed: 2", "line 2: not valid YAML: the key 'seed' is there twice"),
        (b"", "a configuration is a mapping of options"),
        (b"seed: \xff", "not UTF-8 text"),
        (b"seed: !!python/object:os.system 1", "not valid YAML"),
        (b"base: 3", "base is 3; give the name of a configuration"),
        (b"seed: 2024-99-99", "a value in the configuration cannot be read"),
        (b"seed: " + b"[" * 20_000, "nested too deeply"),
        (b"#" * 1_000_001, "larger than 1000000 bytes"),
        (b"base: nowhere.yaml", "nowhere.yaml: the configuration cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(content: bytes, said: str, tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    assert said in problem(path)
    assert "cannot be read" in problem(tmp_path / "missing.yaml")
    assert "cannot be read" in problem(tmp_path)
