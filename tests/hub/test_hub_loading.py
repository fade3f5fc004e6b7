"""Models from the Hub: who may have them, at which revision, without a network, and only as published."""

import json
import shutil
from pathlib import Path

import pytest

from tests.hub.clean_client import Client, client_of
from tests.hub.hub_wire import ALICE, BOB, READER
from tests.hub.local_hub import LocalHub
from tests.model_fixtures import save_tiny

# Models are found, or described or loaded where that stands before; to find one takes no torch, and no time.
ASK = """
import json, sys
from mmser.errors import MmserError
from mmser.loading import commit_of, describe_model, load_model, locate
told = []
for text in sys.argv[1:]:
    try:
        how, _, name = text.rpartition(":")
        if how:
            found = load_model(name)[2] if how == "load" else describe_model(name)
            told.append(["ok", found.revision])
        else:
            told.append(["ok", commit_of(locate(name)[1])])
    except MmserError as error:
        told.append([type(error).__name__, str(error)])
print(json.dumps(told))
"""


def told(client: Client, *models: str) -> tuple[list[list[str]], str]:
    ran = client.python(ASK, *models)
    assert ran.returncode == 0, ran.stderr
    assert "hf_local" not in ran.stdout + ran.stderr
    return json.loads(ran.stdout), ran.stderr


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("published") / "model")


@pytest.fixture
def hub(tiny: Path):
    with LocalHub() as hub:
        hub.seed("alice/model", tiny)
        yield hub


def test_private_and_gated_models_come_with_a_token_from_the_usual_places(
    hub: LocalHub, tiny: Path, tmp_path: Path
):
    hub.seed("alice/private", tiny, private=True)
    hub.seed("alice/gated", tiny, gated="manual")
    hub.repository("alice/gated").accepted.append("bob")
    by_variable, _ = told(client_of(hub, tmp_path / "a", READER.token), "load:alice/private", "alice/gated")
    logged_in = client_of(hub, tmp_path / "b")
    logged_in.log_in(BOB.token)
    by_file, _ = told(logged_in, "alice/gated", "alice/private")
    nobody, _ = told(client_of(hub, tmp_path / "c"), "alice/gated", "alice/private")
    assert [kind for kind, _ in by_variable + by_file + nobody] == ["ok"] * 3 + ["HubError"] * 3
    assert "may not see it" in by_file[1][1]
    assert "accepted its terms" in nobody[0][1] and "nobody is logged in" in nobody[1][1]


def test_a_revision_is_a_branch_a_tag_or_a_commit_and_anything_else_is_refused(hub: LocalHub, tmp_path: Path):
    first = hub.repository("alice/model").branches["main"]
    hub.repository("alice/model").tags["v1"] = first
    hub.seed("alice/model", save_tiny(tmp_path / "other", abstain_below=0.4, audio_size=32))
    hub.seed("alice/newer", save_tiny(tmp_path / "newer"))
    config = json.loads(hub.files("alice/newer")["config.json"]) | {"schema_version": 99}
    hub.seed("alice/newer", {"config.json": json.dumps(config).encode()})
    hub.seed("alice/pickled", {"config.json": b"{}", "pytorch_model.bin": b"\0"})
    said, _ = told(
        client_of(hub, tmp_path / "home"),
        *("alice/model", "alice/model@v1", f"alice/model@{first}", "alice/model@main"),
        *("alice/model@v9", "alice/model@", "alice/model@../x", "describe:alice/newer", "alice/pickled"),
        *("a b/c", "ü/é", "a/b/c", "alice/model@a@b"),
    )
    now, tagged, committed, branch, *refused = said
    assert now == branch and tagged == committed and now != tagged
    kinds = ["HubError", "UsageError", "UsageError", "ModelError", "ModelError", "HubError", "HubError"]
    assert [kind for kind, _ in refused] == [*kinds, "ModelError", "UsageError"]
    assert "schema version 99" in refused[3][1] and "only safetensors is read" in refused[4][1]


def test_without_a_network_the_copy_in_the_cache_is_taken_and_that_is_said(hub: LocalHub, tmp_path: Path):
    client = client_of(hub, tmp_path / "home")
    commit = hub.repository("alice/model").branches["main"]
    assert told(client, "alice/model")[0] == [["ok", commit]]
    asked = len(hub.asked)
    with hub.away():
        gone, err = told(client, "alice/model", f"alice/model@{commit}", "alice/other")
        assert gone[:2] == [["ok", commit]] * 2 and "there is no network" in gone[2][1]
        assert err.count("alice/model is taken from the cache, as it was at commit") == 1
    client.environment = {"HF_HUB_OFFLINE": "1"}
    offline, err = told(client, "alice/model", "alice/other")
    assert offline[0] == ["ok", commit] and "HF_HUB_OFFLINE is set" in offline[1][1] and err == ""
    assert len(hub.asked) == asked  # nobody was asked meanwhile
    next((tmp_path / "home").rglob("snapshots/*/tokenizer.json")).unlink()
    ((kind, sentence),), _ = told(client, "alice/model")
    assert kind == "HubError" and "only a part of alice/model is in the cache" in sentence


def test_trouble_that_passes_is_waited_out_and_a_cut_download_is_taken_up_again(
    hub: LocalHub, tmp_path: Path
):
    hub.fault("GET", "/api/models/alice/model$", status=500, times=2)
    hub.fault("GET", "resolve/.*/model.safetensors", cut_after=1000)
    hub.fault("GET", "resolve/.*/config.json", status=503)
    ((kind, _),), _ = told(client_of(hub, tmp_path / "home"), "alice/model")
    assert kind == "ok"
    assert hub.count("GET", "/api/models/alice/model$") == 3 and hub.count("GET", "model.safetensors") == 2


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_was_changed_on_the_way_or_in_the_cache_is_refused(
    hub: LocalHub, tmp_path: Path, name: str
):
    hub.fault("GET", f"resolve/.*/{name}", tamper=True)
    client = client_of(hub, tmp_path / "home")
    ((kind, sentence),), _ = told(client, "alice/model")
    assert kind == "HubError" and f"what came as {name} of alice/model is not the file" in sentence
    ((kind, _),), _ = told(client, "alice/model")
    assert kind == "ok"  # it was removed, and came again
    kept = next((tmp_path / "home").rglob(f"snapshots/*/{name}")).resolve()
    content = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    ((kind, sentence),), _ = told(client, "describe:alice/model")
    assert kind == "HubError" and "is not the file" in sentence


def test_code_in_a_repository_is_neither_fetched_nor_run(hub: LocalHub, tmp_path: Path):
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').write('ran')\n".encode()
    config = json.loads(hub.files("alice/model")["config.json"])
    config["auto_map"] = {
        "AutoModel": "modeling_mmser.MmserModel",
        "AutoConfig": "modeling_mmser.MmserConfig",
    }
    hub.seed("alice/model", {"modeling_mmser.py": code, "config.json": json.dumps(config).encode()})
    ((kind, _),), _ = told(client_of(hub, tmp_path / "home"), "load:alice/model")
    assert kind == "ok" and not mark.exists() and hub.count("GET", r"resolve/.*\.py") == 0


def test_the_published_code_runs_without_mmser_only_on_the_users_word(hub: LocalHub, tmp_path: Path):
    from importlib import resources

    hub.seed("alice/code", Path(str(resources.files("mmser") / "assets" / "model")))
    client = client_of(hub, tmp_path / "home")
    client.packages = False
    ran = client.python(
        """
        import sys
        sys.modules["mmser"] = None  # it cannot be imported
        from transformers import AutoModel
        try:
            AutoModel.from_pretrained("alice/code", trust_remote_code=False)
        except ValueError as error:
            print("trust_remote_code" in str(error))
        print(type(AutoModel.from_pretrained("alice/code", trust_remote_code=True)).__name__)
        """
    )
    assert ran.stdout.split() == ["True", "MmserModel"], ran.stderr


def test_info_shows_the_commit_the_licence_and_what_lies_beside(hub: LocalHub, tmp_path: Path):
    commit = hub.seed("alice/model", {"README.md": b"# M", "evaluation.json": b"{}"})
    client = client_of(hub, tmp_path / "home", ALICE.token)
    ran = client.mmser("info", "alice/model@main")
    assert ran.returncode == 0, ran.stderr
    for part in (f"the Hub, commit {commit}", "licence of the weights", "emotions:", "schema version 1"):
        assert part in ran.stdout
    assert "a card (yes), evaluation results (yes)" in ran.stdout and "model: alice/model, " in ran.stdout
    told_as_json = json.loads(client.mmser("info", "alice/model", "--json").stdout)
    assert told_as_json["hub_commit"] == commit and told_as_json["has_evaluation"]


def test_a_file_in_the_caches_place_and_a_full_disk_are_told(hub: LocalHub, tmp_path: Path):
    client = client_of(hub, tmp_path / "home")
    (tmp_path / "home" / "hub").write_text("in the way")
    ((kind, sentence),), _ = told(client, "alice/model")
    assert kind == "OutputError" and "HF_HOME" in sentence
    (tmp_path / "home" / "hub").unlink()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    ran = client.python(limit + ASK, "alice/model")
    ((kind, sentence),) = json.loads(ran.stdout)
    assert kind == "OutputError" and "there is no room" in sentence
    shutil.rmtree(tmp_path / "home")
