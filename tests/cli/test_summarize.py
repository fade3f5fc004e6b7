"""`mmser summarize`: a batch's folder to a page, tables and a text."""

import json
import os
import resource
import subprocess
import sys

import pytest

from tests.batch.made_archive import call_of, made_rows, write_archive


@pytest.fixture
def out(tmp_path):
    return write_archive(tmp_path / "out", made_rows(60, weeks=3))


def test_a_summary_is_written_beside_the_calls_and_told(mmser, out):
    ran = mmser("summarize", out, "--by", "queue")
    assert ran.code == 0
    names = {path.name for path in (out / "summary").iterdir()}
    assert names == {
        *(
            "summary.html",
            "summary.json",
            "shares.csv",
            "weeks.csv",
            "escalated.csv",
            "rules.csv",
            "groups.csv",
        )
    }
    assert "Customers sound negative in" in ran.out and "By queue" in ran.out and "2026-W02" in ran.out
    assert "summarising" in ran.err.splitlines()[0]


def test_json_is_the_document_that_is_written(mmser, out, tmp_path):
    ran = mmser("summarize", out, "--json", "-o", tmp_path / "place", "--quiet", "--top", 3)
    document = json.loads(ran.out)
    assert document == json.loads((tmp_path / "place" / "summary.json").read_text("utf-8"))
    assert document["schema"] == "mmser.summary/1" and document["calls"] == 60
    assert len(document["escalation"]["top"]) == 3
    assert ran.err == ""


def test_columns_that_could_divide_the_calls_are_offered(mmser, out):
    assert "--by can divide the calls by queue, region" in mmser("summarize", out).err


def test_a_standing_summary_is_kept_unless_told(mmser, out):
    assert mmser("summarize", out, "--quiet").code == 0
    before = (out / "summary" / "summary.html").read_bytes()
    ran = mmser("summarize", out, "--by", "queue")
    assert ran.code == 1 and "--overwrite" in ran.error
    assert (out / "summary" / "summary.html").read_bytes() == before
    assert mmser("summarize", out, "--by", "queue", "--overwrite").code == 0
    assert (out / "summary" / "summary.html").read_bytes() != before


def test_people_at_work_are_not_compared(mmser, tmp_path):
    out = write_archive(tmp_path / "out", [call_of("a", agent_id="7")])
    ran = mmser("summarize", out, "--by", "agent_id")
    assert ran.code == 2
    assert "Art. 5(1)(f)" in ran.error and not (out / "summary").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--by", "queu"], 2, "did you mean 'queue'"),
        (["--date", "started"], 2, "did you mean 'started_at'"),
        (["--min-calls", "0"], 2, "--min-calls"),
        (["-o", "{out}/calls"], 2, "choose another folder"),
        (["-o", ""], 2, "the path is empty"),
        (["-o", "{out}/calls/part-00000.parquet"], 2, "choose another folder"),
    ],
)
def test_wrong_usage_is_met_with_what_is_allowed(mmser, out, arguments, code, words):
    ran = mmser("summarize", out, *(text.format(out=out) for text in arguments))
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.error


def test_bad_folders_are_named(mmser, tmp_path, out):
    assert "does not exist" in mmser("summarize", tmp_path / "nowhere").error
    assert "is not a folder of mmser batch" in mmser("summarize", tmp_path).error
    part = out / "calls" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    ran = mmser("summarize", out)
    assert ran.code == 1 and "part-00000.parquet" in ran.error and not (out / "summary").exists()


def test_what_must_be_known_is_a_warning_and_stands_in_the_text(mmser, tmp_path):
    out = write_archive(tmp_path / "out", [call_of("a", date="soon"), call_of("b", date="2026-01-05")])
    told = "1 call whose date in 'date' is not understood, such as 'soon'"
    ran = mmser("summarize", out, "--quiet")
    assert f"Note: {told}" in ran.out and "no interval is given under 5" in ran.out
    ran = mmser("summarize", out, "--quiet", "--json", "--overwrite")
    assert f"mmser: warning: {told}" in ran.err


def test_a_full_disk_leaves_nothing_behind(out, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    program = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from mmser.cli import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "summarize", str(out), "-o", str(tmp_path / "new")],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=limit,
        env={**os.environ},
    )
    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr and "nothing was left behind" in ran.stderr
    assert not (tmp_path / "new").exists()


def test_torch_is_not_needed(out):
    program = (
        "import sys; from mmser.cli import run; code = run(sys.argv[1:]); print(code, 'torch' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "summarize", str(out), "-q"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "0 False"
