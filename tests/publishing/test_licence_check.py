"""Weights are published under terms that their data allow, or not at all."""

import pytest

from mmser.errors import UsageError
from mmser.publishing.licence_check import LicenceError, check_licence
from mmser.publishing.licence_terms import hub_fields, parts_of

DEFAULT = ("ravdess", "nemo", "emodb", "goemotions", "meld", "semeval_ei")


@pytest.mark.parametrize(
    ("declared", "corpora", "name"),
    [
        ("CC-BY-NC-SA-4.0", DEFAULT, "CC-BY-NC-SA-4.0"),
        ("cc-by-nc-sa-4.0", ("ravdess",), "CC-BY-NC-SA-4.0"),
        ("Apache-2.0", ("goemotions",), "Apache-2.0"),
        ("MIT", ("emodb", "goemotions"), "MIT"),
        ("CC-BY-SA-4.0", ("emobank",), "CC-BY-SA-4.0"),
        ("CC-BY-NC-4.0", ("iemocap",), "CC-BY-NC-4.0"),
        ("Our own terms", ("goemotions",), "Our own terms"),
        (
            "Apache-2.0 AND IEMOCAP release form",
            ("goemotions", "iemocap"),
            "Apache-2.0 AND IEMOCAP release form",
        ),
    ],
)
def test_a_licence_that_allows_no_more_than_the_data_is_taken(declared, corpora, name):
    assert check_licence(declared, corpora, ()).name == name


@pytest.mark.parametrize(
    ("declared", "corpora", "said"),
    [
        (
            "Apache-2.0",
            ("ravdess", "goemotions"),
            "allows commercial use, which the data that trained the model",
        ),
        ("CC-BY-SA-4.0", ("nemo",), "nemo (CC-BY-NC-SA-4.0); declare CC-BY-NC-SA-4.0 with --license"),
        ("MIT", ("meld",), "forbid: meld (GPL-3.0-only); declare CC-BY-NC-4.0 with --license"),
        ("CC-BY-NC-4.0", ("ravdess",), "pass the weights on under other terms"),
        ("Apache-2.0", ("emobank",), "share-alike): emobank (CC-BY-SA-4.0)"),
        ("CC0-1.0", ("goemotions",), "asks nobody to name the authors"),
        ("Our own terms", ("ravdess",), "it is not known whether 'Our own terms' forbids commercial use"),
        (
            "",
            ("goemotions",),
            "no licence is declared for the weights; give one with --license, such as Apache-2.0",
        ),
        ("  AND ", ("ravdess",), "such as CC-BY-NC-SA-4.0"),
    ],
)
def test_a_licence_that_allows_more_is_refused_and_one_that_fits_is_named(declared, corpora, said):
    with pytest.raises(LicenceError) as caught:
        check_licence(declared, corpora, ())
    assert said in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_corpus_without_a_stated_licence_must_be_acknowledged_by_its_name():
    with pytest.raises(LicenceError, match="no licence is stated for emovo, mine, which trained") as caught:
        check_licence("CC-BY-NC-4.0", ("mine", "goemotions", "emovo"), ())
    assert "--acknowledge-unlicensed emovo --acknowledge-unlicensed mine" in str(caught.value)
    checked = check_licence("CC-BY-NC-4.0", ("mine", "goemotions", "emovo"), ("mine", "emovo"))
    assert [source.corpus for source in checked.sources if source.acknowledged] == ["emovo", "mine"]
    with pytest.raises(LicenceError, match="commercial"):  # what is usual of it still holds
        check_licence("MIT", ("emovo",), ("emovo",))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("others", "was not trained on it; it was trained on ravdess"),
        ("ravdess", "has a licence, CC-BY-NC-SA"),
    ],
)
def test_an_acknowledgement_that_changes_nothing_is_refused(name, said):
    with pytest.raises(UsageError, match=said):
        check_licence("CC-BY-NC-SA-4.0", ("ravdess",), (name,))


def test_the_hub_is_told_its_own_word_for_a_licence_or_that_it_is_another():
    assert hub_fields("CC-BY-NC-SA-4.0") == {"license": "cc-by-nc-sa-4.0"}
    assert hub_fields("apache-2.0") == {"license": "apache-2.0"}
    assert hub_fields("CC-BY-4.0 AND research only") == {
        "license": "other",
        "license_name": "cc-by-4.0-and-research-only",
        "license_link": "LICENSE",
    }
    assert parts_of(" mit AND  own ") == ["MIT", "own"]


@pytest.mark.parametrize(
    ("declared", "corpora", "before", "said"),
    [
        ("GPL-3.0-only", ("meld",), "GPL-3.0-only", "allows commercial use"),
        ("MIT", ("goemotions",), "CC-BY-NC-SA-4.0", "forbid: the model's config (CC-BY-NC-SA-4.0); declare"),
        ("MIT", (), "CC-BY-NC-SA-4.0", "the model's config (CC-BY-NC-SA-4.0)"),
        ("CC-BY-NC-SA-4.0 OR MIT AND CC-BY-NC-SA-4.0", ("ravdess",), "", "is no single licence"),
        ("CC-BY-NC-ND-4.0", ("ravdess",), "", "share-alike): ravdess (CC-BY-NC-SA-4.0)"),
        ("ODbL-1.0", ("emobank",), "", "share-alike): emobank (CC-BY-SA-4.0)"),
        ("GPL-3.0-only AND CC-BY-NC-4.0", ("ravdess",), "", "share-alike"),
    ],
)
def test_no_way_round_leads_to_a_wider_licence(declared, corpora, before, said):
    with pytest.raises(LicenceError) as caught:
        check_licence(declared, corpora, (), before)
    assert said in str(caught.value)


def test_what_is_proposed_is_taken():
    for corpora in (("meld",), ("ravdess",), ("emobank",), ("emobank", "iemocap"), ("emobank", "nemo")):
        with pytest.raises(LicenceError) as caught:
            check_licence("CC0-1.0", corpora, ())
        proposed = str(caught.value).rpartition("declare ")[2].removesuffix(" with --license")
        assert check_licence(proposed, corpora, ()).name == proposed
