"""A small local server that speaks the Hub's HTTP API, as huggingface_hub uses it.

No test reaches the Hub; each starts this in its own process and runs huggingface_hub itself in another, with
`HF_ENDPOINT` set. By hand: `python tests/hub/local_hub.py FOLDER --port 8765`; it keeps everything in FOLDER.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hub import hub_cards
from tests.hub.hub_storage import (
    KINDS,
    Commit,
    Entry,
    Refusal,
    Repository,
    Storage,
    git_hash,
    goes_by_lfs,
    pointer,
)
from tests.hub.hub_wire import USERS, Asked, Fault, User, Wire

KIND_OF = {plural: kind for kind, plural in KINDS.items()}
NAME = re.compile(r"[\w][\w.-]{0,94}[\w]|[\w]", re.ASCII)


class LocalHub:
    """A Hub on this machine: a context manager with a `url`, faults that tests set, and a log of requests.

    Args:
        folder: where repositories lie; None = in a temporary folder, removed at the end.
        port: 0 = any that is free.
        users: who is known, by which token, and where they may write.
        part_size: bytes from which large files are uploaded in parts; None = always as one.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        users: Iterable[User] = USERS,
        part_size: int | None = None,
    ) -> None:
        self._temporary = Path(tempfile.mkdtemp(prefix="local-hub-")) if folder is None else None
        self.storage = Storage(folder or self._temporary or Path())
        self.users = {user.token: user for user in users}
        self.part_size = part_size
        self.wire = Wire()
        self.lock = threading.RLock()
        self._port = port
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def start(self) -> None:
        """Listen; after a stop, on the same port as before."""
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        self.wire.released.clear()
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening, as when the network is gone."""
        self.wire.released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def asked(self) -> list[Asked]:
        """Every request so far."""
        return self.wire.asked

    def count(self, method: str, path: str) -> int:
        """Return how many requests came whose path holds a regular expression."""
        return sum(one.method == method and bool(re.search(path, one.path)) for one in self.asked)

    def fault(self, method: str, path: str, **options: Any) -> Fault:
        """Let requests go wrong; the options are those of `Fault`."""
        fault = Fault(method, path, **options)
        self.wire.faults.append(fault)
        return fault

    def forget(self) -> None:
        """Take all faults away and forget the requests."""
        self.wire.faults.clear()
        self.wire.asked.clear()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Be out of reach for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def repository(self, name: str, kind: str = "model") -> Repository:
        return self.storage.repositories[kind, name]

    def seed(
        self,
        name: str,
        files: Path | dict[str, bytes],
        *,
        kind: str = "model",
        private: bool = False,
        gated: str | bool = False,
        sdk: str | None = None,
        branch: str = "main",
    ) -> str:
        """Commit a folder, or contents by path, to a repository that is made where it is not there.

        Returns:
            The commit.
        """
        if isinstance(files, Path):
            found = sorted(path for path in files.rglob("*") if path.is_file())
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in found}
        author = name.split("/")[0]
        with self.lock:
            repository = self.storage.repositories.get((kind, name))
            if repository is None:
                repository = self.storage.create(kind, name, private=private, author=author, sdk=sdk)
            repository.private, repository.gated = private, gated
            head = repository.branches.get(branch, repository.branches["main"])
            added = {path: self.storage.put(path, content) for path, content in files.items()}
            tree = repository.commits[head].tree | added
            commit = repository.add_commit(branch, tree, "seeded", "", author)
            self.storage.save(repository)
        return commit.oid

    def files(self, name: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """Return what a repository holds at a revision, contents by path."""
        tree = self.repository(name, kind).find(revision).tree
        return {path: self.storage.content(entry) for path, entry in tree.items()}


class Handler(BaseHTTPRequestHandler):
    """One connection. Requests are told apart by their path; `Refusal` is raised for what is not granted."""

    protocol_version = "HTTP/1.1"
    hub: LocalHub
    sent: bytes  # the body of the request
    fault: Fault | None

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.fault = self.hub.wire.take(self.command, self.path, dict(self.headers.items()))
        try:
            self.sent = self._body()
            if self.fault is not None and self._goes_wrong(self.fault):
                return
            self._route()
        except Refusal as refusal:
            self.refuse(refusal)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    # --- the wire ---

    def _body(self) -> bytes:
        """Read what was sent, or only the first bytes where the connection is to be cut."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("Content-Length") or 0)
        cut = self.fault.cut_after if self.fault is not None else None
        return self.rfile.read(length if cut is None or not length else min(cut, length))

    def _goes_wrong(self, fault: Fault) -> bool:
        """Do what a fault says before an answer, and tell whether that was all."""
        if fault.delay:
            self.hub.wire.released.wait(fault.delay)
        if fault.cut_after is not None and (self.sent or self.command in ("POST", "PUT")):
            self.close_connection = True
            return True
        if fault.status is not None:
            self.refuse(Refusal(fault.status, fault.message, fault.code), fault.headers)
            return True
        return False

    def answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json; charset=utf-8"
        for name, value in ({"Content-Type": kind} | (headers or {})).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command == "HEAD":
            return
        fault = self.fault
        if fault is not None and fault.tamper and raw:
            raw = raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 1]) + raw[len(raw) // 2 + 1 :]
        if fault is not None and fault.cut_after is not None and fault.cut_after < len(raw):
            raw = raw[: fault.cut_after]
            self.close_connection = True
        self.wfile.write(raw)

    def refuse(self, refusal: Refusal, headers: dict[str, str] | None = None) -> None:
        told = (
            {"X-Error-Message": refusal.message.encode("ascii", "replace").decode()}
            if refusal.message
            else {}
        )
        told |= {"X-Error-Code": refusal.code} if refusal.code else {}
        body = refusal.body or ({"error": refusal.message} if refusal.message else {})
        self.answer(body, refusal.status, told | (headers or {}))

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.sent or b"{}")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    # --- who may what ---

    def user(self) -> User | None:
        """Return who asks; None = anybody."""
        given = self.headers.get("Authorization")
        if given is None:
            return None
        user = self.hub.users.get(given.removeprefix("Bearer "))
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def readable(self, kind: str, name: str) -> Repository:
        user, found = self.user(), self.hub.storage.repositories.get((kind, name))
        if found is None or (found.private and (user is None or found.namespace not in user.namespaces)):
            if user is None:
                raise Refusal(401, "Invalid username or password.", "RepoNotFound")
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return found

    def open_files(self, kind: str, name: str) -> Repository:
        """Return a repository whose files may be read: a gated one shows itself, but not its files."""
        found, user = self.readable(kind, name), self.user()
        allowed = user is not None and (user.name in found.accepted or found.namespace in user.namespaces)
        if found.gated and not allowed:
            restricted = f"Access to {kind} {name} is restricted"
            if user is None:
                said = f"{restricted}. You must have access to it and be authenticated to access it."
                raise Refusal(401, said, "GatedRepo")
            where = f"{self.hub.url}/{name}"
            said = f"{restricted} and you are not in the authorized list. Visit {where} to ask for access."
            raise Refusal(403, said, "GatedRepo")
        return found

    def writer(self, namespace: str | None = None) -> User:
        user = self.user()
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        if not user.writes:
            raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
        if namespace is not None and namespace not in user.namespaces:
            raise Refusal(403, f'You don\'t have the rights to create or change what is under "{namespace}"')
        return user

    def writable(self, kind: str, name: str) -> Repository:
        found = self.readable(kind, name)
        self.writer(found.namespace)
        return found

    # --- the paths ---

    def _route(self) -> None:
        raw = urlsplit(self.path).path.strip("/")
        parts = [unquote(part) for part in raw.split("/")]
        with self.hub.lock:
            if parts[:2] in (["api", "whoami-v2"], ["api", "validate-yaml"]):
                return self._whoami() if parts[1] == "whoami-v2" else self._validate()
            if parts[:2] == ["api", "repos"]:
                return self._create() if parts[2:] == ["create"] else self._delete()
            if parts[0] == "api" and len(parts) >= 4 and parts[1] in KIND_OF:
                kind, name = KIND_OF[parts[1]], f"{parts[2]}/{parts[3]}"
                return self._of_repository(kind, name, parts[4:])
            if parts[0] == "storage":
                return self._store(*parts[1:])
            kind = KIND_OF.get(parts[0], "model")
            rest = parts[1:] if kind != "model" else parts
            if rest[2:5] == ["info", "lfs", "objects"]:
                return self._lfs(kind, f"{rest[0]}/{rest[1].removesuffix('.git')}", rest[5:])
            if rest[2:3] == ["resolve"] and len(rest) > 4:
                content, status, headers = self._resolve(
                    kind, f"{rest[0]}/{rest[1]}", rest[3], "/".join(rest[4:])
                )
            else:
                raise Refusal(404, f"Sorry, there is nothing at /{raw}")
        return self.answer(content, status, headers)  # without the lock: a slow reader holds nobody up

    def _of_repository(self, kind: str, name: str, rest: list[str]) -> None:
        what, argument = [*rest, "", ""][:2]
        asked = (self.command, what)
        if asked in (("GET", ""), ("GET", "revision")):
            found = self.readable(kind, name)
            return self.answer(self._info(found, found.find(argument or "main")))
        if asked == ("GET", "auth-check"):
            self.open_files(kind, name)
            return self.answer({})
        if asked == ("GET", "tree"):
            return self.answer(self._tree(self.readable(kind, name).find(argument), "/".join(rest[2:])))
        if asked == ("GET", "refs"):
            return self.answer(self._refs(self.readable(kind, name)))
        if asked == ("GET", "commits"):
            return self.answer([_commit(one) for one in self.readable(kind, name).history(argument)])
        if asked == ("POST", "paths-info"):
            return self.answer(self._paths(self.readable(kind, name).find(argument)))
        if what in ("preupload", "commit", "settings", "tag", "branch"):
            found = self.writable(kind, name)
            done = getattr(self, f"_{what}")(found, argument)
            self.hub.storage.save(found)
            return self.answer(done)
        raise Refusal(404, f"Sorry, there is no {'/'.join(rest)} of a repository")

    # --- what is asked of no repository ---

    def _whoami(self) -> None:
        user = self.user()
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        token = {"displayName": "local", "role": "write" if user.writes else "read"}
        about = {
            "type": "user",
            "name": user.name,
            "fullname": user.name,
            "email": f"{user.name}@example.org",
        }
        organisations = [{"type": "org", "name": one, "roleInOrg": "admin"} for one in user.organisations]
        self.answer(about | {"orgs": organisations, "auth": {"type": "access_token", "accessToken": token}})

    def _validate(self) -> None:
        given = self.json
        errors, warnings = hub_cards.faults(given["content"], given.get("repoType", "model"))
        told = {
            "errors": [{"message": one} for one in errors],
            "warnings": [{"message": one} for one in warnings],
        }
        self.answer(told, 400 if errors else 200)

    def _create(self) -> None:
        given, kind = self.json, self.json.get("type") or "model"
        user = self.writer()
        namespace = given.get("organization") or user.name
        self.writer(namespace)
        name = f"{namespace}/{given['name']}"
        if not NAME.fullmatch(given["name"]) or kind not in KINDS:
            raise Refusal(400, f"Invalid {kind} name: {given['name']}")
        url = f"{self.hub.url}/{_prefix(kind)}{name}"
        if (kind, name) in self.hub.storage.repositories:
            raise Refusal(409, "", error=f"You already created this {kind} repo: {name}", url=url)
        private = given.get("visibility") == "private" or bool(given.get("private"))
        self.hub.storage.create(kind, name, private=private, author=user.name, sdk=given.get("sdk"))
        self.answer({"url": url, "id": name, "name": name})

    def _delete(self) -> None:
        given = self.json
        name = f"{given.get('organization') or self.writer().name}/{given['name']}"
        self.hub.storage.remove(self.writable(given.get("type") or "model", name))
        self.answer({})

    # --- reading a repository ---

    def _info(self, repository: Repository, commit: Commit) -> dict[str, Any]:
        card = self._card(commit)
        about: dict[str, Any] = {
            "_id": hashlib.sha1(repository.id.encode()).hexdigest()[:24],
            "id": repository.id,
            "author": repository.namespace,
            "sha": commit.oid,
            "createdAt": repository.created,
            "lastModified": commit.date,
            "private": repository.private,
            "gated": repository.gated,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": _tags(card),
            "cardData": card,
            "siblings": [self._sibling(path, entry) for path, entry in commit.tree.items()],
        }
        if repository.kind == "model":
            about |= {
                key: card[key] for key in ("pipeline_tag", "library_name", "model-index") if key in card
            }
            about |= {"modelId": repository.id, "config": self._config(commit)}
        if repository.kind == "space":
            about |= {"sdk": card.get("sdk", repository.sdk), "subdomain": repository.id.replace("/", "-")}
        expand = self.query.get("expand")
        return {key: about[key] for key in about if key in ("_id", "id", *expand)} if expand else about

    def _card(self, commit: Commit) -> dict[str, Any]:
        if "README.md" not in commit.tree:
            return {}
        try:
            found = hub_cards.metadata(
                self.hub.storage.content(commit.tree["README.md"]).decode("utf-8", "replace")
            )
        except hub_cards.yaml.YAMLError:
            return {}
        return json.loads(json.dumps(found, default=str)) if isinstance(found, dict) else {}

    def _config(self, commit: Commit) -> dict[str, Any]:
        try:
            config = json.loads(self.hub.storage.content(commit.tree["config.json"]))
            return {key: config[key] for key in ("architectures", "model_type", "auto_map") if key in config}
        except (KeyError, ValueError, TypeError):
            return {}

    def _sibling(self, path: str, entry: Entry) -> dict[str, Any]:
        if "blobs" not in self.query:
            return {"rfilename": path}
        large = {"sha256": entry.sha256, "size": entry.size, "pointerSize": _pointer_size(entry)}
        blob = {"rfilename": path, "size": entry.size, "blobId": entry.oid}
        return blob | ({"lfs": large} if entry.sha256 else {})

    def _tree(self, commit: Commit, folder: str) -> list[dict[str, Any]]:
        start = f"{folder}/" if folder else ""
        inside = {path: entry for path, entry in commit.tree.items() if path.startswith(start)}
        if not inside and folder:
            raise Refusal(404, f"{folder} does not exist on the revision", "EntryNotFound")
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        told: dict[str, dict[str, Any]] = {}
        for path, entry in inside.items():
            below = path[len(start) :].split("/")[:-1]
            folders = [start + "/".join(below[: depth + 1]) for depth in range(len(below))]
            for one in folders if recursive else folders[:1]:
                told[one] = {
                    "type": "directory",
                    "oid": hashlib.sha1(one.encode()).hexdigest(),
                    "size": 0,
                    "path": one,
                }
            if recursive or not folders:
                told[path] = self._entry(path, entry, commit)
        return list(told.values())

    def _entry(self, path: str, entry: Entry, commit: Commit) -> dict[str, Any]:
        told: dict[str, Any] = {"type": "file", "oid": entry.oid, "size": entry.size, "path": path}
        if entry.sha256:
            told["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": _pointer_size(entry)}
        if self.query.get("expand", ["false"])[0].lower() in ("true", "1"):
            told["lastCommit"] = {"id": commit.oid, "title": commit.title, "date": commit.date}
        return told

    def _paths(self, commit: Commit) -> list[dict[str, Any]]:
        wanted = (
            parse_qs(self.sent.decode()).get("paths", []) if self.sent[:1] != b"{" else self.json["paths"]
        )
        found = []
        for path in wanted:
            if path in commit.tree:
                found.append(self._entry(path, commit.tree[path], commit))
            elif any(other.startswith(f"{path}/") for other in commit.tree):
                oid = hashlib.sha1(path.encode()).hexdigest()
                found.append({"type": "directory", "oid": oid, "size": 0, "path": path})
        return found

    def _refs(self, repository: Repository) -> dict[str, Any]:
        named = (("branches", "heads", repository.branches), ("tags", "tags", repository.tags))
        told: dict[str, Any] = {"converts": [], "pullRequests": []}
        for key, folder, refs in named:
            told[key] = [
                {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": oid}
                for name, oid in refs.items()
            ]
        return told

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> tuple[bytes, int, dict[str, str]]:
        commit = self.open_files(kind, name).find(revision)
        entry = commit.tree.get(path)
        if entry is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        content = self.hub.storage.content(entry)
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{entry.key}"', "Accept-Ranges": "bytes"}
        headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(PurePosixPath(path).name)}"
        if entry.sha256:
            headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size)}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            headers["Content-Length"] = str(len(content))
            return content, 200, headers
        start, end = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
        if start >= len(content):
            raise Refusal(416, "Range Not Satisfiable")
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return content[start : end + 1], 206, headers

    # --- writing a repository ---

    def _preupload(self, repository: Repository, revision: str) -> dict[str, Any]:
        tree, told = repository.find(revision).tree, []
        for file in self.json["files"]:
            path, size = file["path"], file["size"]
            mode = "lfs" if goes_by_lfs(path, size, base64.b64decode(file.get("sample", ""))) else "regular"
            present = {"oid": tree[path].key} if path in tree else {}
            told.append({"path": path, "uploadMode": mode, "shouldIgnore": False} | present)
        return {"files": told}

    def _commit(self, repository: Repository, branch: str) -> dict[str, Any]:
        user = self.writer(repository.namespace)
        if branch not in repository.branches:
            if branch in repository.tags or re.fullmatch(r"[0-9a-f]{40}", branch):
                raise Refusal(400, f"Invalid reference for a branch: refs/heads/{branch}")
            raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        if "create_pr" in self.query:
            raise Refusal(501, "This local Hub knows no pull requests")
        lines = [json.loads(line) for line in self.sent.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        head = repository.branches[branch]
        if header.get("parentCommit") and not head.startswith(header["parentCommit"]):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(repository.commits[head].tree)
        for line in lines:
            self._apply(tree, line["key"], line["value"])
        made = repository.add_commit(
            branch, tree, header["summary"], header.get("description", ""), user.name
        )
        url = f"{self.hub.url}/{_prefix(repository.kind)}{repository.id}/commit/{made.oid}"
        return {"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""}

    def _apply(self, tree: dict[str, Entry], key: str, value: dict[str, Any]) -> None:
        """Do one line of a commit to a tree."""
        path = value.get("path", "")
        storage = self.hub.storage
        if key in ("file", "lfsFile") and (not path or set(path.split("/")) & {"", ".", "..", ".git"}):
            raise Refusal(400, f"Invalid path: {path!r}")
        if key == "file":
            content = base64.b64decode(value["content"])
            errors = hub_cards.faults(content.decode("utf-8", "replace"), "model")[0]
            if path == "README.md" and any("YAML" in error for error in errors):
                raise Refusal(400, f"Invalid metadata in README.md: {errors[0]}")
            if goes_by_lfs(path, len(content), content[:512]):
                raise Refusal(400, f"Your push was rejected because {path} must be uploaded by LFS")
            storage.keep(git_hash(content), content)
            tree[path] = Entry(git_hash(content), len(content))
        elif key == "lfsFile":
            if not storage.has(value["oid"]):
                raise Refusal(
                    400, f"LFS pointer of {path} points to a file that was not uploaded: {value['oid']}"
                )
            size = (storage.folder / "objects" / value["oid"]).stat().st_size
            if value.get("size", size) != size:
                raise Refusal(400, f"{path} is {size} bytes long, not {value['size']}")
            tree[path] = storage.entry_of_large(value["oid"], size)
        elif key == "deletedFile":
            if path not in tree:
                raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            del tree[path]
        elif key == "deletedFolder":
            gone = [one for one in tree if one.startswith(f"{path.rstrip('/')}/")]
            if not gone:
                raise Refusal(404, f"A folder with this name doesn't exist: {path}", "EntryNotFound")
            for one in gone:
                del tree[one]

    def _settings(self, repository: Repository, _: str) -> dict[str, Any]:
        given = self.json
        if "visibility" in given or "private" in given:
            repository.private = given.get("visibility") == "private" or given.get("private") is True
        if "gated" in given:
            repository.gated = given["gated"]
        return {"private": repository.private, "gated": repository.gated}

    def _tag(self, repository: Repository, argument: str) -> dict[str, Any]:
        if self.command == "DELETE":
            return _remove(repository.tags, argument)
        return _add(repository.tags, self.json["tag"], repository.find(argument).oid, "tag")

    def _branch(self, repository: Repository, argument: str) -> dict[str, Any]:
        if self.command == "DELETE":
            if argument == "main":
                raise Refusal(403, "Cannot delete the main branch")
            return _remove(repository.branches, argument)
        start = repository.find(self.json.get("startingPoint") or "main").oid
        return _add(repository.branches, argument, start, "branch")

    # --- large files ---

    def _lfs(self, kind: str, name: str, what: list[str]) -> None:
        self.writable(kind, name)
        if what == ["verify"]:
            given = self.json
            kept = self.hub.storage.folder / "objects" / given["oid"]
            if not kept.is_file() or kept.stat().st_size != given["size"]:
                raise Refusal(404, f"Object {given['oid']} was not uploaded")
            return self.answer({})
        objects = [self._upload_of(kind, name, one) for one in self.json["objects"]]
        return self.answer({"transfer": "basic", "objects": objects})

    def _upload_of(self, kind: str, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        oid, size, url = wanted["oid"], wanted["size"], self.hub.url
        told = {"oid": oid, "size": size}
        if self.hub.storage.has(oid):
            return told
        upload: dict[str, Any] = {"href": f"{url}/storage/{oid}"}
        part = self.hub.part_size
        if part is not None and size > part:
            parts = {
                str(number + 1): f"{url}/storage/{oid}/{number + 1}" for number in range(-(-size // part))
            }
            upload = {"href": f"{url}/storage/{oid}/complete", "header": {"chunk_size": str(part), **parts}}
        verify = {"href": f"{url}/{_prefix(kind)}{name}.git/info/lfs/objects/verify"}
        return told | {"actions": {"upload": upload, "verify": verify}}

    def _store(self, oid: str, part: str = "") -> None:
        """Take the content of a large file, or one part of it; its address is its permit, as in a bucket."""
        storage = self.hub.storage
        content = self.sent
        if part.isdigit():
            storage.keep(f"{oid}.{part}", content)
            return self.answer(b"", headers={"ETag": f'"{hashlib.md5(content).hexdigest()}"'})
        if part == "complete":
            numbers = sorted(one["partNumber"] for one in self.json["parts"])
            paths = [storage.folder / "objects" / f"{oid}.{number}" for number in numbers]
            content = b"".join(path.read_bytes() for path in paths)
            for path in paths:
                path.unlink()
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refusal(400, "BadDigest: what was uploaded is not what its sha256 says")
        storage.keep(oid, content)
        return self.answer({} if part else b"")


def _prefix(kind: str) -> str:
    return "" if kind == "model" else f"{KINDS[kind]}/"


def _pointer_size(entry: Entry) -> int:
    return len(pointer(entry.sha256 or "", entry.size))


def _tags(card: dict[str, Any]) -> list[str]:
    tags = [str(tag) for tag in hub_cards.listed(card.get("tags"))]
    tags += [str(card["library_name"])] if "library_name" in card else []
    tags += [str(language) for language in hub_cards.listed(card.get("language"))]
    tags += [f"license:{licence}" for licence in hub_cards.listed(card.get("license"))]
    return [*dict.fromkeys(tags), "region:us"]


def _commit(commit: Commit) -> dict[str, Any]:
    authors = [{"user": commit.author}]
    return {
        "id": commit.oid,
        "authors": authors,
        "date": commit.date,
        "title": commit.title,
        "message": commit.message,
    }


def _add(refs: dict[str, str], name: str, oid: str, what: str) -> dict[str, Any]:
    if name in refs:
        raise Refusal(409, f"{what.title()} {name} already exists")
    if not re.fullmatch(r"[\w][\w./-]*", name):
        raise Refusal(400, f"Invalid {what} name: {name}")
    refs[name] = oid
    return {}


def _remove(refs: dict[str, str], name: str) -> dict[str, Any]:
    if name not in refs:
        raise Refusal(404, f"Invalid rev id: {name}", "RevisionNotFound")
    del refs[name]
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a local Hub that keeps its repositories in a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    with LocalHub(given.folder, port=given.port) as hub:
        print(f"HF_ENDPOINT={hub.url} HF_HUB_DISABLE_XET=1", flush=True)
        for user in hub.users.values():
            print(f"HF_TOKEN={user.token}  # {user.name}, {'writes' if user.writes else 'reads'}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
