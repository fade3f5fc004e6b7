"""A local server of weights, which misbehaves as it is told: openai's files, and the Hub's protocol."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789" * 4


@dataclass
class Shelf:
    """What a server gives, how, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)  # by the last part of the path, or by the whole
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range of each GET
    sent: int = 0  # bytes of bodies
    ranges: bool = True
    cuts: int = 0  # answers that end in the middle, before one that does not
    stalls: bool = False
    answers: list[int] = field(default_factory=list)  # codes of the next answers, before any file
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)  # lets go of what stalls

    def address(self, name: str) -> str:
        """Return the address of a file, in which its sum stands as in openai's."""
        return f"{self.url}/{hashlib.sha256(self.files[name]).hexdigest()}/{name}"


@contextmanager
def serving(shelf: Shelf) -> Iterator[Shelf]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.give(body=False)

        def do_GET(self) -> None:
            shelf.asked.append((self.path, self.headers.get("Range")))
            if shelf.stalls:
                shelf.released.wait(10)
                self.close_connection = True
                return
            if shelf.answers:
                self.answer(shelf.answers.pop(0), b"")
            elif self.path.startswith("/api/models/"):
                self.describe()
            else:
                self.give(body=True)

        def answer(self, code: int, content: bytes, **headers: str) -> None:
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def describe(self) -> None:
            repository = "/".join(self.path.split("/")[3:5])
            names = [path.split("/", 4)[4] for path in shelf.files if path.startswith(f"{repository}/")]
            if not names:
                self.answer(404, b"{}", X_Error_Code="RepoNotFound")
            elif "/tree/" in self.path:
                content = {name: shelf.files[f"{repository}/resolve/{COMMIT}/{name}"] for name in names}
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in content.items()
                ]
                self.answer(200, json.dumps(tree).encode(), Content_Type="application/json")
            else:
                info = {"id": repository, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
                self.answer(200, json.dumps(info).encode(), Content_Type="application/json")

        def give(self, body: bool) -> None:
            path = self.path.lstrip("/")
            content = shelf.files.get(path, shelf.files.get(path.rsplit("/", 1)[-1]))
            if content is None:
                self.answer(404, b"", X_Error_Code="EntryNotFound")
                return
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if shelf.ranges else None
            start = int(found[1]) if found else 0
            if start >= len(content) > 0:
                self.answer(416, b"")
                return
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if not body:
                return
            rest = content[start:]
            if shelf.cuts:
                shelf.cuts -= 1
                rest = rest[: len(rest) // 2]
                self.close_connection = True
            shelf.sent += len(rest)  # before the client has it and looks
            self.wfile.write(rest)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shelf.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shelf
    finally:
        shelf.released.set()
        server.shutdown()
        server.server_close()
