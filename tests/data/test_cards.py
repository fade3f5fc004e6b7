"""The data cards say what the data says."""

from pathlib import Path

import pytest

from mmser.data import CORPORA, LICENCES
from mmser.data import __all__ as public
from mmser.data.card_facts import FACTS
from mmser.data.cards import NOT_AT_HAND, PLACES, count, examples_at_hand, render_card, render_index
from mmser.labels import EMOTIONS
from mmser.training.config import read_config

HOME = Path(__file__).parents[2]
CARDS = HOME / "data_cards"
REMEDY = "run scripts/make_data_cards.py"


@pytest.mark.data
@pytest.mark.parametrize("corpus", PLACES)
def test_cards_of_corpora_at_hand_are_what_is_counted(data_dir: Path, corpus: str):
    splits = {entry.corpus: entry.splits for entry in read_config(HOME / "configs" / "default.yaml").data}
    examples = examples_at_hand(corpus, data_dir, splits.get(corpus))
    assert examples is not None
    assert (CARDS / f"{corpus}.md").read_text() == render_card(corpus, count(examples)), REMEDY


@pytest.mark.parametrize("corpus", sorted(set(FACTS) - set(PLACES)))
def test_cards_of_other_corpora_say_that_they_were_not_counted(corpus: str):
    card = (CARDS / f"{corpus}.md").read_text()
    assert card == render_card(corpus, None), REMEDY
    assert NOT_AT_HAND in card


def test_every_corpus_has_a_card_a_licence_and_a_reader():
    assert set(FACTS) == set(LICENCES) == set(CORPORA) - {"manifest", "audio_folder", "calls", "published"}
    assert {path.stem for path in CARDS.glob("*.md")} == {*FACTS, "README"}
    assert {facts.reader for facts in FACTS.values()} <= set(public)
    assert (CARDS / "README.md").read_text() == render_index(list(PLACES)) + "\n", REMEDY


@pytest.mark.parametrize("corpus", FACTS)
def test_label_maps_lead_to_the_seven_or_to_none(corpus: str):
    assert set(FACTS[corpus].labels.values()) <= {*EMOTIONS, None}
