"""Manifests as the input of a batch: what is of the whole is refused, what is of one row stays with it."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmser.audio import open_recording
from mmser.batch.input.manifests import json_cells
from mmser.batch.input.reading import read_input
from mmser.batch.input.rows import row_hash
from mmser.batch.records import BatchInput, CallRow
from mmser.errors import DataError, UsageError


def read(*inputs: object) -> BatchInput:
    return read_input([str(one) for one in inputs], split=None, revision=None)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    return write(path, "".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket in memory, emptied afterwards."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def test_a_csv_gives_paths_roles_languages_and_the_users_own_columns(tmp_path: Path):
    path = write(
        tmp_path / "m.csv",
        "\ufeffaudio,transcript,roles,id,language,team,score\r\n"
        'calls/1.wav,calls/1.vtt,"agent, customer",,English,North,007\r\n'
        's3://b/2.wav,,"spk_0=agent,a=b=customer",two,,,\r\n'
        ",/abs/3.vtt,,,de-DE, South ,x\r\n",
    )
    found = read(path)
    first, second, third = found.rows
    assert first == CallRow(
        id="calls/1",
        audio=(f"{tmp_path}/calls/1.wav",),
        transcript=f"{tmp_path}/calls/1.vtt",
        channel_roles=("agent", "customer"),
        language="en",
        columns={"team": "North", "score": "007"},
    )
    assert (second.id, second.audio) == ("two", ("s3://b/2.wav",))
    assert second.speaker_roles == {"spk_0": "agent", "a=b": "customer"} and second.channel_roles is None
    assert second.columns == {"team": None, "score": None}
    assert (third.id, third.audio, third.transcript, third.language) == ("/abs/3", (), "/abs/3.vtt", "de")
    assert third.columns["team"] == " South " and found.columns == {"team": "string", "score": "string"}


def test_several_mono_files_of_one_call(tmp_path: Path):
    (tmp_path / "odd|name.wav").write_bytes(b"x")
    rows = read(write(tmp_path / "m.tsv", "audio\tid\na.wav|b.wav\tab\nodd|name.wav\tone\n")).rows
    assert rows[0].audio == (f"{tmp_path}/a.wav", f"{tmp_path}/b.wav")
    assert rows[1].audio == (f"{tmp_path}/odd|name.wav",)
    rows = read(lines(tmp_path / "m.jsonl", {"audio": ["x/a.wav", "x/b.wav"]}, {"audio": "c|d.wav"})).rows
    assert rows[0].audio == (f"{tmp_path}/x/a.wav", f"{tmp_path}/x/b.wav") and rows[0].id == "x/a+x/b"
    assert rows[1].audio == (f"{tmp_path}/c|d.wav",)


@pytest.mark.data
def test_two_real_files_are_one_call(tmp_path: Path, data_dir: Path):
    folder = data_dir / "calls" / "aws_lca"
    names = [folder / f"Auto_Repairs_40_UTC_{side}.wav" for side in ("agent", "caller")]
    path = write(tmp_path / "m.csv", f'audio,roles,id\n{names[0]}|{names[1]},"agent,customer",call\n')
    (row,) = read(path).rows
    with open_recording(*row.audio) as source:
        assert (source.num_channels, row.channel_roles) == (2, ("agent", "customer"))


def test_json_lines_keep_the_types_of_the_users_columns(tmp_path: Path):
    found = read(
        lines(
            tmp_path / "m.jsonl",
            {"audio": "a.wav", "n": 1, "x": 1, "ok": True, "mixed": 1, "deep": {"k": [1, "ä"]}},
            {"audio": "b.wav", "x": 2.5, "mixed": "z", "big": 2**63, "roles": ["agent"], "id": 17},
            {"audio": "c.wav", "n": None, "ok": False, "roles": {"spk, 1": "customer"}},
        )
    )
    assert found.columns == {
        "n": "int", "x": "float", "ok": "bool", "mixed": "string", "deep": "string", "big": "string"
    }  # fmt: skip
    assert [row.columns["n"] for row in found.rows] == [1, None, None]
    assert [row.columns["x"] for row in found.rows] == [1.0, 2.5, None]
    assert [row.columns["mixed"] for row in found.rows] == ["1", "z", None]
    assert found.rows[0].columns["deep"] == '{"k":[1,"ä"]}' and found.rows[1].columns["big"] == str(2**63)
    assert found.rows[1].id == "17" and found.rows[1].channel_roles == ("agent",)
    assert found.rows[2].speaker_roles == {"spk, 1": "customer"}


def test_parquet_keeps_types_and_writes_times_as_text(tmp_path: Path):
    noon = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
    table = pyarrow.table(
        {
            "audio": pyarrow.array([["a.wav", "b.wav"], None], pyarrow.list_(pyarrow.string())),
            "transcript": [None, "c.vtt"],
            "id": pyarrow.array([1.0, 2.0]),
            "n": pyarrow.array([1, None], pyarrow.int16()),
            "x": pyarrow.array([0.5, float("nan")], pyarrow.float32()),
            "ok": [True, False],
            "at": pyarrow.array([noon, None], pyarrow.timestamp("ns", tz="UTC")),
            "day": [noon.date(), None],
            "team": pyarrow.array(["N", "S"]).dictionary_encode(),
            "tags": [["p", "q"], None],
            "raw": [b"\0", b"\1"],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    found = read(tmp_path / "m.parquet")
    assert found.columns == {
        "n": "int", "x": "float", "ok": "bool", "at": "string", "day": "string", "team": "string",
        "tags": "string"
    }  # fmt: skip
    first, second = found.rows
    assert (first.id, first.audio) == ("1", (f"{tmp_path}/a.wav", f"{tmp_path}/b.wav"))
    assert (second.id, second.transcript) == ("2", f"{tmp_path}/c.vtt")
    assert list(first.columns.values()) == [
        1, 0.5, True, "2024-05-01T12:00:00+00:00", "2024-05-01", "N", '["p","q"]'
    ]  # fmt: skip
    assert second.columns["x"] is None
    assert found.warnings and "'raw'" in found.warnings[0]


def test_ids_that_would_repeat_get_their_line_and_given_ones_stand(tmp_path: Path):
    path = write(tmp_path / "m.csv", "audio,id\na.wav,\na.wav,\nb.wav,\nx.wav,b\na.v1,\n")
    assert [row.id for row in read(path).rows] == ["a", "a:3", "b:4", "b", "a.v1"]


def test_given_ids_that_repeat_are_refused_five_at_most_with_their_lines(tmp_path: Path):
    rows = "".join(f"{i}.wav,{i % 7}\n" for i in range(14))
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "m.csv", f"audio,id\n{rows}"))
    message = str(caught.value)
    assert f"'0' ({tmp_path}/m.csv, line 2, {tmp_path}/m.csv, line 9)" in message
    assert "'4'" in message and "'5'" not in message and "and 2 more" in message


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, "it has neither audio nor transcript; give one of them"),
        ({"audio": "  "}, "it has neither audio nor transcript; give one of them"),
        ({"audio": 5}, "audio is 5; give a path or URL, as text"),
        ({"audio": ["a.wav", ""]}, "audio lists several files and one of them is empty; name each"),
        ({"audio": ["a.wav", "a.wav"]}, "audio names one file twice"),
        ({"audio": "a\0.wav"}, "which no path can be"),
        ({"audio": "a\ud800.wav"}, "which no path can be"),
        ({"audio": "a.wav", "roles": "agnt,customer"}, "the role 'agnt' is unknown; did you mean 'agent'?"),
        (
            {"audio": "a.wav", "roles": "a=agent,customer"},
            "has a part without a speaker; write agent,customer",
        ),
        ({"audio": "a.wav", "roles": "a=agent,a=customer"}, "names a speaker twice"),
        ({"audio": "a.wav", "roles": 3}, "roles is 3; write agent,customer for channels"),
        ({"audio": "a.wav", "roles": ["agent", None]}, 'roles is ["agent", null]; write'),
        ({"audio": "a.wav", "language": "???"}, 'language is "???"; give a code such as en'),
        ({"audio": "a.wav", "id": [1]}, "id is [1]; give a text or a whole number"),
        ({"audio": "a.wav", "id": "\ud800"}, "which is no text"),
        ({"audio": "a.wav", "x": float("inf")}, "x is inf; give a finite number"),
        ({"audio": "a.wav", "x": float("nan")}, "x is nan; give a finite number"),
        ({"audio": "a.wav", "s": "\udc80"}, "s holds half of a character"),
    ],
)
def test_what_is_wrong_with_one_row_stays_with_it(tmp_path: Path, row: dict[str, Any], problem: str):
    path = lines(tmp_path / "m.jsonl", {"audio": "good.wav", "x": 1.0, "s": ""}, row)
    good, bad = read(path).rows
    assert good.problem is None
    assert bad.problem is not None and bad.problem.startswith(f"{path}, line 2: ") and problem in bad.problem
    assert "\n" not in bad.problem
    assert json.loads(json.dumps(bad.to_dict(), allow_nan=False, ensure_ascii=False).encode()) is not None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", b"", "is empty (0 bytes)"),
        ("m.csv", b"\n \n", "is empty (3 bytes)"),
        ("m.csv", b"audio,x\n", "holds 0 rows"),
        ("m.csv", b"audio,x\n,\n", "holds 0 rows"),
        ("m.csv", b"file,x\na.wav,1\n", "(its columns: 'file', 'x'); rename 'file' to 'audio'"),
        ("m.csv", b"Recording\na.wav\n", "rename 'Recording' to 'audio'"),
        ("m.csv", b"Audio,x\na.wav,1\n", "rename 'Audio' to 'audio'"),
        ("m.csv", b"a,b\n1,2\n", "neither the column 'audio' nor 'transcript' (its columns: 'a', 'b')"),
        ("m.csv", b"audio;roles\na.wav;x\n", "parted by semicolons; save it with commas"),
        ("m.tsv", b"audio,roles\na.wav,x\n", "parted by commas; save it with tabs"),
        ("m.csv", b"audio,x,x\na.wav,1,2\n", "has the column 'x' twice"),
        ("m.csv", b"audio,x\na.wav\n", "line 2: it does not have 2 cells"),
        ("m.csv", b'audio\n"a.wav\n', "unexpected end of data"),
        ("m.csv", b"audio\na.wav\nb\0.wav\n", "line 3: it holds NUL bytes"),
        ("m.csv", "audio\na.wav\n".encode("utf-16"), "NUL bytes"),
        ("m.csv", b"audio\na.wav\ncaf\xe9.wav\n", "line 3: it is not UTF-8 text"),
        ("m.jsonl", b'{"audio": "a.wav"}\n{"audio": \n', "line 2: it is not JSON"),
        ("m.jsonl", b'["a.wav"]\n', "line 1: it is not a JSON object"),
        ("m.jsonl", b'{"audio": "a.wav", "audio": "b.wav"}\n', "the key 'audio' is there twice"),
        ("m.jsonl", b'{"wav": "a.wav"}\n', "rename 'wav' to 'audio'"),
        ("m.jsonl", b'{"audio": ' + b"[" * 100_000 + b"\n", "line 1: it is not JSON"),
        ("m.parquet", b"", "cannot be read as Parquet"),
        ("m.parquet", b"PAR1 and nothing more PAR1", "cannot be read as Parquet"),
    ],
)
def test_what_is_wrong_with_the_whole_is_refused(tmp_path: Path, name: str, content: bytes, message: str):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / name, content))
    assert message in str(caught.value) and str(caught.value).startswith(str(tmp_path / name))


def test_parquet_without_paths_is_refused(tmp_path: Path):
    for columns, message in (
        ({"audio": pyarrow.array([{"bytes": b"x", "path": None}])}, "hf:FOLDER"),
        ({"x": pyarrow.array([1])}, "neither the column"),
        ({"audio": pyarrow.array([], pyarrow.string())}, "holds 0 rows"),
    ):
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "m.parquet")
        with pytest.raises(DataError, match=message):
            read(tmp_path / "m.parquet")


def test_a_column_nearly_called_as_ours_is_passed_through_with_a_warning(tmp_path: Path):
    found = read(write(tmp_path / "m.csv", "audio,Roles,transcript \na.wav,x,y\n"))
    assert found.columns == {"Roles": "string", "transcript ": "string"} and len(found.warnings) == 2
    assert "'Roles', which is passed through and not read as 'roles'" in found.warnings[0]


def test_manifests_by_url_hold_paths_relative_to_it(memory: fsspec.AbstractFileSystem):
    memory.pipe("/arch/lists/m.csv", b"audio,transcript\n../a b.wav,http://h/x.vtt\nx|y.wav,/abs.vtt\n")
    first, second = read("memory://arch/lists/m.csv").rows
    assert (first.audio, first.transcript) == (("memory://arch/a b.wav",), "http://h/x.vtt")
    assert second.audio == ("memory://arch/lists/x", "memory://arch/lists/y.wav")
    assert second.transcript == "/abs.vtt" and first.id == "../a b"


def test_columns_of_several_manifests_are_joined_to_a_type_that_holds_all(tmp_path: Path):
    one = lines(tmp_path / "1.jsonl", {"audio": "a.wav", "n": 1, "k": 2, "only": True})
    two = lines(tmp_path / "2.jsonl", {"audio": "b.wav", "n": 0.5, "k": "z"})
    found = read(one, two)
    assert found.columns == {"n": "float", "k": "string", "only": "bool"}
    assert [row.columns for row in found.rows] == [
        {"n": 1.0, "k": "2", "only": True},
        {"n": 0.5, "k": "z", "only": None},
    ]


def test_options_of_datasets_are_refused_without_one(tmp_path: Path):
    path = write(tmp_path / "m.csv", "audio\na.wav\n")
    for options in ({"split": "train"}, {"revision": "x"}, {"audio_column": "sound"}):
        with pytest.raises(UsageError, match="is no dataset"):
            read_input([str(path)], **{"split": None, "revision": None, **options})


def test_many_rows_are_read(tmp_path: Path):
    rows = "".join(f"calls/{i}.wav,t{i % 7}\n" for i in range(20_000))
    found = read(write(tmp_path / "m.csv", f"audio,team\n{rows}"))
    assert len(found.rows) == 20_000 and found.rows[-1].id == "calls/19999"


def test_the_hash_of_a_row_is_of_what_is_asked_and_not_of_what_is_wrong():
    row = CallRow(id="a", audio=("a.wav",), columns={"x": 1, "y": "ä"})
    assert row_hash(row) == row_hash(CallRow(**{**row.__dict__, "problem": "line 2: no"}))
    assert row_hash(row) == row_hash(CallRow(**{**row.__dict__, "columns": {"y": "ä", "x": 1}}))
    for change in ({"audio": ("b.wav",)}, {"language": "en"}, {"columns": {"x": 2}}, {"index": 0}):
        assert row_hash(row) != row_hash(CallRow(**{**row.__dict__, **change}))


@given(st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), max_size=8))
def test_cells_of_one_column_have_its_type(values: list[Any]):
    kind, cells = json_cells(values)
    allowed = {"string": str, "int": int, "float": float, "bool": bool}[kind]
    assert len(cells) == len(values)
    for value, cell in zip(values, cells, strict=True):
        assert (cell is None) == (value is None)
        assert cell is None or type(cell) is allowed
