"""Where the weights of recognisers are found, and how they are fetched, from a local server."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import whisper

from mmser.errors import MissingExtraError, MmserError, ModelError, OutputError, UsageError
from mmser.transcription import download as downloads
from mmser.transcription import hub
from mmser.transcription.recogniser import RecogniserName
from mmser.transcription.weights import SIZES, WAYS_TO_TRANSCRIBE, check_weights, locate_weights
from tests.transcription.weights_server import COMMIT, Shelf, serving

CONTENT = bytes(range(256)) * 12_000  # 3 MB
TINY = RecogniserName(engine="whisper", model="tiny")
MODEL = "somebody/whisper-x"
RESOLVED = f"{MODEL}/resolve/{COMMIT}"
ON_THE_HUB = {
    f"{RESOLVED}/config.json": b"{}",
    f"{RESOLVED}/model.safetensors": b"weights" * 1000,
    f"{RESOLVED}/model.fp32-00001-of-00002.safetensors": b"the same, twice as large",
    f"{RESOLVED}/pytorch_model.bin": b"a pickle",
    f"{RESOLVED}/model.bin": b"of CTranslate2" * 1000,
    f"{RESOLVED}/vocabulary.json": b"[]",
    f"{RESOLVED}/tokenizer.json": b"{} ",
    f"{RESOLVED}/merges.txt": b"",
    f"{RESOLVED}/README.md": b"",
}


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with nothing fetched yet, and with a network."""
    for name in ("HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setattr(downloads, "WAIT", 0.02)
    return tmp_path / "cache" / "whisper"


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A server with the weights of whisper:tiny."""
    with serving(Shelf(files={"tiny.pt": CONTENT})) as shelf:
        monkeypatch.setitem(whisper._MODELS, "tiny", shelf.address("tiny.pt"))
        yield shelf


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def failure(folder: Path | None = None, name: RecogniserName = TINY) -> MmserError:
    with pytest.raises(MmserError) as caught:
        locate_weights(name, model_dir=folder)
    return caught.value


# --- openai's server --------------------------------------------------------------------------------------


def test_weights_are_fetched_once(shelf: Shelf, own_places: Path):
    told: list[tuple[str, float, float]] = []
    path = locate_weights(TINY, progress=lambda *values: told.append(values))
    assert path == own_places / "tiny.pt" and path.read_bytes() == CONTENT
    assert [file.name for file in own_places.iterdir()] == ["tiny.pt"]
    stages, done, totals = zip(*told, strict=True)
    assert set(stages) == {"fetching"} and set(totals) == {len(CONTENT)}
    assert list(done) == sorted(done) and done[0] == 0 and done[-1] == len(CONTENT) and len(done) > 2
    assert locate_weights(TINY) == path
    assert len(shelf.asked) == 1


def test_what_an_earlier_run_left_is_not_fetched_again(shelf: Shelf, tmp_path: Path):
    (tmp_path / "tiny.pt.part").write_bytes(CONTENT[:1_000_000])
    told: list[float] = []
    path = locate_weights(TINY, model_dir=tmp_path, progress=lambda _, done, total: told.append(done))
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in shelf.asked] == ["bytes=1000000-"]
    assert shelf.sent == len(CONTENT) - 1_000_000
    assert told[0] == 1_000_000


def test_a_server_without_ranges_sends_the_whole_again(shelf: Shelf, tmp_path: Path):
    shelf.ranges = False
    (tmp_path / "tiny.pt.part").write_bytes(b"x" * 1_000_000)
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT
    assert shelf.sent == len(CONTENT)


def test_a_whole_part_is_kept_without_fetching(shelf: Shelf, tmp_path: Path):
    (tmp_path / "tiny.pt.part").write_bytes(CONTENT)
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT
    assert shelf.sent == 0


def test_a_part_that_is_too_long_is_begun_again(shelf: Shelf, tmp_path: Path):
    (tmp_path / "tiny.pt.part").write_bytes(CONTENT + b"more")
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in shelf.asked] == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_cut_connection_is_taken_up_where_it_broke(shelf: Shelf, tmp_path: Path):
    shelf.cuts = 3
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT
    assert shelf.sent == len(CONTENT)
    half, quarter, eighth = (len(CONTENT) - len(CONTENT) // 2**i for i in (1, 2, 3))
    assert [asked for _, asked in shelf.asked] == [None, *(f"bytes={n}-" for n in (half, quarter, eighth))]


def test_a_connection_that_is_cut_ever_again_is_given_up_and_what_came_is_kept(shelf: Shelf, tmp_path: Path):
    shelf.cuts = 99
    message = str(failure(tmp_path))
    assert len(shelf.asked) == 4
    assert "cannot be fetched (the connection was cut, 3 MB are kept for the next run)" in message
    assert (tmp_path / "tiny.pt.part").read_bytes() == CONTENT[: shelf.sent]
    shelf.cuts = 0
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT
    assert shelf.sent == len(CONTENT)


def test_a_server_in_trouble_is_asked_again(shelf: Shelf, tmp_path: Path):
    shelf.answers = [503, 500]
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answers", "asked", "reason"),
    [
        ([404], 1, "the server answered 404 Not Found"),
        ([403], 1, "the server answered 403 Forbidden"),
        ([500] * 4, 4, "the server answered 500 Internal Server Error"),
    ],
)
def test_a_server_that_gives_nothing_is_named_with_its_answer(
    shelf: Shelf, tmp_path: Path, answers: list[int], asked: int, reason: str
):
    shelf.answers = list(answers)
    assert f"cannot be fetched ({reason}); " in str(failure(tmp_path))
    assert len(shelf.asked) == asked


def test_a_silent_server_is_given_up(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    shelf.stalls = True
    assert "(the server was silent for 0.3 s)" in str(failure(tmp_path))
    assert len(shelf.asked) == 4


@pytest.mark.parametrize("part", [b"", b"x" * 1000])
def test_what_is_not_what_was_asked_for_is_removed(shelf: Shelf, tmp_path: Path, part: bytes):
    if part:
        (tmp_path / "tiny.pt.part").write_bytes(part)
    else:
        shelf.files["tiny.pt"] = b"<html>log in to this network first</html>"
    error = failure(tmp_path)
    assert isinstance(error, ModelError) and "is not the file that its address names" in str(error)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_sentence_names_the_ways_on(monkeypatch: pytest.MonkeyPatch, own_places: Path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/{'0' * 64}/tiny.pt"
    monkeypatch.setitem(whisper._MODELS, "tiny", url)
    assert str(failure()) == (
        "the weights of whisper:tiny are not on this machine and cannot be fetched (no network: Connection "
        f"refused); fetch {url} elsewhere and put it at {own_places / 'tiny.pt'}, give the words with "
        "--transcript FILE, weights of your own with --asr whisper:FILE.pt, or judge by sound alone with "
        "--no-asr"
    )
    with pytest.raises(
        ModelError, match=r"tiny\.pt, or give weights of your own with --asr whisper:FILE\.pt$"
    ):
        locate_weights(TINY, ways=WAYS_TO_TRANSCRIBE)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_the_network_is_not_asked_where_that_is_forbidden(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, "1")
    assert f"cannot be fetched ({variable} is set); " in str(failure(tmp_path))
    assert f"and put it at {tmp_path / 'tiny.pt'}, " in str(failure(tmp_path))
    assert shelf.asked == []
    (tmp_path / "tiny.pt").write_bytes(b"by hand")
    assert locate_weights(TINY, model_dir=tmp_path) == tmp_path / "tiny.pt"


def test_a_full_disk_says_how_much_is_still_to_come(shelf: Shelf, tmp_path: Path):
    script = f"""
import resource, sys
import whisper
from pathlib import Path
from mmser.transcription.recogniser import RecogniserName
from mmser.transcription.weights import locate_weights
whisper._MODELS["tiny"] = {shelf.address("tiny.pt")!r}
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    locate_weights(RecogniserName(engine="whisper", model="tiny"), model_dir=Path({str(tmp_path)!r}))
except Exception as error:
    print(type(error).__name__, error)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60).stdout
    part = tmp_path / "tiny.pt.part"
    assert said == (
        f"OutputError {part} cannot take the 2 MB that are still to come (File too large); free space or "
        "name another folder with --model-dir, and what has come is not fetched again\n"
    )
    assert part.read_bytes() == CONTENT[:1_500_000]
    assert locate_weights(TINY, model_dir=tmp_path).read_bytes() == CONTENT
    assert shelf.asked[-1][1] == "bytes=1500000-"


def test_a_disk_that_is_too_small_is_told_before_anything_comes(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Usage:
        free = 2_000_000

    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: Usage)
    error = failure(tmp_path)
    assert isinstance(error, OutputError) and "cannot take the 4 MB that are still to come" in str(error)
    assert (tmp_path / "tiny.pt.part").stat().st_size == 0


@pytest.mark.parametrize("held", [0, 1_000_000])
def test_two_at_once_fetch_it_once(shelf: Shelf, tmp_path: Path, held: int):
    if held:
        (tmp_path / "tiny.pt.part").write_bytes(CONTENT[:held])
    found: list[bytes] = []

    def locate() -> None:
        found.append(locate_weights(TINY, model_dir=tmp_path).read_bytes())

    threads = [threading.Thread(target=locate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [CONTENT] * 4
    assert shelf.sent == len(CONTENT) - held
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.pt"]


def test_a_process_that_was_killed_holds_nobody_up(shelf: Shelf, tmp_path: Path):
    script = f"""
import fcntl, sys, time
file = open({str(tmp_path / "tiny.pt.part")!r}, "ab")
file.write(b"" if len(sys.argv) > 1 else {CONTENT[:1000]!r})
file.flush()
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        found: list[Path] = []
        waited: list[float] = []
        waiting = threading.Event()

        def progress(stage: str, done: float, total: float) -> None:
            waited.append(total)
            waiting.set()

        thread = threading.Thread(
            target=lambda: found.append(locate_weights(TINY, model_dir=tmp_path, progress=progress))
        )
        thread.start()
        assert waiting.wait(20) and not found and shelf.asked == []
        holder.kill()
    thread.join(20)
    assert found[0].read_bytes() == CONTENT and waited[0] == 0
    assert shelf.asked[0][1] == "bytes=1000-"


def test_a_folder_where_the_file_should_be_is_named(shelf: Shelf, tmp_path: Path):
    (tmp_path / "tiny.pt").mkdir()
    assert str(failure(tmp_path)) == (
        f"{tmp_path / 'tiny.pt'} is a folder where the file of whisper:tiny should be; move it away"
    )


@pytest.mark.parametrize("name", [TINY, RecogniserName(engine="hf", model=MODEL)])
def test_a_model_folder_that_is_a_file_is_named(shelf: Shelf, tmp_path: Path, name: RecogniserName):
    (tmp_path / "file").touch()
    assert "file is a file, and weights lie in a folder; name another" in str(
        failure(tmp_path / "file", name)
    )


def test_a_folder_that_cannot_be_written_is_named(shelf: Shelf, tmp_path: Path):
    (tmp_path / "file").touch()
    error = failure(tmp_path / "file" / "models")
    assert isinstance(error, OutputError)
    assert "models cannot be written: Not a directory; make it writable or name another" in str(error)


def test_a_new_model_folder_is_made(shelf: Shelf, tmp_path: Path):
    assert locate_weights(TINY, model_dir=tmp_path / "a" / "b") == tmp_path / "a" / "b" / "tiny.pt"


def test_hf_home_is_where_weights_are_put_unless_openai_put_them_elsewhere(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_places: Path
):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    own_places.mkdir(parents=True)
    (own_places / "tiny.pt").touch()
    assert locate_weights(TINY) == own_places / "tiny.pt"
    (own_places / "tiny.pt").unlink()
    assert locate_weights(TINY) == tmp_path / "home" / "whisper" / "tiny.pt"
    assert len(shelf.asked) == 1


# --- names ------------------------------------------------------------------------------------------------


def test_every_size_of_openai_is_known():
    assert set(SIZES) == set(whisper.available_models())


def test_a_path_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("own.pt", "weights", "tiny"):
        (tmp_path / name).touch()
    for given in ("own.pt", "weights", "./tiny", "~/own.pt", str(tmp_path / "own.pt")):
        found = locate_weights(RecogniserName(engine="whisper", model=given))
        assert found.is_absolute() and found.samefile(tmp_path / Path(given).name)


@pytest.mark.parametrize(
    ("engine", "model", "kind", "message"),
    [
        ("whisper", "smal", UsageError, r"whisper:smal is no size that is known \(did you mean small\?\); "),
        ("whisper", "größte", UsageError, "large-v3-turbo, turbo, or the path of a .pt file$"),
        ("whisper", "no.pt", ModelError, "there is no file no.pt; give the path of a .pt file"),
        ("whisper", "./no", ModelError, "there is no file no; give"),
        ("whisper", "~nobody-of-that-name/x.pt", ModelError, "there is no file ~nobody-of-that-name/x.pt"),
        ("whisper", "openai/whisper-small", ModelError, "or write hf:openai/whisper-small for a model"),
        ("whisper", "folder", ModelError, "folder is a folder, and openai-whisper reads one .pt file"),
        ("whisper", "x" * 5000, ModelError, "cannot be a path of weights: File name too long"),
        ("hf", "small", UsageError, "give a folder or a Hub id such as hf:openai/whisper-small"),
        ("hf", "a/b/c", ModelError, "there is no folder a/b/c; give one, or a Hub id such as hf:name/model"),
        ("hf", "./no", ModelError, "there is no folder no; give one, or"),
        ("hf", "own.pt", ModelError, "and hf reads a folder; give that, or write whisper:own.pt"),
        ("hf", "what is/this", ModelError, "there is no folder what is/this"),
        ("faster-whisper", "smal", UsageError, r"faster-whisper:smal is no size .*did you mean small\?"),
        ("faster-whisper", "own.pt", ModelError, "faster-whisper reads a folder"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused_without_the_network(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    model: str,
    kind: type[MmserError],
    message: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "own.pt").touch()
    name = RecogniserName(engine=engine, model=model)
    with pytest.raises(kind, match=message):
        check_weights(name)
    with pytest.raises(kind, match=message):
        locate_weights(name)


@pytest.mark.parametrize(
    ("engine", "model"),
    [
        ("whisper", "turbo"),
        ("hf", "openai/whisper-small"),
        ("hf", "folder"),
        ("faster-whisper", "folder"),
        ("faster-whisper", "distil-large-v3.5"),
        ("faster-whisper", "Systran/faster-whisper-tiny"),
    ],
)
def test_a_name_that_can_be_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, model: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    check_weights(RecogniserName(engine=engine, model=model))


@pytest.mark.parametrize(
    "model",
    [
        *("a/b", "A.b-c_d/e.f", "a--b/c", "a/b..c", "a/b.git", "-a/b", "a/b-", "a/.b", "a/b c", "a/ü"),
        *("a/" + "b" * 96, "a/" + "b" * 97),
    ],
)
def test_what_is_taken_for_a_hub_id_is_one(model: str, tmp_path: Path, offline: None):
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(model)
        expected = f"the weights of hf:{model} are not on this machine"
    except HFValidationError:
        expected = f"there is no folder {model}"
    assert str(failure(tmp_path, RecogniserName(engine="hf", model=model))).startswith(expected)


def test_a_missing_engine_is_told_before_gigabytes_are_fetched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mmser\[faster-whisper\]'"):
        locate_weights(RecogniserName(engine="faster-whisper", model="small"))


@pytest.mark.parametrize("engine", ["hf", "faster-whisper"])
def test_a_folder_is_taken_as_it_is(tmp_path: Path, engine: str):
    assert locate_weights(RecogniserName(engine=engine, model=str(tmp_path))) == tmp_path


# --- the Hub ----------------------------------------------------------------------------------------------


def cache_by_hand(cache: Path, *names: str, model: str = MODEL) -> Path:
    """Lay out a repository as huggingface_hub does."""
    root = cache / f"models--{model.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    folder = root / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("engine", "names"),
    [("hf", ("config.json", "model.safetensors")), ("faster-whisper", ("config.json", "model.bin"))],
)
def test_what_the_hubs_cache_holds_needs_no_network(
    tmp_path: Path, offline: None, engine: str, names: tuple[str, ...]
):
    folder = cache_by_hand(tmp_path, *names)
    assert locate_weights(RecogniserName(engine=engine, model=MODEL), model_dir=tmp_path) == folder


def test_a_size_of_faster_whisper_is_looked_for_under_its_publisher(tmp_path: Path, offline: None):
    folder = cache_by_hand(tmp_path, "model.bin", model="Systran/faster-whisper-small")
    assert (
        locate_weights(RecogniserName(engine="faster-whisper", model="small"), model_dir=tmp_path) == folder
    )


@pytest.mark.parametrize("names", [(), ("config.json",), ("config.json", "pytorch_model.bin")])
def test_a_cache_without_the_weights_is_told(tmp_path: Path, offline: None, names: tuple[str, ...]):
    if names:
        cache_by_hand(tmp_path, *names)
    assert str(failure(tmp_path, RecogniserName(engine="hf", model=MODEL))) == (
        f"the weights of hf:{MODEL} are not on this machine and cannot be fetched (HF_HUB_OFFLINE is set); "
        "copy the folder models--somebody--whisper-x from the cache of a machine that has it into "
        f"{tmp_path}, give the words with --transcript FILE, weights of your own with --asr hf:FOLDER, "
        "or judge by sound alone with --no-asr"
    )


def test_weights_in_parts_need_every_part(tmp_path: Path, offline: None):
    folder = cache_by_hand(tmp_path, "config.json", "model-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    name = RecogniserName(engine="hf", model=MODEL)
    assert "not on this machine" in str(failure(tmp_path, name))
    (folder / "model-2.safetensors").touch()
    assert locate_weights(name, model_dir=tmp_path) == folder


ASK = """
import sys
from pathlib import Path
from mmser.errors import MmserError
from mmser.transcription.recogniser import parse_recogniser
from mmser.transcription.weights import locate_weights
folder = Path(sys.argv[1]) if sys.argv[1] else None
for text in sys.argv[2:]:
    told = []
    try:
        print(locate_weights(parse_recogniser(text), model_dir=folder, progress=lambda *v: told.append(v)))
    except MmserError as error:
        print(type(error).__name__, error)
    print(told[0], told[-1]) if told else print("nothing fetched")
"""


def ask_hub(url: str, home: Path, *names: str, model_dir: str = "") -> list[str]:
    """Locate weights in a process of its own, which finds the Hub at an address; return what it prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", ASK, model_dir, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert not done.stderr.strip(), done.stderr
    return done.stdout.splitlines()


def test_from_the_hub_comes_what_the_engine_reads_and_nothing_else(tmp_path: Path):
    with serving(Shelf(files=ON_THE_HUB)) as hub:
        said = ask_hub(hub.url, tmp_path, f"hf:{MODEL}", f"hf:{MODEL}", "hf:somebody/nothing")
        asked = len(hub.asked)
    folder = tmp_path / "hub" / "models--somebody--whisper-x" / "snapshots" / COMMIT
    assert said[0] == said[2] == str(folder) and said[3] == "nothing fetched"
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert said[1] == f"('fetching', 0, 0) ('fetching', {size}, {size})"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "vocabulary.json", "tokenizer.json", "merges.txt"}
    assert said[4] == (
        "ModelError there is no folder somebody/nothing, and the Hub knows no model of that name, or it is "
        "private; correct the name, or log in with: hf auth login"
    )
    assert asked < 12  # the second time nothing was asked


def test_the_hub_fills_the_model_folder_that_is_named(tmp_path: Path):
    other = {f"somebody/old/resolve/{COMMIT}/pytorch_model.bin": b"a pickle"}
    with serving(Shelf(files=ON_THE_HUB | other)) as hub:
        names = (f"faster-whisper:{MODEL}", "hf:somebody/old")
        said = ask_hub(hub.url, tmp_path / "home", *names, model_dir=str(tmp_path / "own"))
    folder = tmp_path / "own" / "models--somebody--whisper-x" / "snapshots" / COMMIT
    assert said[0] == str(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.bin", "vocabulary.json", "tokenizer.json"}
    assert said[2].startswith(
        "ModelError the Hub's somebody/old holds no model.safetensors, which hf reads; "
    )


def test_a_hub_that_cannot_be_reached_leaves_the_ways_on(tmp_path: Path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    (said, _) = ask_hub(url, tmp_path, f"hf:{MODEL}")
    assert said.startswith(
        f"ModelError the weights of hf:{MODEL} are not on this machine and cannot be fetched "
    )
    assert "(no network: Connection refused); copy the folder" in said
    with serving(Shelf(answers=[500] * 20)) as hub:
        (said, _) = ask_hub(hub.url, tmp_path, f"hf:{MODEL}")
    assert "cannot be fetched (the Hub answered 500); " in said


def test_a_hub_cache_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with serving(Shelf(files=ON_THE_HUB)) as hub:
        (said, _) = ask_hub(hub.url, tmp_path, f"hf:{MODEL}", model_dir=str(tmp_path / "file" / "models"))
    assert said.startswith(f"OutputError {tmp_path}/file/models")
    assert " cannot be written: Not a directory; make it writable or name another folder " in said


def test_a_large_file_of_the_hub_that_is_not_what_its_name_says_is_removed(tmp_path: Path):
    """huggingface_hub compares lengths alone."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / COMMIT
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for name, content in (("good.safetensors", CONTENT), ("bad.safetensors", CONTENT[:-1] + b"?")):
        blob = blobs / hashlib.sha256(CONTENT if name.startswith("good") else CONTENT + b"!").hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(blob)
    with pytest.raises(ModelError, match=r"came as bad\.safetensors of a/b is not the file"):
        hub._verify(snapshot, "a/b")
    assert [path.name for path in snapshot.iterdir()] == ["good.safetensors"]
    assert len(list(blobs.iterdir())) == 1
    hub._verify(snapshot, "a/b")
