"""The user's own data: manifests, folders of clips, labelled calls."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from mmser.data import FEATURES, check_audio, examples_of, read_audio_folder, read_calls, read_manifest
from mmser.data.tables import Row
from mmser.errors import DataError, UsageError
from mmser.labels import EMOTIONS
from tests.call_fixtures import write_call
from tests.data_fixtures import RATE, write, write_clip

# --- manifests -------------------------------------------------------------------------------------------

ROWS = [
    {"audio": "a/1.wav", "text": "Well.", "emotion": "anger|disgust", "intensity": 0.5, "valence": -1.0},
    {"audio": "a/2.wav", "speaker": "anna", "age": 31.0, "start": 0.1, "end": 0.2, "channel": 0},
    {"text": "No sound.", "emotion": "neutral", "split": "test", "change": "none", "turn_index": 3},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clip(tmp_path / "a" / "1.wav")
    write_clip(tmp_path / "a" / "2.wav")
    return tmp_path


def write_table(folder: Path, kind: str) -> Path:
    columns = list(dict.fromkeys(name for row in ROWS for name in row))
    mark = "\t" if kind == "tsv" else ","
    if kind == "jsonl":
        listed = [{**r, "emotion": str(r["emotion"]).split("|")} if "emotion" in r else r for r in ROWS]
        return write(folder / "m.jsonl", "".join(json.dumps(row) + "\n" for row in listed))
    lines = [mark.join(columns), *(mark.join(str(row.get(c, "")) for c in columns) for row in ROWS)]
    return write(folder / f"m.{kind}", "\n".join(lines) + "\n")


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_manifest_keeps_what_it_says(folder: Path, kind: str):
    dataset = read_manifest(write_table(folder, kind), corpus="mine")
    assert dataset.features == FEATURES
    first, second, third = examples_of(dataset)
    assert first.emotions == ("anger", "disgust") and (first.intensity, first.valence) == (0.5, -1.0)
    assert first.audio == folder / "a" / "1.wav" and first.split is None and first.corpus == "mine"
    assert second.speaker == "mine/anna" and (second.age, second.start, second.channel) == (31, 0.1, 0)
    assert second.emotions == () and third.audio is None
    assert (third.split, third.change, third.turn_index) == ("test", "none", 3)
    assert list(dataset.to_iterable_dataset()) == list(dataset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("audio;emotion\na/1.wav;anger\n", "parted by semicolons; save it with commas"),
        ("audio,emotoin\na/1.wav,anger\n", "unknown column 'emotoin'; did you mean 'emotion'"),
        ("file,emotion\na/1.wav,anger\n", "unknown column 'file'; did you mean 'audio'"),
        ("audio,emotion\na/1.wav,scared\n", "did you mean 'fear'"),
        ("audio,emotion\na/1.wav,angry\n", "line 2: the emotion 'angry' is unknown; did you mean 'anger'"),
        ("audio,emotion\na/1.wav,anger|anger\n", "line 2: emotion names an emotion twice"),
        (
            "audio,intensity\na/1.wav,0.5\na/2.wav,1.5\n",
            "line 3: intensity is 1.5; give a number from 0 to 1",
        ),
        ("audio,intensity\na/1.wav,nan\n", "line 2: intensity is nan"),
        ("audio,valence\na/1.wav,-inf\n", "line 2: valence is -inf"),
        ("audio,valence\na/1.wav,low\n", "line 2: valence is 'low', which is not a number"),
        ("audio,start,end\na/1.wav,2,1\n", "line 2: end 1 is not after start 2"),
        ("audio,turn_index\na/1.wav,1.5\n", "line 2: turn_index is 1.5, which is not a whole number"),
        ("audio,split\na/1.wav,dev\n", "line 2: split is 'dev'"),
        ("audio,change\na/1.wav,wors\n", "did you mean 'worse'"),
        ("audio,role\na/1.wav,costumer\n", "did you mean 'customer'"),
        ("audio,language\na/1.wav,?\n", r"line 2: language is '\?'; give a code such as en or en-US"),
        ("audio\nb/1.wav\n", "line 2: the clip b/1.wav is not at"),
        ("audio,text\n,\n", "line 2: it has neither audio nor text"),
        ("audio,id\na/1.wav,x\na/2.wav,x\n", "the same id on several rows: x"),
        ("audio\n", "holds 0 rows"),
        ("audio\na/1.wav\nx.wav\ny.wav\nz.wav\n", r"line 3: .*\(2 more rows cannot be read\)"),
        (
            "audio,emotion\na/1.wav,happy\na/1.wav,anger|joy\na/1.wav,joy\na/1.wav,blue\n",
            r"names 3 unknown emotions: 'happy' \(1 row, first line 2; happiness\?\), "
            r"'joy' \(2 rows, first line 3; happiness\?\), 'blue' \(1 row, first line 5\) \(the classes are ",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_line(folder: Path, text: str, message: str):
    with pytest.raises(DataError, match=message):
        read_manifest(write(folder / "m.csv", text))


def test_languages_are_told_by_their_code(folder: Path):
    """A row in "en-US" is one in English, which a model that reads "en" may learn from."""
    stated = ("en-US", "EN", "English", "pl", "")
    text = "text,language\n" + "".join(f"Well.,{name}\n" for name in stated)
    dataset = read_manifest(write(folder / "m.csv", text))
    assert dataset["language"][:] == ["en", "en", "en", "pl", None]


def test_a_manifest_of_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"not a \.csv, \.tsv or \.jsonl file"):
        read_manifest(tmp_path / "m.xlsx")
    with pytest.raises(DataError, match="is missing"):
        read_manifest(tmp_path / "m.csv")


@given(st.lists(st.sampled_from(EMOTIONS), unique=True), st.floats())
def test_labels_and_numbers_come_back_or_are_refused(labels: list[str], number: float):
    row = Row(Path("m.csv"), 2, {"emotion": " | ".join(labels), "intensity": repr(number)})
    assert row.labels("emotion") == tuple(labels)
    if 0 <= number <= 1:
        assert row.number("intensity", 0, 1) == number
    else:
        with pytest.raises(DataError, match="line 2: intensity"):
            row.number("intensity", 0, 1)


# --- folders of clips ------------------------------------------------------------------------------------


def test_class_folders_label_their_clips(tmp_path: Path):
    for place in ("train/anger/1", "train/neutral/1", "validation/anger/1", "test/sadness/deep/1"):
        write_clip(tmp_path / f"{place}.wav")
    rows = {e.id: e for e in examples_of(read_audio_folder(tmp_path))}
    assert {name: (e.split, e.emotions) for name, e in rows.items()} == {
        "train/anger/1": ("train", ("anger",)),
        "train/neutral/1": ("train", ("neutral",)),
        "validation/anger/1": ("validation", ("anger",)),
        "test/sadness/deep/1": ("test", ("sadness",)),
    }


def test_metadata_labels_the_clips_of_a_folder(tmp_path: Path):
    write_clip(tmp_path / "clips" / "1.wav")
    write(tmp_path / "metadata.csv", "file_name,label,speaker\nclips/1.wav,fear,anna\n")
    (row,) = examples_of(read_audio_folder(tmp_path))
    assert (row.emotions, row.speaker, row.split) == (("fear",), "audio_folder/anna", None)


def test_metadata_that_label_twice_are_refused(tmp_path: Path):
    write_clip(tmp_path / "1.wav")
    write(tmp_path / "metadata.csv", "file_name,label,emotion\n1.wav,fear,anger\n")
    with pytest.raises(DataError, match="the columns 'label' and 'emotion' mean the same; keep one"):
        read_audio_folder(tmp_path)


def test_clips_of_one_name_in_one_class_are_all_read(tmp_path: Path):
    write_clip(tmp_path / "anger" / "anna" / "1.wav")
    write_clip(tmp_path / "anger" / "ben" / "1.wav")
    assert len(set(read_audio_folder(tmp_path)["id"])) == 2


def test_folders_that_are_no_classes_are_refused(tmp_path: Path):
    write_clip(tmp_path / "happy" / "1.wav")
    with pytest.raises(DataError, match="did you mean 'happiness'"):
        read_audio_folder(tmp_path)
    write_clip(tmp_path / "train" / "anger" / "1.wav")
    with pytest.raises(DataError, match="holds the split train beside happy"):
        read_audio_folder(tmp_path)
    write_clip(tmp_path / "train" / "2.wav")
    (tmp_path / "happy" / "1.wav").unlink()
    (tmp_path / "happy").rmdir()
    with pytest.raises(DataError, match=r"2\.wav lies beside the folders of classes or splits"):
        read_audio_folder(tmp_path)
    (tmp_path / "train" / "2.wav").unlink()
    (tmp_path / "metadata.csv.bak").touch()
    assert len(read_audio_folder(tmp_path)) == 1
    write(tmp_path / "metadata.csv", "file_name,label\n")
    with pytest.raises(DataError, match=r"metadata\.csv lies beside the folders of splits"):
        read_audio_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"neither metadata\.csv nor folders"):
        read_audio_folder(tmp_path / "empty")


def test_capitals_of_emotions_do_not_matter(tmp_path: Path):
    write_clip(tmp_path / "a.wav", 1)
    write(tmp_path / "own.csv", "audio,emotion\na.wav,Anger|SADNESS\n")
    (row,) = examples_of(read_manifest(tmp_path / "own.csv"))
    assert row.emotions == ("anger", "sadness")


# --- calls -----------------------------------------------------------------------------------------------

CALL = """WEBVTT

00:00:00.000 --> 00:00:01.000
<v Agent>Good morning.

00:00:01.200 --> 00:00:02.000
<v Customer>My parcel is lost.

00:00:02.200 --> 00:00:03.000
<v Customer>For weeks!

00:00:03.200 --> 00:00:04.000
<v Agent>I am sorry.

00:00:04.200 --> 00:00:05.000
<v Customer>Thank you.
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    write_clip(tmp_path / "one.wav", 5)
    write(tmp_path / "one.vtt", CALL)
    return tmp_path


def test_calls_have_a_row_for_every_turn(calls: Path):
    write(
        calls / "labels.csv",
        "recording,turn,start,end,emotion,intensity,speaker,split,language\n"
        "one.wav,t2,,,sadness,0.4,anna,test,en-GB\none,,2.1,3.1,anger,0.9,,,\none,t5,,,neutral,,,,\n",
    )
    rows = list(examples_of(read_calls(calls)))
    assert [row.emotions for row in rows] == [(), ("sadness",), ("anger",), (), ("neutral",)]
    assert [row.role for row in rows] == ["agent", "customer", "customer", "agent", "customer"]
    assert [row.change for row in rows] == [None, None, "lateral", None, "better"]
    assert {row.speaker for row in rows if row.role == "customer"} == {"calls/anna"}
    assert {row.split for row in rows} == {"test"} and {row.dialogue_id for row in rows} == {"calls/one"}
    assert (rows[2].start, rows[2].end, rows[2].intensity) == (2.2, 3.0, 0.9)
    assert rows[1].language == "en"
    # An agent's turn is context by its words alone.
    assert [row.audio is None for row in rows] == [True, False, False, True, False]
    assert rows[0].text == "Good morning."


def test_agents_turns_are_labelled_only_with_a_reason(calls: Path):
    write(calls / "labels.csv", "recording,turn,emotion\none,t1,neutral\n")
    with pytest.raises(DataError, match="line 2: the turn t1 of one belongs to the agent"):
        read_calls(calls)
    rows = list(examples_of(read_calls(calls, agent_reason="research-consented")))
    assert rows[0].emotions == ("neutral",) and rows[0].audio is not None
    with pytest.raises(UsageError, match="which is not one of medical"):
        read_calls(calls, agent_reason="curiosity")


def test_a_voice_of_unknown_role_needs_one(calls: Path):
    write(calls / "one.vtt", CALL.replace("<v Customer>", "<v Anna>"))
    write(calls / "labels.csv", "recording,turn,emotion\none,t2,anger\n")
    with pytest.raises(DataError, match="is of unknown role and may not be labelled; say who speaks"):
        read_calls(calls)
    write(calls / "labels.csv", "recording,turn,emotion,role\none,t2,anger,\none,t3,anger,customer\n")
    rows = list(examples_of(read_calls(calls)))
    assert [row.emotions for row in rows][1:3] == [("anger",), ("anger",)]


def test_a_recording_without_a_transcript_has_the_turns_of_its_labels(tmp_path: Path):
    write_clip(tmp_path / "one.wav", 5)
    write(
        tmp_path / "labels.csv",
        "recording,start,end,emotion,speaker,role\none,2,3,anger,anna,customer\none,0,1,neutral,anna,customer\n",
    )
    rows = list(examples_of(read_calls(tmp_path)))
    assert [(row.start, row.emotions, row.change) for row in rows] == [
        (0.0, ("neutral",), None),
        (2.0, ("anger",), "worse"),
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("recording,turn,emotion\ntwo,t2,anger\n", "line 2: there is no recording 'two'; .*one"),
        ("recording,turn,emotion\none,t9,anger\n", "line 2: one has no turn 't9'; its turns are t1 to t5"),
        ("recording,turn,emotion\none,t2,rage\n", "line 2: the emotion 'rage' is unknown"),
        ("recording,emotion\none,anger\n", "line 2: it names no turn"),
        ("recording,start,end,emotion\none,90,91,anger\n", "line 2: one has no turn between 90 and 91 s"),
        (
            "recording,turn,emotion\none,t2,anger\none,t2,fear\n",
            "line 3: the turn t2 of one is labelled on line 2",
        ),
        ("recording,turn,emotion,split\none,t2,fear,test\none,t3,fear,train\n", "a call belongs to one"),
        ("recording,turn,speaker\none,t2,anna\none,t3,berta\n", "line 3: the speaker of t3 is 'berta' here"),
        ("recording,turn,intensity\none,t2,inf\n", "line 2: intensity is inf"),
        ("recording,turns\none,t2\n", "unknown column 'turns'; did you mean 'turn'"),
    ],
)
def test_labels_that_do_not_fit_are_refused(calls: Path, labels: str, message: str):
    write(calls / "labels.csv", labels)
    with pytest.raises(DataError, match=message):
        read_calls(calls)


def test_calls_without_labels_or_with_two_transcripts_are_refused(calls: Path):
    with pytest.raises(DataError, match="holds no labels file"):
        read_calls(calls)
    write(calls / "labels.csv", "recording,turn,emotion\none,t2,anger\n")
    write(calls / "one.txt", "Customer: Hello.\n")
    with pytest.raises(DataError, match=r"has 2 transcripts: one\.txt, one\.vtt"):
        read_calls(calls)


# --- sound -----------------------------------------------------------------------------------------------


def test_corrupt_clips_are_named_among_sound_ones(tmp_path: Path):
    for number in range(20):
        write_clip(tmp_path / f"{number}.flac", hertz=100 + number)
    whole = write_clip(tmp_path / "3.flac", 3).read_bytes()
    (tmp_path / "3.flac").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "7.flac").write_bytes(b"not audio")
    soundfile.write(tmp_path / "9.flac", np.zeros(RATE), RATE)
    lines = "".join(f"{n}.flac,row{n},,\n" for n in range(20))
    manifest = write(
        tmp_path / "m.csv", f"audio,id,start,end\n{lines}1.flac,late,0.1,9\n1.flac,part,0.1,0.2\n"
    )
    dataset = read_manifest(manifest)
    (tmp_path / "5.flac").unlink()
    found = check_audio(dataset)
    assert [name for name, _ in found] == ["row3", "row5", "row7", "row9", "late"]
    reasons = dict(found)
    assert "cut off or damaged" in reasons["row3"] and "does not exist" in reasons["row5"]
    assert "silence" in reasons["row9"]
    assert reasons["late"] == "the part from 0.10 s to 9.00 s is not within the 0.30 s of the recording"
    embedded = dataset.map(lambda row: {"audio": {"bytes": b"broken", "path": None}})
    assert len(check_audio(embedded)) == len(dataset)


def test_parts_that_hold_nothing_are_named(tmp_path: Path):
    """A channel that the file does not have, and a part that lasts less than a sample."""
    write_clip(tmp_path / "1.wav")
    parts = ("left,,,0", "right,,,1", "brief,0.1,0.10002,", "late,0.29999,,", "step,0.1,0.1001,")
    rows = "".join(f"1.wav,{part}\n" for part in parts)
    found = dict(check_audio(read_manifest(write(tmp_path / "m.csv", f"audio,id,start,end,channel\n{rows}"))))
    assert found == {
        "right": "channel 1 (counted from 0) is not among the 1 channel of the recording",
        "brief": "the part from 0.10000 s to 0.10002 s is too short to hold a sample",
        "late": "the part from 0.29999 s to 0.30000 s is too short to hold a sample",
    }


def test_each_turn_of_a_call_is_heard_on_its_speakers_own_channel(tmp_path: Path):
    """Mixed, the agent's voice would be heard in the customer's turns."""
    write_call(tmp_path)
    write(tmp_path / "labels.csv", "recording,turn,emotion\ncall,t2,anger\n")
    rows = examples_of(read_calls(tmp_path))
    assert {(row.role, row.channel) for row in rows} == {("agent", 0), ("customer", 1)}


def turns_on(*channels: int) -> str:
    """Return STM of one second a turn, whose speakers are told apart by channel alone."""
    return "".join(f"one {c + 1} speaker {i}.0 {i + 1}.0 well\n" for i, c in enumerate(channels))


def test_a_mono_mix_has_one_channel_whatever_the_transcript_states(tmp_path: Path):
    """Its two parties stay two: a role that is given to one is not the other's."""
    write_clip(tmp_path / "one.wav", 4)
    write(tmp_path / "one.stm", turns_on(0, 1, 0, 1))
    write(tmp_path / "labels.csv", "recording,turn,emotion,role\none,t2,anger,customer\n")
    rows = list(examples_of(read_calls(tmp_path)))
    assert [row.channel for row in rows] == [0, 0, 0, 0]
    assert [row.role for row in rows] == ["unknown", "customer", "unknown", "customer"]
    assert [row.audio is None for row in rows] == [True, False, True, False]
    assert rows[0].speaker == rows[2].speaker != rows[1].speaker == rows[3].speaker
    assert check_audio(read_calls(tmp_path)) == []


def test_a_channel_that_the_recording_lacks_is_found_by_ear(tmp_path: Path):
    times = np.arange(4 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 200 * times)
    first = (times % 2 < 1).astype(float)  # channel 0 sounds in seconds 0 and 2, channel 1 in 1 and 3
    soundfile.write(tmp_path / "one.wav", np.stack([tone * first, tone * (1 - first)], 1), RATE)
    # Counted from 1: the turns on channel 2 are on none of the file, and sound on channel 0.
    write(tmp_path / "one.stm", turns_on(2, 1, 2, 1))
    write(tmp_path / "labels.csv", "recording,turn,emotion,role\none,t1,anger,customer\n")
    dataset = read_calls(tmp_path)
    rows = list(examples_of(dataset))
    assert [row.channel for row in rows] == [0, 1, 0, 1]
    assert [row.role for row in rows] == ["customer", "unknown", "customer", "unknown"]
    assert check_audio(dataset) == []


def test_turns_without_times_stay_as_they_are(tmp_path: Path):
    write_clip(tmp_path / "one.wav", 2)
    turns = [{"text": "Well.", "speaker": "Agent", "channel": 1}, {"text": "No.", "speaker": "Customer"}]
    write(tmp_path / "one.json", json.dumps({"turns": turns}))
    write(tmp_path / "labels.csv", "recording,turn,emotion\none,t2,anger\n")
    rows = list(examples_of(read_calls(tmp_path)))
    assert [(row.channel, row.audio, row.start) for row in rows] == [(1, None, None), (None, None, None)]
