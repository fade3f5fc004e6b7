"""Repositories of a local Hub: commits with their trees, branches, tags, and the contents they name."""

import fnmatch
import hashlib
import json
import re
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

KINDS = {"model": "models", "dataset": "datasets", "space": "spaces"}
MOST_REGULAR = 10_000_000  # bytes; larger files go by LFS, as on the Hub
LARGE = """
    *.7z *.arrow *.bin *.bz2 *.ckpt *.flac *.gz *.h5 *.jpeg *.jpg *.m4a *.mlmodel *.model *.mp3 *.mp4
    *.msgpack *.npy *.npz *.ogg *.onnx *.opus *.ot *.parquet *.pb *.pcm *.pdf *.pickle *.pkl *.png *.pt
    *.pth *.rar *.raw *.safetensors *.tar *.tflite *.tgz *.wasm *.wav *.webp *.xz *.zip *.zst
""".split()  # noqa: SIM905
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE)


class Refusal(Exception):  # noqa: N818
    """An answer other than 200, as the Hub would give it."""

    def __init__(self, status: int, message: str, code: str | None = None, **body: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body


@dataclass(frozen=True)
class Entry:
    """A file of a tree: by which id git knows it, and by which content."""

    oid: str  # git's sha1 of the content, or of the pointer that stands for it
    size: int  # bytes
    sha256: str | None = None  # of a file that went by LFS

    @property
    def key(self) -> str:
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    tree: dict[str, Entry]  # by path


@dataclass
class Repository:
    kind: str
    id: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    accepted: list[str] = field(default_factory=list)  # users to whom a gated repository was opened
    created: str = ""
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    def find(self, revision: str) -> Commit:
        """Return the commit of a branch, a tag, or a commit's id or its first seven digits and more."""
        oid = self.branches.get(revision) or self.tags.get(revision)
        if oid is None and re.fullmatch(r"[0-9a-f]{7,40}", revision):
            oid = next((known for known in self.commits if known.startswith(revision)), None)
        if oid is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def add_commit(
        self, branch: str, tree: dict[str, Entry], title: str, message: str, author: str
    ) -> Commit:
        parent = self.branches.get(branch)
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        said = json.dumps(
            [self.id, parent, title, message, len(self.commits), sorted(map(str, tree.items()))]
        )
        oid = hashlib.sha1(said.encode()).hexdigest()
        self.commits[oid] = Commit(oid, parent, title, message, author, date, dict(sorted(tree.items())))
        self.branches[branch] = oid
        return self.commits[oid]

    def history(self, revision: str) -> list[Commit]:
        """Return the commits that a revision comes from, the newest first."""
        found: list[Commit] = [self.find(revision)]
        while (parent := found[-1].parent) is not None:
            found.append(self.commits[parent])
        return found


class Storage:
    """A folder of repositories and contents; it is there again when opened anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repositories: dict[tuple[str, str], Repository] = {}
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*/*/*.json")):
            known = _read(path)
            self.repositories[known.kind, known.id] = known

    def create(
        self, kind: str, name: str, *, private: bool, author: str, sdk: str | None = None
    ) -> Repository:
        created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        repository = Repository(kind, name, private=private, sdk=sdk, created=created)
        tree = {".gitattributes": self.put(".gitattributes", ATTRIBUTES.encode())}
        if kind == "space":
            title = name.split("/")[1]
            card = f"---\ntitle: {title}\ncolorFrom: blue\ncolorTo: indigo\nsdk: {sdk}\npinned: false\n---\n"
            tree["README.md"] = self.put("README.md", card.encode())
        repository.add_commit("main", tree, "initial commit", "", author)
        self.repositories[kind, name] = repository
        self.save(repository)
        return repository

    def remove(self, repository: Repository) -> None:
        del self.repositories[repository.kind, repository.id]
        self._path(repository).unlink()

    def save(self, repository: Repository) -> None:
        path = self._path(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps(asdict(repository)).encode())

    def _path(self, repository: Repository) -> Path:
        return self.folder / KINDS[repository.kind] / f"{repository.id}.json"

    def put(self, path: str, content: bytes) -> Entry:
        """Keep a file's content, by LFS or as it is, whichever the Hub would choose."""
        if goes_by_lfs(path, len(content), content[:512]):
            sha256 = hashlib.sha256(content).hexdigest()
            self.keep(sha256, content)
            return self.entry_of_large(sha256, len(content))
        oid = git_hash(content)
        self.keep(oid, content)
        return Entry(oid, len(content))

    def keep(self, key: str, content: bytes) -> None:
        _write(self.folder / "objects" / key, content)

    def has(self, key: str) -> bool:
        return (self.folder / "objects" / key).is_file()

    def content(self, entry: Entry) -> bytes:
        return (self.folder / "objects" / entry.key).read_bytes()

    @staticmethod
    def entry_of_large(sha256: str, size: int) -> Entry:
        return Entry(git_hash(pointer(sha256, size)), size, sha256)


def goes_by_lfs(path: str, size: int, sample: bytes) -> bool:
    if size == 0:
        return False
    named = any(fnmatch.fnmatch(PurePosixPath(path).name, pattern) for pattern in LARGE)
    return named or size >= MOST_REGULAR or b"\0" in sample


def pointer(sha256: str, size: int) -> bytes:
    """Return what git keeps of a file that goes by LFS."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)


def _read(path: Path) -> Repository:
    known = json.loads(path.read_text("utf-8"))
    for oid, commit in known["commits"].items():
        tree = {name: Entry(**entry) for name, entry in commit.pop("tree").items()}
        known["commits"][oid] = Commit(tree=tree, **commit)
    return Repository(**known)
