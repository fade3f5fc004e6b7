"""Corpora that are not at hand, in small made folders with their publishers' layouts."""

from pathlib import Path

import pytest

from mmser.data import (
    FEATURES,
    Example,
    examples_of,
    read_cmu_mosei,
    read_crema_d,
    read_emovo,
    read_iemocap,
    read_meld,
    read_msp_podcast,
)
from mmser.errors import DataError
from tests.data_fixtures import (
    make_crema_d,
    make_emovo,
    make_iemocap,
    make_meld,
    make_mosei,
    make_msp_podcast,
    write,
    write_clip,
)


def by_id(dataset: object) -> dict[str, Example]:
    assert dataset.features == FEATURES  # type: ignore[attr-defined]
    return {example.id: example for example in examples_of(dataset)}  # type: ignore[arg-type]


# --- CREMA-D ---------------------------------------------------------------------------------------------


def test_crema_d_has_what_listeners_heard_in_the_voice(tmp_path: Path):
    rows = by_id(read_crema_d(make_crema_d(tmp_path), {"test": ["1002"]}))
    neutral, tied, misheard = rows["1001_IEO_NEU_XX"], rows["1001_IEO_ANG_MD"], rows["1002_WSI_HAP_XX"]
    assert (neutral.emotions, neutral.intensity) == (("neutral",), pytest.approx(0.691))
    assert (neutral.gender, neutral.age, neutral.text) == ("male", 51, "It's eleven o'clock.")
    # A tie keeps both labels; the level is their mean.
    assert (tied.emotions, tied.intensity) == (("anger", "disgust"), pytest.approx(0.479))
    # The actor was asked to sound happy: the file's name says so, the listeners do not.
    assert misheard.emotions == ("anger",)
    assert {row.split for row in rows.values() if row.speaker == "crema_d/1002"} == {"test"}


def test_crema_d_names_its_missing_clips(tmp_path: Path):
    (make_crema_d(tmp_path) / "AudioWAV" / "1001_IEO_ANG_MD.wav").unlink()
    with pytest.raises(DataError, match="2 of 3 clips: missing 1001_IEO_ANG_MD"):
        read_crema_d(tmp_path)
    assert len(read_crema_d(tmp_path, partial=True)) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"A:D"', '"A:Q"', "line 3: VoiceVote is 'A:Q'"),
        ('"69.1"', '"169.1"', "line 2: .* is 169.1; give a number from 0 to 100"),
        ('"69.1"', '"nan"', "line 2: .* is nan"),
        ('"37.2:58.6"', '"37.2"', "line 3: VoiceLevel 37.2 does not fit"),
        ("1001_IEO_NEU", "1001_EIO_NEU", "1001_EIO_NEU_XX"),
    ],
)
def test_crema_d_refuses_broken_votes_with_their_line(tmp_path: Path, old: str, new: str, message: str):
    table = make_crema_d(tmp_path) / "processedResults" / "summaryTable.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_crema_d(tmp_path)


# --- IEMOCAP ---------------------------------------------------------------------------------------------


def test_iemocap_is_dialogues_in_order_with_ratings(tmp_path: Path):
    dataset = read_iemocap(make_iemocap(tmp_path), {"test": ["Session1"]}, partial=True)
    assert [row.turn_index for row in by_id(dataset).values()] == [0, 1, 2, 3, 4]
    rows = by_id(dataset)
    assert {row.split for row in rows.values()} == {"test"}
    excited, frustrated, sad = (rows[f"Ses01F_impro01_{name}"] for name in ("F001", "M000", "F002"))
    assert excited.emotions == ("happiness",) and frustrated.emotions == ()
    assert (excited.speaker, frustrated.speaker) == ("iemocap/Ses01F", "iemocap/Ses01M")
    assert (excited.gender, frustrated.gender) == ("female", "male")
    assert excited.text == "Words of Ses01F_impro01_F001."
    # Valence 4.5 of 1 to 5; activation 5.5 counts as 5.
    assert (excited.valence, excited.intensity) == (0.75, 1.0)
    assert (sad.valence, sad.intensity) == (-0.5, 0.0)
    assert excited.start is None and excited.end is None  # a file of its own
    assert excited.dialogue_id == "iemocap/Ses01F_impro01" and excited.session == "iemocap/Ses01"


def test_iemocaps_change_follows_labels_of_the_same_speaker(tmp_path: Path):
    rows = by_id(read_iemocap(make_iemocap(tmp_path), partial=True))
    changes = {name[-4:]: row.change for name, row in rows.items()}
    # M001 comes after a frustrated turn, which has no label.
    assert changes == {"F000": None, "F001": "better", "F002": "worse", "M000": None, "M001": None}


def test_iemocap_without_clips_cuts_its_turns_from_the_dialogue(tmp_path: Path):
    rows = by_id(read_iemocap(make_iemocap(tmp_path, clips=False), partial=True))
    turn = rows["Ses01F_impro01_F000"]
    assert turn.audio is not None and turn.audio.name == "Ses01F_impro01.wav"
    assert (turn.start, turn.end) == (6.2901, 8.2357)


def test_iemocap_names_missing_sessions_and_unreadable_lines(tmp_path: Path):
    with pytest.raises(DataError, match="1 of 5 sessions: missing Session2, Session3, Session4, Session5"):
        read_iemocap(make_iemocap(tmp_path))
    path = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(path.read_text().replace("\tang\t", "\tagn\t"))
    with pytest.raises(DataError, match=r"line 4: emotion 'agn'; did you mean 'ang'"):
        read_iemocap(tmp_path, partial=True)


# --- MELD ------------------------------------------------------------------------------------------------


def test_melds_direction_is_the_sentiments(tmp_path: Path):
    rows = [e for e in examples_of(read_meld(make_meld(tmp_path), partial=True)) if e.split == "train"]
    #  Ben: surprise, surprise (other sentiment, same class), anger, sadness. Anna: joy, neutral, surprise.
    assert [row.change for row in rows] == [None, None, "worse", "none", "worse", "lateral", "better"]
    assert rows[0].emotions == ("happiness",) and rows[0].valence == 1.0 and rows[0].audio is None


def test_meld_takes_clips_where_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_meld(tmp_path)
    monkeypatch.setattr("mmser.data.meld._ROWS", dict.fromkeys(("train", "dev", "test"), 7))
    for folder in ("train_splits", "dev_splits_complete", "test"):
        for number in range(7):
            write_clip(tmp_path / "clips" / folder / f"dia0_utt{number}.wav")
    rows = by_id(read_meld(tmp_path, clips=tmp_path / "clips"))
    assert all(row.audio is not None for row in rows.values())
    assert str(rows["test/dia0_utt3"].audio).endswith("clips/test/dia0_utt3.wav")
    (tmp_path / "clips" / "test" / "dia0_utt3.wav").unlink()
    with pytest.raises(DataError, match="20 of 21 clips: missing test/dia0_utt3"):
        read_meld(tmp_path, clips=tmp_path / "clips")
    partial = by_id(read_meld(tmp_path, clips=tmp_path / "clips", partial=True))
    assert len(partial) == 21 and partial["test/dia0_utt3"].audio is None


def test_meld_refuses_an_unknown_emotion_with_its_line(tmp_path: Path):
    path = make_meld(tmp_path) / "dev_sent_emo.csv"
    path.write_text(path.read_text().replace(",joy,", ",joi,"))
    with pytest.raises(DataError, match=r"dev_sent_emo\.csv, line 2: Emotion is 'joi'; did you mean 'joy'"):
        read_meld(tmp_path, partial=True)


def test_a_table_of_meld_that_was_cut_is_refused_unless_told_otherwise(tmp_path: Path):
    make_meld(tmp_path)
    with pytest.raises(DataError, match=r"train_sent_emo\.csv holds 7 of 9,989 rows; fetch it again"):
        read_meld(tmp_path)
    assert len(read_meld(tmp_path, partial=True)) == 21
    path = tmp_path / "dev_sent_emo.csv"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *rows * 200]))
    with pytest.raises(DataError, match=r"dev_sent_emo\.csv holds 1,400 rows, and the publisher's 1,109"):
        read_meld(tmp_path, partial=True)


# --- CMU-MOSEI, MSP-Podcast, EMOVO -----------------------------------------------------------------------


def test_mosei_averages_its_annotators(tmp_path: Path):
    rows = by_id(read_cmu_mosei(make_mosei(tmp_path)))
    mixed, nothing, angry = rows["vid1_0"], rows["vid1_1"], rows["vid2_0"]
    assert mixed.emotions == ("happiness", "surprise")
    assert mixed.intensity == pytest.approx(2.5 / 3) and mixed.valence == pytest.approx(0.5)
    assert nothing.emotions == ("neutral",) and nothing.intensity == 0
    assert (mixed.start, mixed.end, mixed.text) == (0.0, 0.1, "I love it.")
    assert (angry.start, angry.end, angry.valence) == (None, None, -1)  # a file of its own
    assert [row.split for row in (mixed, nothing, angry)] == ["train", "train", "test"]
    assert mixed.speaker is None and mixed.dialogue_id == "cmu_mosei/vid1" and nothing.turn_index == 1


def test_mosei_needs_its_folds_or_splits(tmp_path: Path):
    (make_mosei(tmp_path) / "cmu_mosei_std_folds.py").unlink()
    with pytest.raises(DataError, match=r"cmu_mosei_std_folds\.py is missing"):
        read_cmu_mosei(tmp_path)
    rows = by_id(read_cmu_mosei(tmp_path, {"validation": ["vid2"]}))
    assert rows["vid2_0"].split == "validation" and rows["vid1_0"].split == "train"
    write(tmp_path / "cmu_mosei_std_folds.py", "standard_train_fold = open('x')\n")
    with pytest.raises(DataError, match="does not hold the standard folds as lists"):
        read_cmu_mosei(tmp_path)


def test_mosei_refuses_an_intensity_out_of_range(tmp_path: Path):
    path = make_mosei(tmp_path) / "Labels" / "batch.csv"
    path.write_text(path.read_text().replace("vid2,0,3", "vid2,0,4"))
    with pytest.raises(DataError, match="line 5: anger is 4; give a number from 0 to 3"):
        read_cmu_mosei(tmp_path)


def test_msp_podcast_has_ratings_and_its_own_split(tmp_path: Path):
    rows = by_id(read_msp_podcast(make_msp_podcast(tmp_path)))
    assert [row.split for row in rows.values()] == ["train", "validation", "test"]
    neutral, contempt, happy = rows.values()
    assert neutral.text == "Well, I think so." and neutral.speaker == "msp_podcast/127"
    assert (neutral.valence, neutral.intensity) == (0.0, 0.5)
    assert contempt.emotions == () and contempt.speaker is None and contempt.gender is None
    assert (happy.emotions, happy.valence, happy.intensity) == (("happiness",), 1.0, 0.0)
    assert happy.session == "msp_podcast/MSP-PODCAST_0003"
    other = by_id(read_msp_podcast(tmp_path, test_set="Test2"))
    assert "MSP-PODCAST_0004_0001" in other and "MSP-PODCAST_0003_0001" not in other
    with pytest.raises(DataError, match="no test set 'test1'; did you mean 'Test1'"):
        read_msp_podcast(tmp_path, test_set="test1")


def test_emovo_is_read_from_its_names(tmp_path: Path):
    rows = by_id(read_emovo(make_emovo(tmp_path), {"test": ["m2"]}, partial=True))
    assert {name: row.emotions[0] for name, row in rows.items()} == {
        "dis-f1-b1": "disgust",
        "gio-f1-b1": "happiness",
        "rab-m2-l4": "anger",
    }
    assert rows["rab-m2-l4"].split == "test" and rows["rab-m2-l4"].gender == "male"
    assert rows["dis-f1-b1"].sentence == rows["gio-f1-b1"].sentence == "emovo/b1"
    with pytest.raises(DataError, match="3 of 588 clips: missing 96 of 98 clips of speaker f1"):
        read_emovo(tmp_path)


def test_a_folder_without_clips_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="0 of 588 clips"):
        read_emovo(tmp_path)
    with pytest.raises(DataError, match="holds 0 examples"):
        read_emovo(tmp_path, partial=True)
