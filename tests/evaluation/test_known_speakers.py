"""A model remembers whom it was trained on, and is not tested on them unless that is said to be wanted."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from mmser.data import Example, to_dataset
from mmser.data.meld import meld_examples
from mmser.data.text import goemotions_examples
from mmser.errors import LeakingSplitError, ModelError
from mmser.evaluation.division.excerpts import Drawn, Excerpts, take_excerpt
from mmser.evaluation.division.known_speakers import UNKNOWN, known_by, require_unseen
from mmser.evaluation.division.training_data import (
    TRAINING_DATA,
    TrainingData,
    joined_data,
    read_training_data,
    to_json,
    training_data,
    write_training_data,
)
from mmser.evaluation.sounds import each_unpacked
from tests.data.audit_fixtures import made
from tests.evaluation.clips_encoded_anew import encoded_anew

ACTED = [
    made(corpus="ravdess", id=f"{part}{i}", split=part, speaker=f"ravdess/{part}{i}")
    for part in ("train", "validation", "test")
    for i in range(2)
]
WRITTEN = [
    made(corpus="goemotions", id=f"{part}{i}", split=part, text="Thank you!", speaker=None)
    for part in ("train", "validation", "test")
    for i in range(3)
]
SERIES = [
    made(corpus="meld", id=f"{part}{i}", split=part, speaker="meld/Joey", dialogue_id=f"meld/{part}/{i}")
    for part in ("train", "validation", "test")
    for i in range(3)
]


def of(rows: list[Example], split: str) -> list[Example]:
    return [row for row in rows if row.split == split]


def refusal(test: list[Example], known: TrainingData, **options: Any) -> str:
    with pytest.raises(LeakingSplitError) as refused:
        require_unseen(test, known, False, **options)
    return str(refused.value)


# --- what is kept ----------------------------------------------------------------------------------------


def test_what_trained_and_validated_is_kept_and_what_tests_is_not():
    known = training_data(ACTED)
    (seen,) = known.corpora.values()
    assert seen.rows == {"train": 2, "validation": 2}
    assert seen.speakers["train"] == ("ravdess/train0", "ravdess/train1")
    assert "test0" not in to_json(known)


def test_it_does_not_depend_on_the_order_of_rows():
    rows = [*ACTED, *WRITTEN, *SERIES]
    assert to_json(training_data(rows)) == to_json(training_data(rows[::-1]))


def test_people_and_calls_of_the_users_own_are_not_named():
    own = [made(corpus="calls", speaker="calls/Ann Doe", dialogue_id="calls/0301234567")]
    known = training_data(own)
    assert "Ann" not in to_json(known) and "0301234567" not in to_json(known)
    assert "calls/Ann Doe" in refusal([dataclasses.replace(own[0], split="test")], known)


def test_words_are_not_kept():
    assert "Thank" not in to_json(training_data(WRITTEN))


def test_it_comes_back_from_its_file(tmp_path: Path):
    known = training_data([*ACTED, *WRITTEN, *SERIES])
    assert read_training_data(tmp_path) is None
    assert write_training_data(known, tmp_path).name == TRAINING_DATA
    assert read_training_data(tmp_path) == known
    write_training_data(training_data(ACTED), tmp_path)  # a later training's
    assert read_training_data(tmp_path) == training_data(ACTED)


def damaged(**changes: Any) -> str:
    values = training_data([*ACTED, *SERIES]).to_dict()
    values["corpora"]["meld"] |= changes
    return json.dumps(values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as JSON"),
        ("[]", "it is an empty list"),
        (
            '{"schema": "mmser.training_data/2", "corpora": {}}',
            "the schema mmser.training_data/2, but this mmser reads version 1",
        ),
        ('{"schema": "mmser.training_data/1"}', "corpora"),
        ('{"schema": "mmser.training_data/1", "corpora": []}', "damaged"),
        (damaged(rows={"train": "3"}), "damaged: corpora.meld.rows.train"),
        (damaged(rows={"test": 3}), "'test' is no split"),
        (damaged(speakers={"train": "Joey"}), "damaged: corpora.meld.speakers.train"),
        (damaged(dialogues={"train": "no base64!"}), "is damaged"),
        (damaged(unnamed={"train": "AAAA"}), "3 bytes are no digests of 6 bytes each"),
        (damaged(voices={}), "no field 'voices'"),
        (training_data(ACTED).to_dict().__repr__(), "cannot be read as JSON"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(text: str, said: str, tmp_path: Path):
    (tmp_path / TRAINING_DATA).write_text(text)
    with pytest.raises(ModelError, match=said) as refused:
        read_training_data(tmp_path)
    assert "\n" not in str(refused.value) and TRAINING_DATA in str(refused.value)


# --- who may be tested -----------------------------------------------------------------------------------


def test_unseen_speakers_need_no_mark():
    assert require_unseen(of(ACTED, "test"), training_data(ACTED), False) is None
    strangers = [made(corpus="emodb", split="test", speaker="emodb/03")]
    assert require_unseen(strangers, training_data(ACTED), False) is None


def test_a_model_without_the_file_is_marked():
    assert require_unseen(of(ACTED, "train"), None, False) == UNKNOWN


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_speaker_who_trained_or_validated_it_is_refused_by_name(part: str):
    known = training_data(ACTED)
    rows = [*of(ACTED, "test"), *of(ACTED, part)[:1]]
    assert f"ravdess: 1 of 3 speakers trained or validated it (ravdess/{part}0)" in refusal(rows, known)
    mark = require_unseen(rows, known, True)
    assert mark == f"overlap allowed: 1 of 3 speakers trained or validated it (ravdess/{part}0)"


def test_the_validation_rows_themselves_may_be_scored_but_no_training_rows():
    known = training_data(ACTED)
    assert require_unseen(of(ACTED, "validation"), known, False, split="validation") is None
    assert "trained it" in refusal(of(ACTED, "train"), known, split="validation")


def test_a_speaker_is_known_whatever_the_corpus_is_called():
    renamed = [dataclasses.replace(row, corpus="mine") for row in of(ACTED, "train")]
    assert "mine: 2 of 2 speakers" in refusal(renamed, training_data(ACTED))


def test_only_the_first_names_are_listed():
    many = [made(corpus="ravdess", id=str(i), speaker=f"ravdess/{i}") for i in range(9)]
    assert "(ravdess/0, ravdess/1, ravdess/2 and 6 more)" in refusal(many, training_data(many))


def test_meld_may_share_speakers_but_no_dialogue():
    known = training_data(SERIES)
    tests = of(SERIES, "test")
    assert require_unseen(tests, known, False) == "speaker-overlapping, dialogue-disjoint"
    said = refusal([*tests, of(SERIES, "train")[0]], known)
    assert "1 of 4 dialogues trained or validated it (meld/train/0)" in said and "1 of 1 speaker" in said
    without = [dataclasses.replace(tests[0], dialogue_id=None)]
    assert "1 of 1 speaker trained" in refusal(without, known)


def test_other_corpora_may_share_neither():
    rows = [dataclasses.replace(row, corpus="mine") for row in SERIES]
    assert "1 of 1 speaker trained" in refusal(of(rows, "test"), training_data(rows))


def test_a_dialogue_is_known_whoever_speaks():
    known = training_data(SERIES)
    said = refusal([dataclasses.replace(of(SERIES, "train")[1], speaker="meld/Gunther")], known)
    assert "dialogue" in said and "speaker" not in said


def test_written_rows_are_known_by_id_and_words_together():
    known = training_data(WRITTEN)
    # The same words under another id are another person's comment, as in the publisher's own split.
    assert require_unseen(of(WRITTEN, "test"), known, False) == "speakers unknown (written comments)"
    said = refusal([*of(WRITTEN, "test"), *of(WRITTEN, "train")], known)
    assert "goemotions: 3 of 6 rows trained or validated it (train0, train1, train2)" in said
    other_words = [dataclasses.replace(of(WRITTEN, "train")[0], text="Something else")]
    assert require_unseen(other_words, known, False) == "speakers unknown (written comments)"
    renamed = [dataclasses.replace(row, corpus="mine") for row in of(WRITTEN, "train")]
    assert "mine: 3 of 3 rows" in refusal(renamed, known)


def test_unknown_speakers_of_a_corpus_that_trained_it_are_refused():
    trained = [made(corpus="mine", id="a", speaker="mine/1")]
    unknown = [made(corpus="mine", id="b", speaker=None)]
    assert "1 of 1 rows have no known speaker" in refusal(unknown, training_data(trained))
    assert require_unseen(unknown, training_data(ACTED), False) is None


# --- under other names -----------------------------------------------------------------------------------

LONG = "I have been waiting for my parcel for two weeks now"


def clip_rows(folder: Path, corpus: str, split: str) -> list[Example]:
    """Return three rows of people who are in no other corpus, each with a clip."""
    rows = []
    for number in range(3):
        path = folder / f"{corpus}-{split}-{number}.wav"
        path.write_bytes(f"RIFF {number}".encode())
        rows.append(made(corpus=corpus, id=path.stem, split=split, speaker=path.stem, audio=path))
    return rows


def test_a_clip_is_known_whatever_its_row_is_called(tmp_path: Path):
    known = training_data(clip_rows(tmp_path, "ravdess", "train"))
    copies = clip_rows(tmp_path, "mine", "test")
    said = refusal(copies, known)
    assert "mine: 3 of 3 clips trained or validated it (mine-test-0, mine-test-1, mine-test-2)" in said
    assert require_unseen(copies, known, True) is not None
    other = [dataclasses.replace(copies[0], start=1.0)]  # another part of the file
    assert require_unseen(other, known, False) is None
    assert require_unseen(copies, training_data(clip_rows(tmp_path, "ravdess", "test")), False) is None


def test_clips_in_the_rows_themselves_are_known_as_well(tmp_path: Path):
    rows = clip_rows(tmp_path, "ravdess", "train")
    packed = [
        dict(row) | {"audio": {"bytes": example.audio.read_bytes(), "path": "a.wav"}}
        for row, example in zip(to_dataset(rows).with_format(None).to_list(), rows, strict=True)
        if example.audio is not None
    ]
    kept = training_data(each_unpacked(packed)).corpora["ravdess"].clips
    assert kept == training_data(rows).corpora["ravdess"].clips and kept["train"]


def test_long_texts_are_known_in_a_corpus_of_another_name_and_short_ones_are_anybodys():
    seen = [
        made(corpus="goemotions", id=str(i), speaker=None, text=text)
        for i, text in enumerate([LONG, f"{LONG} and more", "Thank you!"])
    ]
    known = training_data(seen)
    mine = [dataclasses.replace(row, corpus="mine", id=f"my{row.id}", speaker=f"p{row.id}") for row in seen]
    said = refusal(mine, known)
    assert "2 of 2 texts of 8 words or more trained or validated it (my0, my1)" in said
    louder = [dataclasses.replace(row, text=f"  {str(row.text).upper()}!") for row in mine]
    assert "2 of 2 texts" in refusal(louder, known)
    assert require_unseen(mine[1:], known, False) is None  # one may be a quotation
    official = [dataclasses.replace(row, corpus="goemotions") for row in mine]
    assert require_unseen(official, known, False) is None  # with its own split, which is accepted
    assert "parcel" not in to_json(known)


def test_sound_is_known_however_it_was_encoded(tmp_path: Path):
    known = training_data(encoded_anew(tmp_path, "ravdess"))
    assert known.corpora["ravdess"].excerpts["train"]
    said = refusal(encoded_anew(tmp_path, "mine", quality=0.5), known)
    assert "4 of 4 clips (encoded anew) trained or validated it (mine-0, mine-1, mine-2 and 1 more)" in said
    strangers = encoded_anew(tmp_path, "mine", quality=0.5, seeds=range(4, 8))
    assert require_unseen(strangers, known, False) is None
    one = encoded_anew(tmp_path, "mine", quality=0.5, seeds=range(3, 6))
    assert "1 of 3 clips (encoded anew)" in refusal(one, known)


def test_an_own_corpus_is_looked_through_under_the_same_name_too(tmp_path: Path):
    (tmp_path / "first").mkdir()
    known = training_data(encoded_anew(tmp_path / "first", "mine"))
    again = [
        dataclasses.replace(row, id=f"new{row.id}", speaker=f"new{row.speaker}")
        for row in encoded_anew(tmp_path, "mine", quality=0.5)
    ]
    assert "4 of 4 clips (encoded anew)" in refusal(again, known)


@pytest.mark.data
def test_real_clips_are_known_through_opus_and_others_are_not(data_dir: Path, tmp_path: Path):
    folder = data_dir / "corpora" / "ravdess"

    def rows(actor: str, corpus: str) -> list[Example]:
        clips = sorted((folder / f"Actor_{actor}").glob("*.flac"))[::12]
        return [made(corpus=corpus, id=c.stem, speaker=f"{corpus}/{actor}", audio=c) for c in clips]

    known = training_data(rows("01", "ravdess"))
    copies = []
    for row in rows("01", "mine"):
        assert row.audio is not None
        sound, rate = soundfile.read(row.audio)
        path = tmp_path / f"{row.id}.ogg"
        soundfile.write(path, soxr.resample(sound, rate, 48_000), 48_000, format="OGG", subtype="OPUS")
        copies.append(dataclasses.replace(row, audio=path))
    assert "clips (encoded anew)" in refusal(copies, known)
    # The same sentences, by another actor.
    assert require_unseen(rows("06", "mine"), known, False) is None


def test_bursts_in_digital_silence_are_not_known_by_the_silence():
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(60):
        sound = np.zeros(4 * 16_000, np.float32)
        hertz = np.repeat(rng.uniform(120, 900, 5), 1_600)
        sound[16_000 : 16_000 + len(hertz)] = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / 16_000)
        clips.append(sound)
    excerpts = Excerpts(found for clip in clips[:30] if (found := take_excerpt(clip)) is not None)
    assert not any(excerpts.hold(clip) for clip in clips[30:])


def test_what_a_model_knows_rows_by_is_what_its_file_holds(tmp_path: Path):
    assert known_by(training_data(WRITTEN)) == "name"
    assert known_by(training_data(clip_rows(tmp_path, "ravdess", "train"))) == "name and sound"
    both = [*clip_rows(tmp_path, "ravdess", "train"), made(corpus="goemotions", id="1", text=LONG)]
    assert known_by(training_data(both)) == "name, sound and long texts"


def test_a_draw_of_clips_depends_on_no_order():
    digests = [bytes([value] * 6) for value in (9, 3, 7, 1, 5, 3)]
    kept = []
    for order in (digests, digests[::-1]):
        drawn = Drawn(3)
        for digest in order:
            if drawn.wants(digest):
                drawn.add(digest, digest)
        kept.append(drawn.excerpts())
    assert kept[0] == kept[1] == {bytes([value] * 6) for value in (1, 3, 5)}


def test_a_file_without_fingerprints_is_read_as_before(tmp_path: Path):
    values = training_data(ACTED).to_dict()
    for seen in values["corpora"].values():
        del seen["clips"], seen["texts"], seen["excerpts"]
    (tmp_path / TRAINING_DATA).write_text(json.dumps(values))
    known = read_training_data(tmp_path)
    assert known is not None and require_unseen(of(ACTED, "test"), known, False) is None


def test_marks_follow_their_corpora_where_there_are_several():
    rows = [*ACTED, *WRITTEN, *SERIES]
    mark = require_unseen(of(rows, "test"), training_data(rows), False)
    assert mark == (
        "goemotions: speakers unknown (written comments); meld: speaker-overlapping, dialogue-disjoint"
    )


@pytest.mark.data
def test_the_official_splits_pass_and_their_training_rows_do_not(data_dir: Path):
    rows = [
        *goemotions_examples(data_dir / "text" / "goemotions"),
        *meld_examples(data_dir / "text" / "meld"),
    ]
    known = training_data(rows)
    assert len(to_json(known)) < 1_000_000  # bytes; a model that carries it stays small
    mark = require_unseen(of(rows, "test"), known, False)
    assert mark is not None and "overlap allowed" not in mark
    # 43,410 comments; digests of a few bytes do not meet by chance.
    assert "43410 of 43410 rows" in refusal(of(rows, "train"), known)


def test_a_model_that_went_on_from_another_has_seen_what_both_saw(tmp_path: Path):
    first = training_data(ACTED[:3])  # two that train, one that validates
    second = training_data([made(corpus="ravdess", id="x", split="train", speaker="ravdess/x")])
    both = joined_data(first, second)
    assert both.corpora["ravdess"].rows == {"train": 3, "validation": 1}
    write_training_data(both, tmp_path)
    assert read_training_data(tmp_path) == both
    for name in ("train0", "train1", "validation0", "x"):
        row = made(corpus="ravdess", id="y", split="test", speaker=f"ravdess/{name}")
        with pytest.raises(LeakingSplitError, match=f"ravdess/{name}"):
            require_unseen([row], both, allow_overlap=False)
    assert require_unseen(ACTED[4:], both, allow_overlap=False) is None
