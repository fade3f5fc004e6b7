"""`mmser push` against a Hub on this machine: published whole or not at all, and seen to work there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tests.hub.clean_client import Client, client_of
from tests.hub.commands import Commands
from tests.hub.hub_wire import ALICE, BOB, READER
from tests.hub.local_hub import LocalHub
from tests.publishing.made_models import publishable


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publishable(tmp_path_factory.mktemp("push") / "tiny")


@pytest.fixture(scope="module")
def commands(hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with Commands(client_of(hub, tmp_path_factory.mktemp("home"), ALICE.token)) as commands:
        yield commands


@pytest.fixture(autouse=True)
def well(hub: LocalHub) -> None:
    hub.forget()


CLEAN = """
import sys
sys.modules["mmser"] = None  # importing it fails
import numpy as np, torch
from transformers import AutoModel, AutoProcessor
name = "alice/tiny"
try:
    AutoModel.from_pretrained(name, trust_remote_code=False)
except ValueError as error:
    print("refused:", "trust_remote_code" in str(error))
model = AutoModel.from_pretrained(name, revision="v1", trust_remote_code=True)
processor = AutoProcessor.from_pretrained(name, revision="v1", trust_remote_code=True)
wave = np.random.default_rng(0).normal(0, 0.1, 16000).astype("float32")
inputs = processor(audio=wave, text="where is my parcel", sampling_rate=16000)
print(tuple(model.predict(**inputs).emotion.shape))
"""


def test_a_pushed_model_is_verified_and_works_for_others_with_mmser_and_without(
    hub: LocalHub, commands: Commands, model: Path, tmp_path: Path
):
    ran = commands.run("push", model, "--repo", "alice/tiny", "--tag", "v1", "--public")
    assert ran.code == 0, ran.stderr
    assert "alice/tiny: " in ran.stdout and "public" in ran.stdout
    assert "verified: downloaded and run without mmser, 22 logits differ by 0 at most" in ran.stdout
    assert ALICE.token not in ran.stdout + ran.stderr
    repository = hub.repository("alice/tiny")
    assert not repository.private and repository.tags["v1"] == repository.branches["main"]
    assert len(repository.commits) == 2  # the Hub's first, and this one
    files = hub.files("alice/tiny")
    for path in sorted(model.glob("*_mmser.py")):
        assert files[path.name] == path.read_bytes()
    assert files["model.safetensors"] == (model / "model.safetensors").read_bytes()
    assert {"README.md", "LICENSE", "config.json", "evaluation.json", "evaluation.md"} <= files.keys()
    assert {"tokenizer.json", "processor_config.json", "training_data.json"} <= files.keys()
    config = json.loads(files["config.json"])
    assert config["auto_map"]["AutoModel"] == "modeling_mmser.MmserModel" and config["schema_version"] == 1
    assert config["id2label"]["0"] == "anger" and config["weights_license"] == "CC-BY-NC-SA-4.0"
    client = Client(tmp_path / "other", hub.url)  # nobody, as it is public now
    clean = client.python(CLEAN)
    assert clean.stdout.split("\n")[:2] == ["refused: True", "(1, 7)"], clean.stderr[-2000:]


def test_a_card_has_metadata_that_the_hub_takes_and_says_what_must_be_said(commands: Commands, model: Path):
    ran = commands.run("push", model, "--repo", "alice/card", "--dry-run", "--json")
    assert ran.code == 0, ran.stderr
    said = json.loads(ran.stdout)
    card = ModelCard(said["card"])
    assert card.data.license == "cc-by-nc-sa-4.0" and card.data.pipeline_tag == "audio-classification"
    assert card.data.language == ["en"] and card.data.datasets == ["AbstractTTS/RAVDESS"]
    results = card.data.eval_results
    assert {one.dataset_type for one in results} == {"ravdess", "nemo", "emodb", "goemotions", "meld"}
    uar = next(o for o in results if o.dataset_type == "ravdess" and o.metric_type == "recall")
    assert uar.metric_value == pytest.approx(0.644, abs=5e-4)
    assert uar.metric_name == "UAR (macro recall), 95 % [0.524, 0.764], n=240" and uar.dataset_split == "test"
    for words in (
        "## Prohibited and out of scope",
        "Art. 5(1)(f)",
        "legal or similarly significant effect",
        "Diagnosis",
        "### Damaged input",
        "### Groups of people",
        "### Calibration and abstention",
        "| ravdess | CC-BY-NC-SA-4.0",
        "trust_remote_code=True",
        "Neither the time nor the energy of its training was recorded.",
        "@misc{card,",
    ):
        assert words in said["card"], words
    assert str(model.parent) not in said["card"]


def test_a_dry_run_shows_every_file_and_the_card_and_asks_the_hub_nothing(
    hub: LocalHub, commands: Commands, model: Path
):
    (model / "checkpoints").mkdir(exist_ok=True)
    ran = commands.run("push", model, "--repo", "alice/dry", "--dry-run", HF_TOKEN=None)
    commands.run("info", HF_TOKEN=ALICE.token)
    assert ran.code == 0 and hub.asked == []
    for name in ("README.md", "model.safetensors", "modeling_mmser.py", "evaluation.json", "LICENSE"):
        assert f"  {name} " in ran.stdout
    assert "stays here: checkpoints/" in ran.stdout and "## Intended use" in ran.stdout
    assert "open to everybody: no" in ran.stdout


def test_pushing_the_same_again_changes_nothing_and_something_new_makes_one_commit(
    hub: LocalHub, commands: Commands, tmp_path: Path
):
    model = publishable(tmp_path / "tiny")
    push = ("push", model, "--repo", "alice/again", "--no-verify")
    assert commands.run(*push, "--tag", "v1").code == 0
    before = hub.repository("alice/again").branches["main"]
    ran = commands.run(*push, "--tag", "v1")
    assert ran.code == 0 and "nothing new: all files are there already" in ran.stdout
    assert hub.repository("alice/again").branches["main"] == before
    assert hub.count("POST", "/commit/") == 1
    (model / "about.yaml").write_text("description: Made for a test.\nenergy_kwh: 0.5\n", "utf-8")
    ran = commands.run(*push, "--tag", "v1")
    assert ran.code == 2 and "has a tag 'v1' already, which stands at other files" in ran.stderr
    assert hub.repository("alice/again").branches["main"] == before
    ran = commands.run(*push, "--tag", "v2")
    assert ran.code == 0 and "1 files, commit" in ran.stdout
    assert b"Energy, as its publisher measured it: 0.5 kWh." in hub.files("alice/again")["README.md"]
    assert hub.repository("alice/again").private


def test_what_an_earlier_push_left_goes_and_what_others_added_stays(
    hub: LocalHub, commands: Commands, model: Path
):
    hub.seed(
        "alice/old", {"gone_mmser.py": b"", "pytorch_model.bin": b"x", "logo.svg": b"<svg/>"}, private=True
    )
    ran = commands.run("push", model, "--repo", "alice/old", "--no-verify")
    assert ran.code == 0 and "removed: gone_mmser.py, pytorch_model.bin" in ran.stdout
    assert "logo.svg" in hub.files("alice/old") and "pytorch_model.bin" not in hub.files("alice/old")


def test_a_branch_is_made_for_a_revision_and_main_stays(hub: LocalHub, commands: Commands, model: Path):
    hub.seed("alice/branch", {"a.txt": b"a"}, private=True)
    main = hub.repository("alice/branch").branches["main"]
    assert (
        commands.run("push", model, "--repo", "alice/branch", "--revision", "next", "--no-verify").code == 0
    )
    assert hub.repository("alice/branch").branches["main"] == main
    assert "model.safetensors" in hub.files("alice/branch", "next")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (("PUT", "/storage/", {"status": 403}), "nothing was published"),
        pytest.param(  # the client tries again and again
            ("PUT", "/storage/", {"cut_after": 1000, "times": 99}),
            "nothing was published",
            marks=pytest.mark.slow,
        ),
        (("POST", "/commit/", {"status": 500}), "the Hub has trouble of its own (it answered 500)"),
        (("POST", "/commit/", {"status": 412}), "somebody else committed to alice/broken meanwhile"),
        (("POST", "/commit/", {"status": 409}), "changed meanwhile, in alice/broken"),
        (
            ("POST", "/commit/", {"status": 403}),
            "may not write alice/broken; take one of alice's that may write",
        ),
        (("POST", "/commit/", {"status": 429, "times": 99}), "the Hub was asked too often from here"),
        (("POST", "/commit/", {"cut_after": 10}), "the Hub cannot be reached"),
        pytest.param(
            ("POST", "/preupload/", {"status": 502, "times": 99}), "it answered 502", marks=pytest.mark.slow
        ),
    ],
)
def test_an_interrupted_upload_leaves_no_revision_branch_or_tag(
    hub: LocalHub, commands: Commands, model: Path, fault, said: str
):
    if ("model", "alice/broken") not in hub.storage.repositories:
        hub.seed("alice/broken", {"a.txt": b"a"}, private=True)
    method, path, options = fault
    before = dict(hub.repository("alice/broken").branches)
    for known in (hub.storage.folder / "objects").glob("*"):  # so that it is uploaded again
        if known.stat().st_size == (model / "model.safetensors").stat().st_size:
            known.unlink()
    hub.fault(method, path, **options)
    ran = commands.run(
        "push", model, "--repo", "alice/broken", "--revision", "next", "--tag", "v1", "--no-verify"
    )
    assert ran.code == 1 and said in ran.stderr and "nothing was published" in ran.stderr
    assert ALICE.token not in ran.stderr
    assert len([line for line in ran.stderr.splitlines() if "error" in line]) == 1
    repository = hub.repository("alice/broken")
    assert repository.branches == before and repository.tags == {}


@pytest.mark.parametrize(
    ("token", "repo", "code", "said"),
    [
        (None, "alice/new", 2, "nobody is logged in to the Hub; log in with: hf auth login"),
        ("hf_wrongwrong", "alice/new", 1, "the Hub does not accept the token in use for alice/new"),
        (BOB.token, "alice/new", 1, "the token in use may not write alice/new"),
        (READER.token, "alice/new", 1, "the token in use may not write alice/new"),
        (ALICE.token, "al ice/new", 2, "is no repository's name; write NAME/REPOSITORY"),
        (ALICE.token, "a/b/c", 2, "is no repository's name; write NAME/REPOSITORY"),
        (ALICE.token, "alone", 2, "write NAME/REPOSITORY"),
        (ALICE.token, "", 2, "write NAME/REPOSITORY"),
        (ALICE.token, "ä/ö", 2, "write NAME/REPOSITORY"),
        (ALICE.token, "alice/open", 2, "alice/open is open to everybody; give --public if that is meant"),
    ],
)
def test_who_may_not_publish_is_told_what_to_do(
    hub: LocalHub, commands: Commands, model: Path, token: str | None, repo: str, code: int, said: str
):
    if ("model", "alice/open") not in hub.storage.repositories:
        hub.seed("alice/open", {"a.txt": b"a"})
    ran = commands.run("push", model, "--repo", repo, "--no-verify", HF_TOKEN=token)
    commands.run("info", HF_TOKEN=ALICE.token)
    assert (ran.code, said in ran.stderr) == (code, True), ran.stderr
    assert ("model", repo) not in hub.storage.repositories or repo == "alice/open"
    assert token is None or token not in ran.stderr


def test_a_hub_out_of_reach_is_told_in_one_sentence(hub: LocalHub, commands: Commands, model: Path):
    hub.fault("*", "", cut_after=0, times=99)
    ran = commands.run("push", model, "--repo", "alice/away", "--no-verify")
    assert ran.code == 1 and "the Hub cannot be reached" in ran.stderr


def test_what_may_not_be_published_is_refused_and_what_is_forced_stands_in_the_card(
    commands: Commands, tmp_path: Path
):
    model = publishable(tmp_path / "own", licence="Apache-2.0", corpora=("mine", "goemotions"))
    push = ("push", model, "--repo", "alice/own", "--dry-run")
    ran = commands.run(*push)
    assert ran.code == 1 and "no licence is stated for mine" in ran.stderr
    ran = commands.run(*push, "--acknowledge-unlicensed", "mine")
    assert ran.code == 0 and "**No licence is stated** for mine" in ran.stdout
    ran = commands.run(*push, "--acknowledge-unlicensed", "mine", "--license", "CC0-1.0")
    assert ran.code == 1 and "asks nobody to name the authors" in ran.stderr
    (model / "evaluation.json").unlink()
    ran = commands.run(*push, "--acknowledge-unlicensed", "mine")
    assert ran.code == 1 and "there are no evaluation results for these weights" in ran.stderr
    ran = commands.run(*push, "--acknowledge-unlicensed", "mine", "--force")
    assert ran.code == 0 and "warning: forced" in ran.stderr
    assert "**Published in spite of a fault (`--force`)**: there are no evaluation results" in ran.stdout
    (model / "training_data.json").unlink()
    ran = commands.run(*push)
    assert ran.code == 1 and "no evaluation results" in ran.stderr


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("energy_kwh: -1", "energy_kwh must be at least 0"),
        ("energi: 1", "holds 'energi', which is not known; known are title"),
        ("title: [1]", "title must be a text"),
        ("- a", "must be a mapping"),
        ("[]", "must be a mapping"),
        ("title: '---'", "title"),
        ('title: "a\\nb"', "title"),
        ("base_models: [not an id]", "base_models.0"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_is_said_of_a_model_is_checked(commands: Commands, model: Path, tmp_path: Path, about, said):
    path = tmp_path / "about.yaml"
    path.write_text(about, "utf-8")
    ran = commands.run("push", model, "--repo", "alice/x", "--dry-run", "--about", path)
    assert ran.code == 2 and said in ran.stderr, ran.stderr


@pytest.mark.parametrize("name", ["", "a b", "../x", "ü", "v1.lock", "HEAD", "refs/pr/1", "0" * 40])
def test_a_branch_or_tag_that_git_would_not_take_is_refused_before_anything_is_done(
    hub: LocalHub, commands: Commands, model: Path, name: str
):
    for option in ("--tag", "--revision"):
        ran = commands.run("push", model, "--repo", "alice/x", option, name, "--no-verify")
        assert ran.code == 2 and f"{option} {name!r} cannot be" in ran.stderr
    assert hub.asked == []


@pytest.mark.slow  # two clean processes more
def test_a_model_that_answers_otherwise_from_the_hub_is_told_and_stays_private(
    hub: LocalHub, commands: Commands, model: Path
):
    hub.fault("GET", "alice/bad/resolve/.*/model.safetensors", tamper=True, times=99)
    ran = commands.run("push", model, "--repo", "alice/bad", "--public")
    assert ran.code == 1 and "was written (commit" in ran.stderr and "does not work there" in ran.stderr
    assert hub.repository("alice/bad").private


def test_a_tag_that_cannot_be_made_is_told_after_the_files_are_there(
    hub: LocalHub, commands: Commands, model: Path
):
    hub.fault("POST", "/tag/", status=500)
    ran = commands.run("push", model, "--repo", "alice/tagless", "--tag", "v1", "--no-verify")
    assert (
        ran.code == 1
        and "the files are published as" in ran.stderr
        and "without all their tags" in ran.stderr
    )
    ran = commands.run("push", model, "--repo", "alice/tagless", "--tag", "v1", "--no-verify")
    assert ran.code == 0 and "nothing new" in ran.stdout and "v1" in hub.repository("alice/tagless").tags


def test_of_a_folder_only_what_makes_a_model_is_published_and_no_place_on_a_disk(
    commands: Commands, tmp_path: Path
):
    model = publishable(tmp_path / "odd")
    for name in ("vocab.pkl", "tokenizer.json.bak", "tokenizer_x.bin", "optimizer.pt", ".env", "notes.txt"):
        (model / name).write_text("secret", "utf-8")
    settings = json.loads((model / "tokenizer_config.json").read_text("utf-8"))
    (model / "tokenizer_config.json").write_text(json.dumps(settings | {"name_or_path": "/home/x"}), "utf-8")
    push = ("push", model, "--repo", "alice/odd", "--dry-run", "--json")
    ran = commands.run(*push)
    assert ran.code == 0, ran.stderr
    said = json.loads(ran.stdout)
    names = {file["path"] for file in said["files"]}
    assert not names & {
        "vocab.pkl",
        "tokenizer.json.bak",
        "tokenizer_x.bin",
        "optimizer.pt",
        ".env",
        "notes.txt",
    }
    assert "vocab.pkl" in said["left"] and "tokenizer_config.json" in names
    (model / "vocab.txt").symlink_to("/etc/hostname")
    ran = commands.run(*push)
    assert ran.code == 1 and "is a link out of the model's folder" in ran.stderr


@pytest.mark.parametrize(
    ("name", "said"), [("", "there is no model folder ''"), ("no/model", "there is no model folder")]
)
def test_only_a_folder_or_the_bundled_model_is_pushed(
    hub: LocalHub, commands: Commands, name: str, said: str
):
    ran = commands.run("push", name, "--repo", "alice/x")
    assert ran.code == 2 and said in ran.stderr and hub.asked == []


def test_training_data_that_say_nothing_are_no_training_data(commands: Commands, tmp_path: Path):
    model = publishable(tmp_path / "empty", licence="MIT", corpora=())
    ran = commands.run("push", model, "--repo", "alice/x", "--dry-run")
    assert ran.code == 1 and "it is not known what the model was trained on" in ran.stderr


def test_images_and_notices_of_others_stay_in_the_repository(hub: LocalHub, commands: Commands, model: Path):
    hub.seed(
        "alice/extra", {"banner.png": b"p", "NOTICE-x.txt": b"n", "training_run.json": b"{}"}, private=True
    )
    ran = commands.run("push", model, "--repo", "alice/extra", "--no-verify")
    assert ran.code == 0 and "removed: training_run.json" in ran.stdout
    assert {"banner.png", "NOTICE-x.txt"} <= hub.files("alice/extra").keys()


def test_a_token_that_somebody_left_in_a_text_is_not_published(commands: Commands, tmp_path: Path):
    model = publishable(tmp_path / "token")
    token = "hf_" + "A1b2" * 8
    for name in ("about.yaml", "README.md"):
        (model / name).write_text(f"description: log in with {token}\n", "utf-8")
        ran = commands.run("push", model, "--repo", "alice/x", "--dry-run")
        assert ran.code == 2 and "would hold a token of the Hub" in ran.stderr
        assert token not in ran.stdout + ran.stderr
        (model / name).unlink()
