"""`mmser push-dataset` against a local Hub: what arrives is read again, by mmser and by datasets alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.clean_client import Client, client_of
from tests.hub.commands import Commands
from tests.hub.hub_wire import ALICE
from tests.hub.local_hub import LocalHub
from tests.publishing.dataset_fixtures import ROWS, make_own

READ = """
import json, sys
from pathlib import Path
from mmser.data import CorpusEntry, load_corpora
entry = CorpusEntry(corpus="published", hub="alice/mine", revision=sys.argv[1])
found = [list(load_corpora([entry], Path("."), streaming=streaming)) for streaming in (False, True)]
assert found[0] == found[1]
print(json.dumps([[row["text"], row["split"], row["emotion"], len((row["audio"] or {}).get("bytes") or b"")]
                  for row in found[0]]))
"""
PLAIN = """
import json
from datasets import Audio, load_dataset
dataset = load_dataset("alice/mine").cast_column("audio", Audio(decode=False))
print(json.dumps({split: [row["text"] for row in rows] for split, rows in dataset.items()}))
"""


@pytest.fixture
def hub():
    with LocalHub() as server:
        yield server


@pytest.fixture(scope="module")
def shared_hub() -> Iterator[LocalHub]:
    with LocalHub() as server:
        yield server


@pytest.fixture(scope="module")
def commands(shared_hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with Commands(client_of(shared_hub, tmp_path_factory.mktemp("home"), ALICE.token)) as commands:
        yield commands


@pytest.fixture
def client(hub: LocalHub, tmp_path: Path) -> Client:
    return client_of(hub, tmp_path / "home", ALICE.token)


def pushed(client: Client, source: Path, *options: str) -> dict:
    arguments = ("push-dataset", source, "--license", "CC-BY-4.0", "--repo", "alice/mine", "--json", "-")
    ran = client.mmser(*arguments, "-q", *options)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_dataset_is_pushed_read_again_and_pushed_anew_without_a_change(client: Client, tmp_path: Path):
    source = make_own(tmp_path / "in")
    made = pushed(client, source, "--tag", "v1")
    assert not made["public"] and set(made["changed"]) == set(made["files"])
    read = client.python(READ, made["commit"])
    assert read.returncode == 0, read.stderr
    rows = {row[0]: row[1:] for row in json.loads(read.stdout)}
    size = (source.parent / "Zoë, first.wav").stat().st_size
    assert rows["Hello there"] == ["train", ["happiness"], size]
    assert rows["How can I help"] == ["test", None, 0]
    client.packages = False
    plain = client.python(PLAIN)
    assert plain.returncode == 0, plain.stderr
    assert json.loads(plain.stdout)["validation"] == ["Words alone"]
    client.packages = True
    again = pushed(client, source)
    assert again["changed"] == [] and again["commit"] == made["commit"]
    less = pushed(client, make_own(tmp_path / "in", ROWS[:2]))  # no test rows: their file goes
    assert "data/test-00000-of-00001.parquet" in less["removed"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--repo", "mine"), 2, "is no repository's name; write NAME/REPOSITORY"),
        (("--repo", "alice/mi ne"), 2, "is no repository"),
        (("--repo", "alice/mine"), 2, "whose licence only you can state"),
        (("--repo", "nobody/mine", "--license", "MIT"), 1, "nobody"),
    ],
)
def test_what_cannot_be_pushed_is_one_line(
    commands: Commands, tmp_path: Path, options: tuple[str, ...], code: int, said: str
):
    ran = commands.run("push-dataset", make_own(tmp_path / "in"), "-q", *options)
    assert ran.code == code and said in ran.stderr and ran.stderr.count("\n") == 1, ran.stderr


def test_a_dry_run_shows_every_file_and_the_card_and_sends_nothing(
    shared_hub: LocalHub, commands: Commands, tmp_path: Path
):
    source = make_own(tmp_path / "in")
    shared_hub.forget()
    ran = commands.run("push-dataset", source, "--license", "MIT", "--repo", "alice/mine", "--dry-run")
    assert ran.code == 0 and "license: mit" in ran.stdout and "nothing was sent" in ran.stdout
    assert ran.stdout.count(".parquet") == 3 and not shared_hub.asked


def test_no_room_for_temporary_files_is_one_sentence(client: Client, tmp_path: Path):
    code = """
    import resource, signal, sys
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
    from mmser.cli import main
    main(["push-dataset", sys.argv[1], "--license", "MIT", "--repo", "alice/mine", "--dry-run", "-q"])
    """
    ran = client.python(code, make_own(tmp_path / "in"))
    assert ran.returncode == 1 and "cannot be written" in ran.stderr, ran.stderr
    assert ran.stderr.count("\n") == 1
