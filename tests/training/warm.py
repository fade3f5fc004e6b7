"""Runs `mmser` as processes of their own that need not import torch again: forks of one that has.

It reads a JSON line from stdin for each job, and answers each with one line: the process id of a command that
it started, or the exit code (-9 = killed) of one that it waited for.
"""

import gc
import json
import os
import resource
import sys
from typing import Any


def child(job: dict[str, Any]) -> None:
    """Become `mmser`, and end with its exit code."""
    from mmser import cli

    log = os.open(job["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(job["environment"])
    if job["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"], job["largest_file"]))
    code = cli.run(job["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    # Imported before any fork, and never run here: a fork of a process in which torch has worked can hang.
    import mmser.training.run
    import mmser.training.summary  # noqa: F401

    gc.freeze()  # or each fork would copy all of it when it looks for garbage
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            answer = os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                child(job)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
