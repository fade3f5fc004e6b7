# ruff: noqa: E501
"""The local Hub does what huggingface_hub expects of the real one: the library itself says so."""

import json
from pathlib import Path

import pytest

from tests.hub.clean_client import client_of
from tests.hub.hub_wire import ALICE, BOB, READER
from tests.hub.local_hub import LocalHub

# Run in a process of its own; prints what it saw as JSON, which the tests compare.
HEAD = """
import json, os, sys, warnings
from pathlib import Path
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import *
import huggingface_hub.utils
huggingface_hub.utils.logging.set_verbosity_error()
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
alice, bob, reader, nobody = (HfApi(token=token or False) for token in sys.argv[1].split(","))
def refused(work, *given, **named):
    try:
        return ["done", work(*given, **named) and 0]
    except Exception as error:
        return [type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)]
"""
TOKENS = f"{ALICE.token},{BOB.token},{READER.token},"


def saw(hub: LocalHub, home: Path, code: str) -> dict:
    ran = client_of(hub, home).python(HEAD + code, TOKENS)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("part_size", [None, 40_000])
def test_what_is_committed_comes_back_by_every_revision(tmp_path: Path, part_size: int | None):
    code = """
large = os.urandom(100_000)
made = alice.create_repo("alice/model", private=True)
adds = [CommitOperationAdd("model.safetensors", large), CommitOperationAdd("a/config.json", b"{}"),
        CommitOperationAdd("README.md", b"---\\nlicense: mit\\n---\\n# M")]
first = alice.create_commit("alice/model", adds, commit_message="one")
again = alice.create_commit("alice/model", [CommitOperationAdd("model.safetensors", large)], commit_message="no-op")
alice.create_tag("alice/model", tag="v1")
second = alice.create_commit("alice/model", [CommitOperationDelete("a/", is_folder=True)], commit_message="two",
                             parent_commit=first.oid)
alice.create_branch("alice/model", branch="dev", revision="v1")
third = alice.create_commit("alice/model", [CommitOperationAdd("b.txt", b"b")], commit_message="three", revision="dev")
def files(revision):
    folder = Path(snapshot_download("alice/model", revision=revision, token=alice.token))
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {".gitattributes"}
folder = Path(snapshot_download("alice/model", token=alice.token))
tree = {f.path: f for f in alice.list_repo_tree("alice/model", revision="v1", recursive=True)}
refs = alice.list_repo_refs("alice/model")
info = alice.model_info("alice/model", revision="v1", files_metadata=True)
print(json.dumps({
    "url": str(made), "same": (folder / "model.safetensors").read_bytes() == large, "no-op": again.oid == first.oid,
    "main": sorted(files("main")), "v1": sorted(files("v1")), "dev": sorted(files("dev")),
    "first": sorted(files(first.oid)), "lfs": tree["model.safetensors"].lfs.size, "folder": "a" in tree,
    "branches": sorted(b.name for b in refs.branches), "tags": [t.name for t in refs.tags],
    "heads": {b.name: b.target_commit for b in refs.branches} == {"main": second.oid, "dev": third.oid},
    "private": info.private, "sha": info.sha == first.oid, "licence": "license:mit" in info.tags,
    "titles": [c.title for c in alice.list_repo_commits("alice/model")],
    "range": alice.get_paths_info("alice/model", ["b.txt"], revision="dev")[0].size,
}))
"""
    with LocalHub(part_size=part_size) as hub:
        found = saw(hub, tmp_path / "home", code)
        assert hub.count("PUT", "/storage/") == (1 if part_size is None else 3)
        assert found.pop("url") == f"{hub.url}/alice/model"
    v1 = ["README.md", "a/config.json", "model.safetensors"]
    assert found == {
        "same": True,
        "no-op": True,
        "main": ["README.md", "model.safetensors"],
        "v1": v1,
        "first": v1,
        "dev": ["README.md", "a/config.json", "b.txt", "model.safetensors"],
        "lfs": 100_000,
        "folder": True,
        "branches": ["dev", "main"],
        "tags": ["v1"],
        "heads": True,
        "private": True,
        "sha": True,
        "licence": True,
        "titles": ["two", "one", "initial commit"],
        "range": 1,
    }


def test_what_is_not_granted_is_refused_as_on_the_hub(tmp_path: Path):
    code = """
add = lambda text="x": [CommitOperationAdd("x.txt", text.encode())]
commit = lambda api, name, **more: refused(api.create_commit, name, add(), commit_message="m", **more)
head = alice.model_info("alice/open").sha
moved = alice.create_commit("alice/open", add("first"), commit_message="m").oid
print(json.dumps({
    "who": [alice.whoami()["name"], [o["name"] for o in alice.whoami()["orgs"]]],
    "bad token": refused(HfApi(token="hf_wrong").whoami),
    "exists": refused(alice.create_repo, "alice/open"),
    "exists, and that is well": refused(alice.create_repo, "alice/open", exist_ok=True),
    "in a team": refused(alice.create_repo, "team/model"),
    "in another's": refused(bob.create_repo, "alice/other"),
    "read token": refused(reader.create_repo, "alice/other"),
    "private, other": refused(bob.model_info, "alice/closed"),
    "private, nobody": refused(nobody.model_info, "alice/closed"),
    "private, read token": refused(reader.model_info, "alice/closed"),
    "none": refused(alice.model_info, "alice/none"),
    "gated info": refused(bob.model_info, "alice/gated"),
    "gated file": refused(hf_hub_download, "alice/gated", "a.txt", token=bob.token),
    "gated, nobody": refused(hf_hub_download, "alice/gated", "a.txt", token=False),
    "gated, owner": refused(hf_hub_download, "alice/gated", "a.txt", token=alice.token),
    "revision": refused(alice.model_info, "alice/open", revision="v9"),
    "entry": refused(hf_hub_download, "alice/open", "none.txt", token=alice.token),
    "write by another": commit(bob, "alice/open"),
    "write with a read token": commit(reader, "alice/open"),
    "head moved": commit(alice, "alice/open", parent_commit=head),
    "no branch": commit(alice, "alice/open", revision="none"),
    "tag": refused(alice.create_tag, "alice/open", tag="v1"),
    "tag again": refused(alice.create_tag, "alice/open", tag="v1"),
    "branch again": refused(alice.create_branch, "alice/open", branch="main"),
    "tag gone": [refused(alice.delete_tag, "alice/open", tag="v1"), refused(alice.delete_tag, "alice/open", tag="v1")],
    "bad card": refused(alice.create_commit, "alice/open",
        [CommitOperationAdd("README.md", b"---\\nlicense: nonsense\\n---\\n")], commit_message="m"),
    "broken card": refused(alice.create_commit, "alice/open",
        [CommitOperationAdd("README.md", b"---\\na: [\\n---\\n")], commit_message="m"),
    "no such file": refused(alice.create_commit, "alice/open", [CommitOperationDelete("none")], commit_message="m"),
    "opened": [refused(alice.update_repo_settings, "alice/closed", private=False),
        refused(bob.model_info, "alice/closed")],
    "space": [refused(alice.create_repo, "alice/app", repo_type="space", space_sdk="gradio"),
        alice.space_info("alice/app").sdk, refused(alice.delete_repo, "alice/app", repo_type="space")],
    "dataset": [refused(alice.create_repo, "alice/data", repo_type="dataset"),
        len(alice.list_repo_files("alice/data", repo_type="dataset"))],
}))
"""
    with LocalHub() as hub:
        for name, more in (("open", {}), ("closed", {"private": True}), ("gated", {"gated": "manual"})):
            hub.seed(f"alice/{name}", {"a.txt": b"a"}, **more)
        found = saw(hub, tmp_path / "home", code)
        assert not any("hf_local" in str(asked.headers) for asked in hub.asked)
        assert any(asked.authorised for asked in hub.asked) and not all(
            asked.authorised for asked in hub.asked
        )
    done = ["done", 0]
    assert found["who"] == ["alice", ["team"]]
    assert {name: kind for name, (kind, *_) in found.items() if name.startswith("gated")} == {
        "gated info": "done",
        "gated file": "GatedRepoError",
        "gated, nobody": "GatedRepoError",
        "gated, owner": "done",
    }
    status = {name: seen[1] for name, seen in found.items() if isinstance(seen[1], int) and seen[1] >= 400}
    assert status == {
        "bad token": 401,
        "exists": 409,
        "in another's": 403,
        "read token": 403,
        "private, other": 404,
        "private, nobody": 401,
        "none": 404,
        "gated file": 403,
        "gated, nobody": 401,
        "revision": 404,
        "entry": 404,
        "write by another": 403,
        "write with a read token": 403,
        "head moved": 412,
        "no branch": 404,
        "tag again": 409,
        "branch again": 409,
        "no such file": 404,
    }
    for name in ("private, other", "private, nobody", "none"):
        assert found[name][0] == "RepositoryNotFoundError"
    assert (found["revision"][0], found["entry"][0]) == ("RevisionNotFoundError", "RemoteEntryNotFoundError")
    assert found["bad card"] == found["broken card"] == ["ValueError", None]
    assert found["exists, and that is well"] == found["in a team"] == found["private, read token"] == done
    assert found["opened"] == [["done", None], done]
    assert found["space"] == [done, "gradio", ["done", None]]
    assert found["dataset"] == [done, 1]
    assert found["tag gone"] == [["done", None], ["RevisionNotFoundError", 404]]


def test_what_a_test_asks_for_goes_wrong_and_is_counted(tmp_path: Path):
    code = """
huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE = 500  # what of a chunk came before a cut is not kept
get = lambda name, **more: refused(hf_hub_download, "alice/model", name, token=alice.token, **more)
adds = [CommitOperationAdd("new.safetensors", os.urandom(90_000))]
print(json.dumps({
    "cut": get("cut.bin"), "tampered": get("tampered.bin"),
    "upload cut": refused(alice.create_commit, "alice/model", adds, commit_message="m"),
    "refused": refused(alice.model_info, "alice/model"),
    "well again": refused(alice.model_info, "alice/model"),
}))
"""
    content = bytes(range(256)) * 400
    with LocalHub() as hub:
        hub.seed("alice/model", {"cut.bin": content, "tampered.bin": content + b"!"})
        hub.fault("GET", "cut.bin", cut_after=1000, delay=0.05)
        hub.fault("GET", "tampered.bin", tamper=True)
        hub.fault("PUT", "storage", cut_after=1000)
        hub.fault("GET", "/api/models/alice/model$", status=503)
        found = saw(hub, tmp_path / "home", code)
        assert found == {
            "cut": ["done", 0],
            "tampered": ["done", 0],  # huggingface_hub compares lengths alone
            "upload cut": ["done", 0],
            "refused": ["HfHubHTTPError", 503],
            "well again": ["done", 0],
        }
        ranges = [asked.headers.get("Range") for asked in hub.asked if "cut.bin" in asked.path]
        assert ranges[-1] == "bytes=1000-" and hub.count("PUT", "storage") == 2
        cached = {path.read_bytes() for path in (tmp_path / "home").rglob("*.bin")}
        assert content in cached and content + b"!" not in cached
        hub.forget()
        assert hub.asked == []


def test_a_hub_in_a_folder_is_the_same_when_it_is_opened_again(tmp_path: Path):
    with LocalHub(tmp_path / "hub") as hub:
        oid = hub.seed("alice/data", {"a.parquet": b"PAR1", "b.txt": b"b"}, kind="dataset", private=True)
    with LocalHub(tmp_path / "hub") as hub:
        assert hub.repository("alice/data", "dataset").private
        assert hub.files("alice/data", oid, "dataset")["a.parquet"] == b"PAR1"
        with hub.away():
            pass
        assert hub.files("alice/data", kind="dataset")["b.txt"] == b"b"
