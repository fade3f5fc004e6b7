"""What the Hub's client raises is one sentence with a remedy, in which no token stands."""

import json
from pathlib import Path

import pytest

from tests.hub.clean_client import Client, client_of
from tests.hub.hub_wire import ALICE, BOB
from tests.hub.local_hub import LocalHub

# Each line of the plan is tried with huggingface_hub itself, and what it raises is explained.
TRY = """
import json, sys
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from mmser.hub.explaining import explained
def add(name, **more):
    HfApi().create_commit(name, [CommitOperationAdd("x.txt", b"x")], commit_message="m", **more)
tried = {
    "none": lambda: HfApi().model_info("alice/none"),
    "private": lambda: HfApi().model_info("alice/private"),
    "gated": lambda: hf_hub_download("alice/gated", "a.txt"),
    "revision": lambda: HfApi().model_info("alice/open", revision="v9"),
    "entry": lambda: hf_hub_download("alice/open", "none.txt"),
    "write": lambda: add("alice/open"),
    "exists": lambda: HfApi().create_tag("alice/open", tag="v1"),
    "moved": lambda: add("alice/open", parent_commit="0" * 40),
    "name": lambda: HfApi().model_info("a b/ü"),
    "whoami": lambda: HfApi().whoami(),
    "info": lambda: HfApi().model_info("alice/open"),
}
told = {}
for name in sys.argv[1].split(","):
    try:
        tried[name]()
        told[name] = None
    except Exception as error:
        writes = name in ("write", "exists", "moved")
        said = explained(error, "alice/open", doing="write" if writes else "read",
                         revision="v9" if name == "revision" else None)
        told[name] = [type(said).__name__, str(said)]
print(json.dumps(told))
"""


def told(client: Client, *names: str) -> dict[str, list[str]]:
    ran = client.python(TRY, ",".join(names))
    assert ran.returncode == 0, ran.stderr
    if client.token:
        assert client.token not in ran.stdout + ran.stderr
    assert "hf_local" not in ran.stdout + ran.stderr
    found = json.loads(ran.stdout)
    for _, sentence in filter(None, found.values()):
        assert "\n" not in sentence and ";" in sentence and not sentence.endswith("."), sentence
    return found


@pytest.fixture(scope="module")
def hub():
    with LocalHub() as hub:
        hub.seed("alice/open", {"a.txt": b"a"})
        hub.seed("alice/private", {"a.txt": b"a"}, private=True)
        hub.seed("alice/gated", {"a.txt": b"a"}, gated="auto")
        hub.repository("alice/open").tags["v1"] = hub.repository("alice/open").branches["main"]
        yield hub


def test_what_is_refused_names_what_to_do(hub: LocalHub, tmp_path: Path):
    plan = ("none", "private", "gated", "revision", "entry", "write", "name")
    said = told(client_of(hub, tmp_path, BOB.token), *plan)
    parts = {
        "none": "or it is private and the token in use may not see it; correct the name, or log in",
        "private": "hf auth login",
        "gated": "accepted its terms; do so at https://huggingface.co/alice/open",
        "revision": "has no revision 'v9'; name a branch, a tag or a commit",
        "entry": "lacks a file",
        "write": "may not write alice/open; take one of alice's that may write",
        "name": "is not a name that the Hub knows",
    }
    for name, part in parts.items():
        assert part in said[name][1], name
        assert said[name][0] == "HubError"


def test_what_was_changed_meanwhile_is_told_to_its_owner(hub: LocalHub, tmp_path: Path):
    said = told(client_of(hub, tmp_path, ALICE.token), "exists", "moved")
    assert "already there" in said["exists"][1] and "somebody else committed" in said["moved"][1]


def test_nobody_and_somebody_with_a_bad_token_are_told_apart(hub: LocalHub, tmp_path: Path):
    nobody = told(client_of(hub, tmp_path / "nobody"), "none", "write", "whoami")
    assert "private and nobody is logged in" in nobody["none"][1]
    assert "asks for a token" in nobody["write"][1] and "there is no token" in nobody["whoami"][1]
    bad = told(client_of(hub, tmp_path / "bad", "hf_local_token_that_is_wrong"), "info", "write", "whoami")
    assert all("does not accept the token in use" in sentence for _, sentence in bad.values())


def test_trouble_of_the_hub_is_told_apart_by_its_answer_and_never_shows_a_token(
    hub: LocalHub, tmp_path: Path
):
    parts = {
        413: "more than the Hub takes",
        429: "asked too often",
        500: "trouble of its own",
        418: "it answered 418",
    }
    client = client_of(hub, tmp_path)
    client.log_in(ALICE.token)
    for status, part in parts.items():
        leaking = f"your token {ALICE.token} at http://u:pw@h/x?token={ALICE.token}"
        fault = hub.fault("GET", "/api/models/alice/open$", status=status, message=leaking)
        (said,) = told(client, "info").values()
        hub.wire.faults.remove(fault)
        assert part in said[1] and "pw" not in said[1]


def test_a_hub_that_is_not_there_and_an_address_that_is_none(hub: LocalHub, tmp_path: Path):
    client = client_of(hub, tmp_path, ALICE.token)
    with hub.away():
        assert "there is no network, or the Hub cannot be reached" in told(client, "info")["info"][1]
    client.environment = {"HF_HUB_OFFLINE": "1"}
    assert "HF_HUB_OFFLINE is set" in told(client, "info")["info"][1]
    client.environment = {"HF_ENDPOINT": "no address"}
    assert told(client, "info")["info"][0] == "UsageError"
