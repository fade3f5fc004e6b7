"""Dialogues: what is drawn how often, the order of turns, change, roles."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmser.data import Example
from mmser.errors import UsageError
from mmser.labels import EMOTIONS, ROLES
from mmser.training.dialogues import (
    Dialogue,
    DialogueSampler,
    Turn,
    bounded_batches,
    corpus_shares,
    labels_of,
    roles_of,
    speakers_of,
)


def example(emotion: str, speaker: str | None = "a", corpus: str = "made", **options: Any) -> Example:
    return Example(corpus=corpus, split="train", emotions=(emotion,), speaker=speaker, **options)


def sampler(examples: list[Example], **options: Any) -> DialogueSampler:
    defaults: dict[str, Any] = {"temperature": 2.0, "shares": {}, "longest": 4, "balance": True}
    return DialogueSampler(examples, **(defaults | options))


def real(count: int) -> Dialogue:
    return Dialogue(tuple(Turn(row, 0) for row in range(count)), made=False, seed=0)


def test_batches_hold_whole_dialogues_and_only_long_ones_come_in_pieces():
    sizes = [2, 3, 1, 9, 1, 4, 1]
    batches = list(bounded_batches([real(size) for size in sizes], 4))
    spans = [[(len(p.dialogue.turns), p.first, p.last) for p in batch] for batch in batches]
    assert [len(batch) for batch in batches if batch[0].dialogue.turns == real(9).turns] == [1, 1, 1]
    assert [s for batch in spans for s in batch if s[0] == 9] == [(9, 0, 4), (9, 4, 8), (9, 8, 9)]
    assert all(sum(last - first for _, first, last in batch) <= 4 for batch in spans)
    assert sum(last - first for batch in spans for _, first, last in batch) == sum(sizes)
    assert not list(bounded_batches([], 4))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 1000.0])
def test_corpora_are_drawn_by_a_power_of_their_size(temperature: float):
    examples = [example("anger", corpus="big") for _ in range(90)]
    examples += [example("anger", corpus="small") for _ in range(10)]
    rng = np.random.default_rng(0)
    drawing = sampler(examples, temperature=temperature, longest=1)
    drawn = Counter(examples[drawing.draw(rng).turns[-1].row].corpus for _ in range(4000))
    power = 1 / temperature
    expected = 90**power / (90**power + 10**power)
    assert drawn["big"] / 4000 == pytest.approx(expected, abs=0.03)


def test_shares_that_are_given_are_what_is_drawn_and_the_rest_is_left_to_the_others():
    sizes = {"a": 100, "b": 400, "c": 100}
    assert corpus_shares(sizes, 1, {"a": 0.5}) == pytest.approx([0.5, 0.4, 0.1])
    assert corpus_shares(sizes, 1, {"a": 3, "b": 1, "c": 4}) == pytest.approx([3 / 8, 1 / 8, 4 / 8])
    assert corpus_shares(sizes, 1, {}) == pytest.approx([1 / 6, 4 / 6, 1 / 6])


@pytest.mark.parametrize(
    ("given", "said"), [({"a": 1.0}, "leaves nothing for b"), ({"d": 0.5}, "d, which has no training rows")]
)
def test_shares_that_cannot_be_are_refused(given: dict[str, float], said: str):
    with pytest.raises(UsageError, match=said):
        corpus_shares({"a": 1, "b": 1}, 2, given)


@pytest.mark.parametrize("balance", [True, False])
def test_emotions_of_single_clips_are_drawn_alike_where_that_is_wanted(balance: bool):
    examples = [example("neutral") for _ in range(90)] + [example("anger") for _ in range(10)]
    rng = np.random.default_rng(0)
    drawing = sampler(examples, balance=balance)
    drawn = Counter(examples[drawing.draw(rng).turns[-1].row].emotions[0] for _ in range(3000))
    assert drawn["anger"] / 3000 == pytest.approx(0.5 if balance else 0.1, abs=0.03)


def test_a_stretch_of_a_dialogue_keeps_its_order_and_length():
    examples = [example("anger", dialogue_id="d", turn_index=index) for index in (5, 3, 1, 4, 2, 0)]
    rng = np.random.default_rng(0)
    drawing = sampler(examples)
    starts = set()
    for _ in range(60):
        dialogue = drawing.draw(rng)
        order = [examples[turn.row].turn_index for turn in dialogue.turns]
        assert not dialogue.made and len(order) == 4
        assert order == list(range(int(order[0] or 0), int(order[0] or 0) + 4))
        starts.add(order[0])
    assert starts == {0, 1, 2}


def test_a_made_call_holds_one_speaker_and_no_clip_twice():
    examples = [example(EMOTIONS[i % 7], speaker="ab"[i % 2]) for i in range(14)]
    rng = np.random.default_rng(0)
    drawing = sampler(examples)
    lengths = set()
    for _ in range(100):
        dialogue = drawing.draw(rng)
        rows = [turn.row for turn in dialogue.turns]
        assert dialogue.made and len(set(rows)) == len(rows)
        assert len({examples[row].speaker for row in rows}) == 1
        assert set(speakers_of(examples, dialogue.turns, made=True)) == {0}
        lengths.add(len(rows))
    assert lengths == {1, 2, 3, 4}
    assert drawing.mean_turns() == pytest.approx(2.5, abs=0.3)


def test_clips_without_a_speaker_are_nobodys_history():
    examples = [example("anger", speaker=None) for _ in range(5)]
    rng = np.random.default_rng(0)
    assert {len(sampler(examples).draw(rng).turns) for _ in range(20)} == {1}
    assert speakers_of(examples, real(3).turns, made=False) == [0, 1, 2]


def test_change_is_the_corpuss_own_where_it_says():
    """MELD's sentiment decides its directions: surprise after joy may be worse, whatever a table says."""
    turns = [
        example("happiness", "a", change=None),
        example("anger", "b", change=None),
        example("surprise", "a", change="worse"),
        example("anger", "b", change="none"),
        example("sadness", "a", change="shift"),
    ]
    found = [(labels.changed, labels.direction) for labels in labels_of(turns, real(5))]
    assert found == [(None, None), (None, None), (True, "worse"), (False, None), (True, None)]


def test_change_at_the_start_of_a_stretch_is_not_known():
    """What it changed from is not in the dialogue that the model sees."""
    turns = [example("anger", change="worse"), example("anger", change="none")]
    assert [labels.changed for labels in labels_of(turns, real(2))] == [None, False]


def test_change_follows_the_emotions_and_the_valence_where_the_corpus_says_nothing():
    turns = [example("anger"), example("anger"), example("happiness"), example("surprise")]
    found = [(labels.changed, labels.direction) for labels in labels_of(turns, real(4))]
    assert found == [(None, None), (False, None), (True, "better"), (True, None)]
    rated = [replace(turn, valence=value) for turn, value in zip(turns, (-1, -1, 0.2, 0.9), strict=True)]
    assert [labels.direction for labels in labels_of(rated, real(4))] == [None, None, "better", "better"]


def test_several_labels_or_none_tell_of_no_change():
    turns = [example("anger"), replace(example("anger"), emotions=("anger", "fear")), example("fear")]
    turns += [replace(example("anger"), emotions=())]
    assert [labels.changed for labels in labels_of(turns, real(4))] == [None] * 4


@pytest.mark.parametrize("mixed", [0, 1, 2])
def test_a_mixture_is_no_change_and_nothing_changes_from_it(mixed: int):
    turns = [example("anger"), example("fear"), example("sadness")]
    call = Dialogue(
        tuple(Turn(row, 0, other=0, share=0.8) if row == mixed else Turn(row, 0) for row in range(3)),
        made=True,
        seed=0,
    )
    known = [labels.changed for labels in labels_of(turns, call)]
    assert known == [None] + [None if mixed in (row - 1, row) else True for row in (1, 2)]


def test_known_roles_are_kept_and_unknown_ones_played_by_chance_in_training_alone():
    turns = [example("anger", "a"), example("anger", "b", role="customer"), example("anger", "a")]
    assert roles_of(turns, real(3), random=False) == ["unknown", "customer", "unknown"]
    played = set()
    for seed in range(40):
        roles = roles_of(turns, replace(real(3), seed=seed), random=True)
        assert roles[1] == "customer" and roles[0] == roles[2]
        assert roles == roles_of(turns, replace(real(3), seed=seed), random=True)
        played.add(roles[0])
    assert played == set(ROLES)
