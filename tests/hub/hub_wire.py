"""How a local Hub goes wrong when a test asks for it, what it remembers of requests, and who may do what."""

import re
import threading
from dataclasses import dataclass, field


@dataclass(frozen=True)
class User:
    """Somebody with a token, and the namespaces in which they may read and write."""

    name: str
    token: str
    organisations: tuple[str, ...] = ()
    writes: bool = True  # False: a token that only reads

    @property
    def namespaces(self) -> tuple[str, ...]:
        return (self.name, *self.organisations)


ALICE = User("alice", "hf_local_token_of_alice", ("team",))
BOB = User("bob", "hf_local_token_of_bob")
READER = User("alice", "hf_local_read_token_of_alice", ("team",), writes=False)
USERS = (ALICE, BOB, READER)


@dataclass
class Fault:
    """What goes wrong with the requests that match, after `skip` of them and `times` times."""

    method: str  # "*" = any
    path: str  # a regular expression, searched in the path with its query
    status: int | None = None  # answered in the place of the right answer
    message: str = ""
    code: str | None = None  # X-Error-Code
    headers: dict[str, str] = field(default_factory=dict)  # of that answer
    cut_after: int | None = None  # bytes of the body, sent or received, after which the connection is cut
    delay: float = 0  # s before the answer
    tamper: bool = False  # the body comes with its bytes changed, as long as it was
    skip: int = 0
    times: int = 1
    met: int = 0  # requests that matched so far

    def meets(self, method: str, path: str) -> bool:
        if self.method not in ("*", method) or not re.search(self.path, path):
            return False
        self.met += 1
        return self.skip < self.met <= self.skip + self.times


@dataclass(frozen=True)
class Asked:
    """A request as it came, without its secrets."""

    method: str
    path: str
    authorised: bool  # it brought an Authorization
    headers: dict[str, str]


class Wire:
    """The faults that a test set, and the log of what was asked."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.released = threading.Event()  # lets go of what waits
        self._lock = threading.Lock()

    def take(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        """Note a request, and return the first fault that meets it."""
        told = {
            name: value for name, value in headers.items() if name.lower() not in ("authorization", "cookie")
        }
        with self._lock:
            self.asked.append(
                Asked(method, path, "authorization" in {name.lower() for name in headers}, told)
            )
            met = [fault for fault in self.faults if fault.meets(method, path)]
        return met[0] if met else None
