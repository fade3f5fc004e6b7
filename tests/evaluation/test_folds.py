"""Folds are apart by speaker, dialogue and sentence, whatever the order of rows, and leaks are refused."""

import dataclasses
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.data import Example
from mmser.data.speech import emodb_examples, nemo_examples, ravdess_examples
from mmser.errors import DataError, LeakingSplitError, MmserError, UsageError
from mmser.evaluation.division.folds import Division, Fold, deal, draw_validation, group_rows, require_clean
from mmser.evaluation.division.protocols import EMOBOX_RAVDESS, PROTOCOLS, make_folds
from mmser.evaluation.judging import is_labelled
from tests.data.audit_fixtures import made


def people(count: int, each: int, corpus: str = "made", **changes: Any) -> list[Example]:
    """Return `each` rows of `count` speakers; a change may be a function of speaker and row number."""
    return [
        made(
            corpus=corpus,
            id=f"{person}-{row}",
            speaker=f"{corpus}/{person}",
            split=None,
            **{name: value(person, row) if callable(value) else value for name, value in changes.items()},
        )
        for person in range(count)
        for row in range(each)
    ]


def names(rows: Sequence[Example]) -> set[tuple[str, str]]:
    return {(row.corpus, row.id) for row in rows}


def speakers(rows: Sequence[Example]) -> set[str | None]:
    return {row.speaker for row in rows}


def content(division: Division) -> list[tuple[Any, ...]]:
    return [(f.name, f.held_out, names(f.train), names(f.validation), names(f.test)) for f in division.folds]


def require_apart(fold: Fold, *, sentences: bool = False) -> None:
    """Check what a fold promises, by other means than those that made it."""
    parts = (fold.train, fold.validation, fold.test)
    for part, name in zip(parts, ("train", "validation", "test"), strict=True):
        assert part and {row.split for row in part} == {name}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        for field in ("speaker", "dialogue_id", "audio"):
            here, there = ({getattr(row, field) for row in parts[i]} - {None} for i in (one, other))
            assert not here & there, (fold.name, field)
    if sentences:
        tested = {row.sentence for row in fold.test}
        assert not tested & {row.sentence for row in fold.train + fold.validation}


TWO_CORPORA = [
    *people(
        9, 6, "polish", language="pl", sentence=lambda s, i: f"polish/{i % 3}", session=lambda s, i: f"p{s}"
    ),
    *people(
        5, 8, "german", language="de", sentence=lambda s, i: f"german/{i % 4}", session=lambda s, i: f"g{s}"
    ),
]
DEALT = sorted(set(PROTOCOLS) - {"split", "emobox-ravdess"})


# --- every protocol --------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", DEALT)
def test_every_row_tests_once_and_nothing_crosses(protocol: str):
    division = make_folds(TWO_CORPORA, protocol)
    tested = Counter((row.corpus, row.id) for fold in division.folds for row in fold.test)
    assert set(tested.values()) == {1} and set(tested) == names(TWO_CORPORA)
    for fold in division.folds:
        require_apart(fold, sentences=protocol == "text-independent")
        assert require_clean(fold, allow_overlap=False) is None
    assert division.warnings == ()


@pytest.mark.parametrize("protocol", DEALT)
def test_folds_do_not_depend_on_the_order_of_rows(protocol: str):
    shuffled = random.Random(1).sample(TWO_CORPORA, len(TWO_CORPORA))
    assert content(make_folds(shuffled, protocol, seed=3)) == content(
        make_folds(TWO_CORPORA, protocol, seed=3)
    )


@pytest.mark.parametrize("protocol", DEALT)
def test_another_seed_deals_otherwise(protocol: str):
    found = {
        str(sorted(names(make_folds(TWO_CORPORA, protocol, seed=s).folds[0].validation))) for s in range(5)
    }
    assert len(found) > 1


@pytest.mark.parametrize("protocol", [*DEALT, "split", "emobox-ravdess"])
def test_what_cannot_be_divided_is_refused_in_one_sentence(protocol: str):
    lonely = people(1, 3) if protocol == "split" else people(1, 3, session="s", sentence="one")
    for rows in (lonely, []):
        with pytest.raises(MmserError) as refused:
            make_folds(rows, protocol)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("protocol", "options", "said"),
    [
        ("speaker-fold", {}, "did you mean 'speaker-folds'"),
        ("speaker-folds", {"folds": 2}, "2 folds are too few.*give 3 or more"),
        ("speaker-folds", {"folds": 0}, "0 folds are too few"),
        ("text-independent", {"sentence_groups": 1}, "1 groups of sentences are too few"),
        ("split", {"split": "train"}, "'train' cannot be scored; give test or validation"),
        ("speaker-folds", {"split": "validation"}, "validation goes with protocol split"),
        ("emobox-ravdess", {}, "divides ravdess alone, and the data are german, polish"),
    ],
)
def test_wrong_options_are_usage_errors(protocol: str, options: dict[str, Any], said: str):
    with pytest.raises(UsageError, match=said):
        make_folds(TWO_CORPORA, protocol, **options)


@pytest.mark.parametrize(
    ("protocol", "rows", "said"),
    [
        (
            "speaker-folds",
            [*people(5, 1), made(id="x", speaker=None)],
            "made/x has none; fill the column speaker",
        ),
        ("leave-one-session-out", people(5, 2), r"made/0-0 has none \(as have 9 more\)"),
        ("leave-one-language-out", people(5, 2, language="pl"), "more than one language, and .* one, pl"),
        ("leave-one-corpus-out", people(5, 2), "more than one corpus, and .* one, made"),
        ("leave-one-corpus-out", [*people(2, 1), made(corpus="b", speaker=None)], "b/ has none"),
        ("leave-one-speaker-out", people(2, 2), "testing made/0 leaves 1 of the two groups"),
        ("speaker-folds", people(4, 2), "divided into 4 at most .* 5 folds are asked for"),
        ("text-independent", people(5, 2), "no row has one; fill the column sentence"),
        ("text-independent", people(5, 2, sentence="a"), "made has 1 sentence, and 2 groups of them"),
        ("emobox-ravdess", people(3, 1, "ravdess"), "'0' is not an actor of RAVDESS"),
        ("split", people(2, 1), "2 of 2 rows, made/0-0 the first, are in no split"),
        ("split", [made(), made()], r"no row is in the split test.*train 2"),
        (
            "speaker-folds",
            [*people(5, 1), made(corpus="zoo", speaker="made/0")],
            "speaker 'made/0' is in made and in zoo",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(protocol: str, rows: list[Example], said: str):
    with pytest.raises(DataError, match=said):
        make_folds(rows, protocol)


# --- the split of the data -------------------------------------------------------------------------------

GIVEN = [
    made(id=f"{part}{i}", split=part, speaker=part) for part in ("train", "validation", "test") for i in "ab"
]


def test_the_split_of_the_data_is_taken_as_it_is():
    (fold,) = make_folds(GIVEN, "split").folds
    assert [row.id for row in fold.train + fold.validation + fold.test] == [row.id for row in GIVEN]
    assert fold.held_out == ("test",)


def test_scored_validation_rows_are_the_test_and_nothing_validates():
    (fold,) = make_folds(GIVEN, "split", split="validation").folds
    assert names(fold.test) == {("made", "validationa"), ("made", "validationb")}
    assert fold.validation == () and len(fold.train) == 2


def test_only_speakers_who_are_nowhere_else_are_held_out():
    both = [*GIVEN, made(id="c", split="test", speaker="train")]
    assert make_folds(both, "split").folds[0].held_out == ("test",)


# --- folds of speakers -----------------------------------------------------------------------------------


def test_the_next_fold_validates():
    # 6 speakers of 10 rows in 3 folds: 2 speakers, 20 rows, in each part.
    folds = make_folds(people(6, 10), "speaker-folds", folds=3).folds
    for fold, after in zip(folds, (*folds[1:], folds[0]), strict=True):
        assert (len(fold.train), len(fold.validation), len(fold.test)) == (20, 20, 20)
        assert speakers(fold.validation) == speakers(after.test) == set(after.held_out)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=3, max_size=25), st.integers(3, 6), st.integers(0, 99))
def test_folds_differ_by_less_than_the_largest_group(sizes: list[int], count: int, seed: int):
    groups = {f"g{number}": size for number, size in enumerate(sizes)}
    placed = deal(groups, count, seed, [0] * count)
    assert set(placed) == set(groups)
    rows = [sum(groups[g] for g, part in placed.items() if part == own) for own in range(count)]
    assert max(rows) - min(rows) <= max(sizes)
    # No part stays empty while another has two groups.
    held = Counter(placed.values())
    assert max(held.values()) - min(held[part] for part in range(count)) <= 1


def test_the_lightest_part_gets_the_next_group():
    # Part 1 holds least already.
    assert deal({"only": 4}, 3, 0, [9, 2, 5]) == {"only": 1}


def test_speakers_who_share_a_dialogue_or_a_session_stay_together():
    rows = people(
        10,
        3,
        dialogue_id=lambda s, i: f"d{s // 2}" if s < 4 else f"own{s}",
        session=lambda s, i: "s" if s in (4, 5) else None,
    )
    # 0 + 1, 2 + 3, 4 + 5, and four who are alone.
    assert len(set(group_rows(rows))) == 7
    for fold in make_folds(rows, "speaker-folds", folds=3).folds:
        require_apart(fold)
        for one, other in (("made/0", "made/1"), ("made/2", "made/3"), ("made/4", "made/5")):
            assert (one in fold.held_out) == (other in fold.held_out)


def test_a_chain_of_dialogues_is_one_group():
    chain = [made(speaker=s, dialogue_id=d) for s, d in (("a", "1"), ("b", "1"), ("b", "2"), ("c", "2"))]
    assert group_rows(chain) == ["dialogue 1"] * 4
    assert len(set(group_rows([*chain, made(speaker="d", dialogue_id="3")]))) == 2


def test_uneven_folds_are_told():
    talkative = [*people(5, 2), *(made(id=f"x{i}", speaker="made/9") for i in range(30))]
    (told,) = make_folds(talkative, "speaker-folds", folds=3).warnings
    assert "30 of 40 rows" in told


# --- one left out ----------------------------------------------------------------------------------------


def test_about_a_seventh_of_the_other_rows_validates():
    # Of 20 speakers of 10 rows one tests; 15 % of 190 rows are 28.5, and three speakers come nearest.
    for fold in make_folds(people(20, 10), "leave-one-speaker-out").folds:
        assert (len(fold.train), len(fold.validation), len(fold.test)) == (160, 30, 10)
        assert fold.held_out == (fold.name,) == tuple(speakers(fold.test))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=12), st.integers(0, 99))
def test_validation_is_never_empty_and_never_all(sizes: list[int], seed: int):
    rows = [made(speaker=f"s{s}") for s, size in enumerate(sizes) for _ in range(size)]
    groups = group_rows(rows)
    chosen = draw_validation(rows, groups, seed)
    assert 0 < len(chosen) < len(set(groups))


def test_each_corpus_gives_its_share_of_validation():
    rows = [*people(10, 4, "a"), *people(10, 4, "b"), *people(10, 4, "c")]
    for fold in make_folds(rows, "leave-one-corpus-out").folds:
        # 15 % of 40 rows are 6, as far from one speaker (4) as from two (8): the first stays alone.
        assert Counter(row.corpus for row in fold.validation) == {c: 4 for c in "abc" if c != fold.name}


def test_a_partner_in_the_tested_dialogue_is_only_heard():
    # As in IEMOCAP: two speakers a session, and every dialogue is of both.
    rows = people(8, 4, dialogue_id=lambda s, i: f"d{s // 2}/{i}", session=lambda s, i: f"s{s // 2}")
    division = make_folds(rows, "leave-one-speaker-out")
    for fold in division.folds:
        require_apart(fold)
        # 4 rows of the tested speaker are scored and 4 of the partner heard; a session of 8 validates.
        assert (len(fold.train), len(fold.validation), len(fold.test)) == (16, 8, 8)
        assert [row.speaker for row in fold.test if is_labelled(row)] == [fold.name] * 4
    assert "in 8 of 8 folds labelled rows are neither trained on nor scored" in division.warnings[0]
    sessions = make_folds(rows, "leave-one-session-out")
    assert [len(fold.test) for fold in sessions.folds] == [8] * 4 and sessions.warnings == ()


def made_calls(agent: str = "agent {0}") -> list[Example]:
    """Return two calls of each of five customers: agent, labelled, agent, unlabelled."""
    return [
        made(
            id=f"{call}-{turn}",
            speaker=agent.format(call) if turn % 2 == 0 else f"customer {call // 2}",
            role="agent" if turn % 2 == 0 else "customer",
            dialogue_id=str(call),
            turn_index=turn,
            emotions=("anger",) if turn == 1 else (),
            intensity=None,
        )
        for call in range(10)
        for turn in range(4)
    ]


def test_agents_are_heard_and_never_left_out():
    rows = made_calls()
    division = make_folds(rows, "leave-one-speaker-out")
    assert [fold.name for fold in division.folds] == [f"customer {number}" for number in range(5)]
    for fold in division.folds:
        require_apart(fold)
        assert require_clean(fold, allow_overlap=False) is None
        own = {row.dialogue_id for row in rows if row.speaker == fold.name}
        # Both calls as they were, in order: the agents' turns and the customer's own without a label as well.
        assert [row.id for row in fold.test] == [row.id for row in rows if row.dialogue_id in own]
        assert [row.id for row in fold.test if is_labelled(row)] == [f"{call}-1" for call in sorted(own)]
        assert {row.speaker for row in fold.test if row.role == "customer"} == {fold.name}
        assert any(map(is_labelled, fold.train)) and any(map(is_labelled, fold.validation))
    assert division.warnings == ()


def test_who_is_scored_elsewhere_is_heard_without_labels():
    # In four rounds of three, each talks with the next: everybody has two partners, who train elsewhere.
    rows = [
        made(
            id=f"{d}-{turn}",
            speaker=f"made/{d // 3}.{(d + turn) % 3}",
            dialogue_id=str(d),
            turn_index=turn,
            intensity=0.5,
            change="none",
            valence=0.1,
            text=f"{d}-{turn}",
        )
        for d in range(12)
        for turn in range(2)
    ]
    division = make_folds(rows, "leave-one-speaker-out")
    scored = Counter(row.id for fold in division.folds for row in fold.test if is_labelled(row))
    assert scored == Counter(row.id for row in rows)
    for fold in division.folds:
        require_apart(fold)
        assert require_clean(fold, allow_overlap=False) is None
        heard = [row for row in fold.test if row.speaker != fold.name]
        assert len(heard) == 2 and len(fold.test) == 4
        for row in heard:
            assert (row.emotions, row.intensity, row.change, row.valence) == ((), None, None, None)
            assert row.text == row.id  # the words stay
            assert str(row.speaker).endswith(f" in {row.dialogue_id}")  # nobody who trains
        assert not names(fold.test) & names(fold.train + fold.validation)
        partners = {row.speaker.split(" in ")[0] for row in heard if row.speaker}
        assert partners & speakers(fold.train + fold.validation)  # in their other dialogues


def test_only_rows_with_a_label_can_be_left_out():
    bare = [dataclasses.replace(row, emotions=()) for row in made_calls()]
    with pytest.raises(DataError, match="tests rows with labels, and none has one"):
        make_folds(bare, "leave-one-speaker-out")
    one = [row for row in made_calls() if row.dialogue_id in ("0", "1")]
    with pytest.raises(DataError, match="the data hold one, customer 0"):
        make_folds(one, "leave-one-speaker-out")
    # Two customers, and agents who alone would be a second group for training.
    two = [row for row in made_calls() if row.dialogue_id in ("0", "1", "2", "3")]
    with pytest.raises(DataError, match="testing customer 0 leaves 1 of the two groups"):
        make_folds(two, "leave-one-speaker-out")


def test_who_speaks_a_held_out_language_trains_in_none():
    rows = [
        *people(6, 2, language="pl"),
        *people(6, 2, "other", language="de"),
        made(id="x", speaker="made/0", language="de"),
    ]
    division = make_folds(rows, "leave-one-language-out")
    for fold in division.folds:
        require_apart(fold)
    # Testing German leaves out the two Polish rows of made/0, testing Polish the one German row.
    assert "de 2, pl 1" in division.warnings[0]


def test_agents_of_all_calls_cannot_be_left_out():
    calls = [made(id=f"{c}{s}", speaker=s, dialogue_id=c) for c in "123" for s in (f"customer {c}", "agent")]
    with pytest.raises(DataError, match="testing agent leaves 0 of the two groups"):
        make_folds(calls, "leave-one-speaker-out")


def test_written_rows_and_shared_speakers_validate_as_their_publishers_allow():
    written = [made(corpus="goemotions", id=str(i), text=str(i), speaker=None) for i in range(20)]
    series = [
        made(corpus="meld", id=f"{d}{s}", speaker=f"meld/{s}", dialogue_id=str(d))
        for d in range(20)
        for s in "ab"
    ]
    rows = [*written, *series, *people(3, 2)]
    acted = next(f for f in make_folds(rows, "leave-one-corpus-out").folds if f.name == "made")
    # 15 % of 20 comments, and of 20 dialogues of two turns.
    assert Counter(row.corpus for row in acted.validation) == {"goemotions": 3, "meld": 6}
    mark = require_clean(acted, allow_overlap=False)
    assert mark is not None and "meld: speaker-overlapping, dialogue-disjoint" in mark
    with pytest.raises(DataError, match="goemotions/0 has none"):
        make_folds(rows, "speaker-folds")


# --- sentences -------------------------------------------------------------------------------------------


def test_held_out_speakers_say_held_out_sentences():
    # 3 speakers say 4 sentences. A fold tests 1 speaker saying 2, another validates and one trains with the
    # other 2.
    rows = people(3, 4, sentence=lambda s, i: f"s{i}")
    division = make_folds(rows, "text-independent", folds=3)
    assert len(division.folds) == 6
    for fold in division.folds:
        require_apart(fold, sentences=True)
        assert (len(fold.train), len(fold.validation), len(fold.test)) == (2, 2, 2)
        assert [name for name in fold.held_out if name.startswith("sentence ")] == sorted(
            f"sentence {row.sentence}" for row in fold.test
        )


def test_rows_without_a_sentence_take_no_part_and_are_told():
    rows = people(3, 4, sentence=lambda s, i: None if i == 3 else f"s{i}")
    division = make_folds(rows, "text-independent", folds=3)
    assert sum(len(fold.test) for fold in division.folds) == 9
    assert division.warnings == ("3 rows have no sentence and take no part, made/0-3 the first",)


# --- EmoBox ----------------------------------------------------------------------------------------------


def actors(*numbers: str, emotions: tuple[str, ...] = ("calm",)) -> list[Example]:
    return [made(corpus="ravdess", id=n, speaker=f"ravdess/{n}", emotions=emotions) for n in numbers]


def test_emobox_has_each_of_24_actors_once():
    assert sorted(a for fold in EMOBOX_RAVDESS.values() for a in fold) == [f"{n:02d}" for n in range(1, 25)]
    division = make_folds(actors(*(f"{n:02d}" for n in range(1, 25))), "emobox-ravdess")
    assert [fold.name for fold in division.folds] == [f"fold {n}" for n in range(1, 7)]
    first, last = division.folds[0], division.folds[-1]
    assert {row.id for row in first.test} == {"01", "11", "20", "21"}
    assert {row.id for row in first.validation} == {"04", "10", "12", "14"}
    assert {row.id for row in last.validation} == {"01", "11", "20", "21"}
    assert len(first.train) == 16 and division.warnings == ()


def test_emobox_leaves_out_a_fold_without_actors_and_names_it():
    absent = {"04", "10", "12", "14", "24"}
    there = [f"{n:02d}" for n in range(1, 25) if f"{n:02d}" not in absent]
    division = make_folds(actors(*there, emotions=("anger",)), "emobox-ravdess")
    assert [fold.name for fold in division.folds] == ["fold 1", "fold 3", "fold 4", "fold 5", "fold 6"]
    assert {row.id for row in division.folds[0].validation} == {"08", "09", "19", "23"}
    two, four, calm = division.warnings
    assert "fold 2 is left out: none of its actors 04, 10, 12, 14" in two
    assert "fold 4 lacks the actors 24" in four
    assert "no row is labelled calm" in calm


def test_emobox_needs_actors_of_three_folds():
    with pytest.raises(DataError, match=r"actors of 2 of its folds are at hand \(fold 1, 3\)"):
        make_folds(actors("01", "11", "08"), "emobox-ravdess")


# --- the guard -------------------------------------------------------------------------------------------


def fold_of(*rows: Example) -> Fold:
    parts = {
        part: tuple(row for row in rows if row.split == part) for part in ("train", "validation", "test")
    }
    return Fold(name="fold 1", held_out=(), **parts)


@pytest.mark.parametrize("field", ["speaker", "dialogue_id"])
def test_a_fold_that_shares_a_speaker_or_a_dialogue_is_refused(field: str):
    rows = [
        made(id="a", speaker="a", dialogue_id="1"),
        made(id="b", speaker="b", dialogue_id="2", split="test"),
    ]
    assert require_clean(fold_of(*rows), allow_overlap=False) is None
    leaking = fold_of(rows[0], dataclasses.replace(rows[1], **{field: getattr(rows[0], field)}))
    with pytest.raises(LeakingSplitError, match=r"made: 1 (speaker|dialogue) in several splits"):
        require_clean(leaking, allow_overlap=False)
    assert str(require_clean(leaking, allow_overlap=True)).startswith("overlap allowed: 1 ")


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_planted_copy_is_refused_under_whichever_name(part: str, tmp_path: Path):
    file, copy = tmp_path / "a.wav", tmp_path / "other" / "b.wav"
    file.write_bytes(b"one recording")
    copy.parent.mkdir()
    shutil.copy(file, copy)
    tested = made(id="t", speaker="t", split="test", audio=copy)
    planted = made(corpus="zoo", id="p", speaker="p", split=part, audio=file)
    with pytest.raises(LeakingSplitError) as refused:
        require_clean(fold_of(planted, tested), allow_overlap=False)
    assert f"zoo/p ({part}) and made/t (test) hold the same sound" in str(refused.value)
    mark = require_clean(fold_of(planted, tested), allow_overlap=True)
    assert mark is not None and mark.startswith("overlap allowed: 1 clip copied across splits (zoo/p")


def test_other_sound_and_other_parts_of_a_copy_are_no_copies(tmp_path: Path):
    for name, data in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        (tmp_path / name).write_bytes(data)
    first = made(id="a", speaker="a", audio=tmp_path / "a")
    for changes in (
        {"audio": tmp_path / "b"},  # of the same size
        {"audio": tmp_path / "c", "channel": 1},
        {"audio": tmp_path / "c", "start": 1.0, "end": 2.0},
    ):
        tested = made(id="b", speaker="b", split="test", **changes)
        assert require_clean(fold_of(first, tested), allow_overlap=False) is None


def test_copies_within_a_part_are_let_be(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"one")
    (tmp_path / "t").write_bytes(b"two")
    rows = [made(id=n, speaker="a", audio=tmp_path / n) for n in "ab"]
    tested = made(id="t", speaker="t", split="test", audio=tmp_path / "t")
    assert require_clean(fold_of(*rows, tested), allow_overlap=False) is None


def test_a_missing_clip_is_named(tmp_path: Path):
    rows = [made(id="a", speaker="a", audio=tmp_path / "gone.wav"), made(id="b", speaker="b", split="test")]
    with pytest.raises(DataError, match=r"gone\.wav cannot be read"):
        require_clean(fold_of(*rows), allow_overlap=False)


# --- real data -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def acted(data_dir: Path) -> list[Example]:
    folder = data_dir / "corpora"
    return [
        *ravdess_examples(folder / "ravdess", partial=True),
        *nemo_examples(folder / "nemo"),
        *emodb_examples(folder / "emodb" / "crop_2s"),
    ]


@pytest.mark.data
@pytest.mark.parametrize(
    ("protocol", "count"),
    [
        ("speaker-folds", 5),
        ("leave-one-corpus-out", 3),
        ("leave-one-language-out", 3),
        ("text-independent", 10),
    ],
)
def test_acted_corpora_are_divided_without_a_leak(acted: list[Example], protocol: str, count: int):
    division = make_folds(acted, protocol)
    assert len(division.folds) == count
    tested = Counter((row.corpus, row.id) for fold in division.folds for row in fold.test)
    assert set(tested.values()) == {1} and len(tested) == len(acted)
    for fold in division.folds:
        require_apart(fold, sentences=protocol == "text-independent")
    assert require_clean(division.folds[0], allow_overlap=False) is None


@pytest.mark.data
def test_the_real_actors_fill_five_of_emobox_folds(acted: list[Example]):
    division = make_folds([row for row in acted if row.corpus == "ravdess"], "emobox-ravdess")
    assert [fold.name for fold in division.folds] == ["fold 1", "fold 3", "fold 4", "fold 5", "fold 6"]
    for fold in division.folds:
        require_apart(fold)
        assert len(speakers(fold.test)) == len(speakers(fold.validation)) == 4


@pytest.mark.data
def test_a_real_clip_planted_under_another_name_is_found(acted: list[Example], tmp_path: Path):
    (fold, *_) = make_folds([row for row in acted if row.corpus == "emodb"], "speaker-folds").folds
    stolen = fold.test[0].audio
    assert stolen is not None
    planted = dataclasses.replace(
        fold.train[0], id="planted", audio=Path(shutil.copy(stolen, tmp_path / "mine.wav"))
    )
    with pytest.raises(
        LeakingSplitError, match=rf"emodb/planted \(train\) and emodb/{fold.test[0].id} \(test\)"
    ):
        require_clean(dataclasses.replace(fold, train=(*fold.train, planted)), allow_overlap=False)
