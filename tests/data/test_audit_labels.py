"""Counts, scripts and doubtful labels."""

import json

import numpy as np
import pytest
from datasets import Dataset

from mmser.data import to_dataset
from mmser.data.audit import Audit, audit
from mmser.data.audit.columns import columns_of
from mmser.data.audit.confidence import check_audio_labels, check_text_labels, contradict
from mmser.data.audit.scripts import summarise_script
from tests.data.audit_fixtures import made, split_by_speaker

LABELS = ("anger", "neutral", "sadness")


def findings(dataset: Dataset) -> dict[str, tuple[str, int]]:
    return {f.check: (f.severity, f.count) for f in audit(dataset, read_sound=False).findings}


def test_a_class_that_a_split_lacks_is_named():
    dataset = split_by_speaker(emotions=lambda s, i: ("anger",) if s == 1 else (LABELS[i % 3],))
    report = audit(dataset, read_sound=False)
    (one,) = [f for f in report.findings if f.check == "classes without an example"]
    assert one.examples == ("test: neutral", "test: sadness") and one.severity == "warning"
    assert report.corpora[0].labels["test"] == {"anger": 12}


def test_imbalance_is_measured_against_a_balanced_corpus():
    even = audit(split_by_speaker(), read_sound=False).corpora[0]
    assert even.imbalance == 1 and even.entropy == pytest.approx(1)
    rare = split_by_speaker(emotions=lambda s, i: ("anger",) if i else ("fear",))
    assert findings(rare)["imbalance"] == ("warning", 6)


def test_labels_of_other_taxonomies_are_told_with_what_was_meant():
    dataset = split_by_speaker(emotions=lambda s, i: ("happy",) if i else ("calm",))
    (one,) = [f for f in audit(dataset, read_sound=False).findings if f.check == "unknown labels"]
    assert one.count == 66 and one.examples == ("'happy' (happiness?)",)


def test_coverage_of_the_other_tasks_is_a_share():
    dataset = split_by_speaker(intensity=lambda s, i: 0.5 if i % 2 else None, change=lambda s, i: "none")
    corpus = audit(dataset, read_sound=False).corpora[0]
    assert (corpus.intensity_share, corpus.change_share, corpus.valence_share) == (0.5, 1, 0)


def script(seed: int, tells: float, sentences: int = 20, count: int = 600) -> float:
    rng = np.random.default_rng(seed)
    rows = [
        made(sentence=f"s{s}", emotions=(LABELS[s % 3 if rng.random() < tells else rng.integers(3)],))
        for s in rng.integers(sentences, size=count)
    ]
    summary, _ = summarise_script(columns_of(to_dataset(rows)), range(count))
    assert summary is not None
    return summary.information


def test_what_a_script_tells_is_0_by_chance_and_1_where_it_tells_all():
    assert [script(seed, 0.0) for seed in range(5)] == pytest.approx([0] * 5, abs=0.02)
    assert script(0, 1.0) == pytest.approx(1, abs=0.01)
    assert 0.1 < script(0, 0.6) < script(0, 0.9) < 1


def test_a_script_that_gives_the_emotion_away_is_a_warning():
    dataset = split_by_speaker(sentence=lambda s, i: f"sentence {i % 3}")
    assert findings(dataset)["sentences with one emotion"] == ("warning", 3)
    neutral = split_by_speaker(each=30, sentence=lambda s, i: f"sentence {i % 10}")
    assert "words carry no emotion" in findings(neutral)


def test_free_speech_has_no_script():
    dataset = split_by_speaker(text=lambda s, i: f"words of {s} about {i}")
    assert audit(dataset, read_sound=False, max_labels=0).corpora[0].script is None


# --- confident learning ----------------------------------------------------------------------------------


def test_the_confident_joint_of_perfect_probabilities_is_the_truth():
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=3000)
    given = np.where(rng.random(3000) < 0.1, (true + 1) % 3, true)
    found = contradict(0.97 * np.eye(3)[true] + 0.01, given)
    assert (found.off_diagonal == (given != true)).all()
    assert (found.suggested[given != true] == true[given != true]).all()
    counts = np.zeros((3, 3))
    np.add.at(counts, (given, true), 1 / 3000)
    assert found.joint == pytest.approx(counts)
    assert (found.margin[given != true] < 0).all()


def flipped(seed: int, separation: float) -> tuple[Dataset, dict[int, np.ndarray], set[int]]:
    """Return 12 speakers' 600 clips as features of three classes, 5 % of them under another label."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=600)
    wrong = set(rng.choice(600, 30, replace=False).tolist())
    given = [(true[i] + rng.integers(1, 3)) % 3 if i in wrong else true[i] for i in range(600)]
    voices, centres = rng.normal(size=(12, 40)) * 3, rng.normal(size=(3, 40)) * separation
    features = {
        i: (voices[i % 12] + centres[true[i]] + rng.normal(size=40)).astype(np.float32) for i in range(600)
    }
    rows = [made(id=str(i), speaker=f"s{i % 12}", emotions=(LABELS[given[i]],)) for i in range(600)]
    return to_dataset(rows), features, wrong


@pytest.mark.parametrize(("separation", "precision", "recall"), [(0.9, 1.0, 0.6), (0.4, 0.5, 0.5)])
def test_flipped_labels_come_first(separation: float, precision: float, recall: float):
    dataset, features, wrong = flipped(0, separation)
    check = check_audio_labels(columns_of(dataset), range(600), features)
    assert check is not None and check.grouped_by == "speaker"
    listed = [int(label.name.removeprefix("made/")) for label in check.suspicious]
    assert len(wrong & set(listed[:20])) / 20 >= precision  # chance: 0.05
    assert len(wrong & set(listed)) / 30 >= recall
    assert [label.margin for label in check.suspicious] == sorted(label.margin for label in check.suspicious)


def test_words_show_flipped_labels_too_and_a_cap_is_said():
    rng = np.random.default_rng(0)
    words = {"anger": "hate rage furious", "neutral": "table report agenda", "sadness": "cry alone grief"}
    rows = []
    for i in range(400):
        label = LABELS[i % 3]
        text = " ".join(rng.choice([*words[label].split(), "the", "so", "today"], 5))
        rows.append(made(id=str(i), emotions=(LABELS[(i + 1) % 3] if i % 20 == 0 else label,), text=text))
    columns = columns_of(to_dataset(rows))
    check = check_text_labels(columns, range(400), 400)
    assert check is not None and check.grouped_by == "nothing"
    worst = [int(label.name.removeprefix("made/")) for label in check.suspicious[:20]]
    assert np.mean([i % 20 == 0 for i in worst]) >= 0.9  # chance: 0.05
    sample = check_text_labels(columns, range(400), 150)
    assert sample is not None and (sample.num_examples, sample.num_available) == (150, 400)


def test_too_few_examples_are_not_judged():
    dataset = split_by_speaker(speakers=3, each=3, text=lambda s, i: "a few words")
    assert audit(dataset, read_sound=False).label_checks == ()


def test_labels_that_each_speaker_has_one_of_are_not_judged_and_that_is_said():
    """Six speakers, one of whom is sad alone: without that voice nothing but anger is left to learn from."""
    dataset = split_by_speaker(
        each=20,
        emotions=lambda s, i: ("sadness",) if s == 1 else ("anger",),
        text=lambda s, i: f"some words of {s} and number {i}",
    )
    found = audit(dataset, read_sound=False)
    (one,) = [f for f in found.findings if f.check == "labels not checked"]
    assert (one.severity, one.count) == ("note", 120) and "by text: kept apart by speaker" in one.message
    assert found.label_checks == ()


def test_texts_that_share_no_word_are_not_judged_and_that_is_said():
    dataset = split_by_speaker(text=lambda s, i: f"word{s}x{i}")
    (one,) = [f for f in audit(dataset, read_sound=False).findings if f.check == "labels not checked"]
    assert "by text: hardly a word stands in two of the texts" in one.message


def test_an_audit_survives_json():
    dataset = split_by_speaker(text=lambda s, i: f"{LABELS[i % 3]} and {s}", sentence=lambda s, i: f"{i % 4}")
    report = audit(dataset, read_sound=False)
    assert Audit.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report
