"""The simple models on made sounds and words that can be told apart, and on what they must not break over."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from scipy.signal import sawtooth
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmser.data import Example
from mmser.errors import DataError, UsageError
from mmser.evaluation.baseline_models import BASELINES, Baseline, FeatureCache, fit_baseline, needs
from mmser.evaluation.baseline_models.classical import fit_svm
from mmser.evaluation.baseline_models.fitted import Rows, choose, fit_temperature
from mmser.evaluation.baseline_models.networks import (
    CepstralLstm,
    LogMelCnn,
    cepstral,
    logits_of,
    mean_normalised,
)
from mmser.evaluation.judged import Judged, truth_of
from mmser.labels import EMOTIONS

RATE = 16_000
CLASSES = ("anger", "neutral", "sadness")
SOUND = tuple(name for name in BASELINES if needs(name) == "sound")
WORDS = {"anger": "how dare you", "neutral": "it is on the table", "sadness": "i miss her so"}


def made(emotion: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Half a second: anger buzzes high and rises, sadness is low and sinks, neutral is noise in bursts."""
    time = np.arange(RATE // 2) / RATE
    if emotion == "neutral":
        bursts = np.sin(2 * np.pi * rng.uniform(3, 4) * time) ** 2
        return np.asarray(0.2 * bursts * rng.standard_normal(len(time)), np.float32)
    start, rise = (rng.uniform(200, 220), 200) if emotion == "anger" else (rng.uniform(110, 130), -60)
    tone = sawtooth(2 * np.pi * (start * time + rise * time**2 / 2 / time[-1]))
    return np.asarray(0.3 * tone + 0.01 * rng.standard_normal(len(time)), np.float32)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    """12 training, 10 validation and 4 test clips of each class."""
    folder, rng, found = tmp_path_factory.mktemp("made"), np.random.default_rng(0), {}
    for split, count in (("train", 12), ("validation", 10), ("test", 4)):
        found[split] = []
        for number in range(count):
            for emotion in CLASSES:
                path = folder / f"{split}-{emotion}-{number}.wav"
                soundfile.write(path, made(emotion, rng), RATE)
                found[split].append(row(emotion, audio=path, id=path.stem, text=WORDS[emotion]))
    return found


@pytest.fixture(scope="module")
def features() -> FeatureCache:
    return FeatureCache()


def row(*emotions: str, **options: object) -> Example:
    return Example(**({"corpus": "made", "split": None} | options), emotions=emotions)  # type: ignore[arg-type]


def fit(
    name: str,
    train: list[Example],
    validation: list[Example],
    features: FeatureCache,
    seed: int = 0,
    labels: tuple[str, ...] = CLASSES,
) -> Baseline:
    return fit_baseline(name, train, validation, labels, features=features, seed=seed)


def accuracy(judged: Judged) -> float:
    return float((judged.guess() == truth_of(judged)).mean())


# --- all of them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SOUND, "tfidf"])
def test_each_learns_what_can_be_told_apart_and_its_answers_are_distributions(name, clips, features):
    told = fit(name, clips["train"], clips["validation"], features).judge(clips["test"], fold="2")
    assert accuracy(told) >= 11 / 12
    assert told.emotion.sum(1) == pytest.approx(np.ones(12))
    assert told.examples == tuple(clips["test"]) and set(told.fold) == {"2"} and not told.left_out


@pytest.mark.parametrize("name", BASELINES)
def test_one_seed_gives_one_answer_and_leaves_the_random_state_of_others_alone(name, clips, features):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr]
    first, second = (
        fit(name, clips["train"][:12], clips["validation"][:9], features, seed=3).judge(clips["test"])
        for _ in range(2)
    )
    assert (first.emotion == second.emotion).all()
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]


@pytest.mark.parametrize("name", ["cnn", "bilstm"])
def test_another_seed_is_another_network(name, clips, features):
    first, second = (
        fit(name, clips["train"][:12], [], features, seed=seed).judge(clips["test"]) for seed in (0, 1)
    )
    assert np.abs(first.emotion - second.emotion).max() > 1e-6


@pytest.mark.parametrize("name", BASELINES)
def test_a_label_that_was_never_shown_has_no_share_and_its_rows_are_still_judged(name, clips, features):
    train = [e for e in clips["train"] if e.emotions != ("sadness",)][:12]
    told = fit(name, train, clips["validation"], features, labels=EMOTIONS).judge(clips["test"])
    assert len(told) == 12 and told.labels == EMOTIONS
    shown = [EMOTIONS.index(label) for label in ("anger", "neutral")]
    assert told.emotion[:, shown].sum(1) == pytest.approx(np.ones(12))
    assert (np.delete(told.emotion, shown, axis=1) == 0).all()


@pytest.mark.parametrize("name", BASELINES)
def test_a_single_row_is_all_that_is_known(name, clips, features):
    told = fit(name, clips["train"][:1], clips["validation"], features).judge(clips["test"])
    assert told.emotion.tolist() == [[1.0, 0.0, 0.0]] * 12


@pytest.mark.parametrize("name", SOUND)
def test_two_rows_and_no_validation_are_enough_to_fit(name, clips, features):
    told = fit(name, clips["train"][:2], [], features).judge(clips["test"])
    assert np.isfinite(told.emotion).all() and told.emotion.sum(1) == pytest.approx(np.ones(12))


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("majority", {}),
        ("svm", {"C": 3.0}),
        ("naive-bayes", {"var_smoothing": 0.01}),
        ("decision-tree", {"max_depth": 5}),
        ("logistic-regression", {"C": 0.01}),
        ("cnn", {"epochs": 20}),
        ("bilstm", {"epochs": 20}),
        ("tfidf", {"C": 4.0, "class_weight": "balanced"}),
    ],
)
def test_without_validation_each_has_its_default_and_no_temperature(name, chosen, clips, features):
    fitted = fit(name, clips["train"][:9], [row("anger")], features)  # neither sound nor words to choose by
    assert fitted.chosen == chosen and fitted.temperature == 1


@pytest.mark.parametrize(("name", "reason"), [("svm", "it has no sound"), ("tfidf", "it has no words")])
def test_rows_without_what_is_needed_are_left_out_by_name(name, reason, clips, features):
    bare = row("anger", id="bare", text=" \n")
    fitted = fit(name, [*clips["train"], bare], [*clips["validation"], bare], features)
    told = fitted.judge([bare, clips["test"][0]])
    assert told.left_out == {"made/bare": reason}
    assert told.examples == (clips["test"][0],)
    assert len(fitted.judge([bare])) == 0


def test_rows_without_one_label_of_those_asked_for_teach_the_models_of_sound_nothing(clips, features):
    first = clips["train"][0]
    others = [
        row(audio=first.audio),
        row("anger", "sadness", audio=first.audio),
        row("calm", audio=first.audio),
    ]
    with_them = fit("svm", [*others, *clips["train"]], others, features)
    alone = fit("svm", clips["train"], [], features)
    assert (with_them.judge(clips["test"]).emotion == alone.judge(clips["test"]).emotion).all()


def test_what_cannot_be_fitted_is_told_with_what_would_do(clips, features):
    with pytest.raises(UsageError, match="no baseline 'forest'; choose among majority, svm, "):
        needs("forest")
    with pytest.raises(
        DataError, match="none of the 1 training rows has sound and exactly one label among anger, neutral"
    ):
        fit("svm", [row("anger", text="oh")], clips["validation"], features)
    with pytest.raises(DataError, match="has a label among"):
        fit("majority", [row("calm")], [], features)


def test_how_far_it_has_come_is_told(clips):
    said: list[tuple[str, float, float]] = []
    fit_baseline(
        "bilstm",
        clips["train"][:4],
        [],
        CLASSES,
        features=FeatureCache(),
        seed=0,
        progress=lambda *told: said.append(told),
    )
    assert said[:4] == [("listening", done, 4) for done in (1, 2, 3, 4)]
    assert said[4:] == [("fitting", done, 20) for done in range(1, 21)]


# --- the most frequent class, and words ------------------------------------------------------------------


def test_the_majority_says_the_shares_of_training_each_label_of_a_row_counted_in_part(features):
    # anger 1 + 1/2, neutral 1/2, sadness 1, of 3 rows.
    train = [row("anger"), row("anger", "neutral"), row("sadness")]
    told = fit("majority", train, [], features).judge([row("sadness"), row()])
    assert told.emotion == pytest.approx(np.array([[1.5, 0.5, 1.0]] * 2) / 3)


def test_words_learn_every_label_of_a_row(features):
    train = [row("anger", "sadness", text="so unfair")] * 6 + [row("neutral", text="on the table")] * 6
    fitted = fit("tfidf", train, [], features)
    anger, neutral, sadness = fitted.judge([row(text="unfair")]).emotion[0]
    assert anger == pytest.approx(sadness) and anger > neutral


def test_a_row_with_two_labels_weighs_as_much_as_one_with_one(features):
    # The same word: twice neutral, and once anger with sadness: shares of 2/3, 1/6 and 1/6 but for the
    # regularisation, which draws a bias not at all.
    train = [row("neutral", text="oh")] * 20 + [row("anger", "sadness", text="oh")] * 10
    held = [row("neutral", text="oh")]
    told = fit("tfidf", train, held, features).judge(held)
    assert told.emotion[0] == pytest.approx([1 / 6, 2 / 3, 1 / 6], abs=0.01)


# --- what they share -------------------------------------------------------------------------------------


def test_the_temperature_makes_the_confidence_the_share_of_right_answers():
    # Of two classes 2 apart, 30 of 40 right: 1 / (1 + exp(-2 / T)) = 3/4, so T = 2 / ln 3 = 1.8205.
    logits = np.tile([2.0, 0.0], (40, 1))
    targets = np.array([[1.0, 0.0]] * 30 + [[0.0, 1.0]] * 10)
    assert fit_temperature(logits, targets) == pytest.approx(2 / math.log(3), abs=1e-3)
    assert fit_temperature(100 * logits, targets) == pytest.approx(200 / math.log(3), rel=1e-3)
    assert fit_temperature(logits[:29], targets[:29]) == 1  # too few


def test_a_temperature_tempers_what_the_test_rows_are_told(clips, features):
    fitted = fit("svm", clips["train"], clips["validation"], features)
    logits = fitted.scores(fitted.inputs(clips["test"]))
    told = fitted.judge(clips["test"]).emotion
    assert fitted.temperature != 1
    # The distance of two log-probabilities is that of the logits, divided by the temperature.
    distance = np.log(told[:, 0] / told[:, 1])
    assert distance == pytest.approx((logits[:, 0] - logits[:, 1]) / fitted.temperature)


def test_the_best_by_uar_on_validation_is_chosen_the_first_of_equals():
    # Rows of classes 0, 0, 0, 1; what always says 0 has a UAR of 50, and so has what always says 1.
    held = Rows(inputs=np.arange(4), targets=np.eye(2)[[0, 0, 0, 1]])
    answers = {
        "always 0": [0, 0, 0, 0],
        "always 1": [1, 1, 1, 1],
        "one wrong": [1, 0, 0, 1],
        "same": [1, 0, 0, 1],
    }

    def fitted(candidate: str):
        return lambda rows: np.eye(2)[[answers[candidate][i] for i in rows]]

    assert choose(tuple(answers), fitted, held, "always 0")[0] == "one wrong"
    assert choose(("always 0", "always 1"), fitted, held, "always 1")[0] == "always 0"
    assert choose(tuple(answers), fitted, None, "always 1")[0] == "always 1"
    shared = Rows(inputs=np.arange(2), targets=np.full((2, 2), 0.5))  # no row with one label
    assert choose(tuple(answers), fitted, shared, "always 1")[0] == "always 1"


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_most_probable_class_of_the_support_vector_machine_is_what_it_predicts(count: int):
    rng = np.random.default_rng(count)
    labels = rng.integers(count, size=80)
    values = rng.standard_normal((80, 6)) + 0.7 * np.eye(6)[labels]
    new = rng.standard_normal((200, 6))
    fitted = fit_svm(Rows(inputs=values, targets=np.eye(count)[labels]), None)
    scaler = StandardScaler().fit(values)
    alone = SVC(C=3.0, class_weight="balanced", break_ties=True).fit(scaler.transform(values), labels)
    said = fitted.scores(new).argmax(1)
    assert (said == alone.predict(scaler.transform(new))).all() and len(set(said)) == count


# --- networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("network", "columns"), [(LogMelCnn(7), 64), (CepstralLstm(7), 28)])
def test_a_clip_is_answered_alike_alone_and_in_any_batch(network, columns):
    rng = np.random.default_rng(0)
    lengths = (1, 2, 3, 7, 40, 41, 120, 260)
    made = [(3 * rng.standard_normal((n, columns))).astype(np.float32) for n in lengths]
    network.train()
    with torch.no_grad():  # statistics of batch normalisation that are not those it begins with
        for _ in range(30):
            network(torch.from_numpy(np.stack([made[-1]] * 4)), torch.tensor([260, 200, 130, 90]))
    alone = np.concatenate([logits_of(network, [clip]) for clip in made])
    together = logits_of(network, made, batch=8)
    turned = logits_of(network, made[::-1], batch=3)[::-1]
    assert np.abs(alone - together).max() < 1e-4 and np.abs(alone - turned).max() < 1e-4
    assert np.abs(np.diff(alone, axis=0)).max() > 1e-2  # they are not all alike anyway


def test_the_lstm_hears_the_end_of_a_clip_first_on_its_way_back():
    network = CepstralLstm(3).eval()
    clip = torch.randn(1, 9, 28, generator=torch.Generator().manual_seed(0))
    network.backwards.load_state_dict(network.forwards.state_dict())
    with torch.inference_mode():
        there = network.forwards(clip)[0].mean(1)
        back = network.forwards(clip.flip(1))[0].mean(1)
        said = network(clip, torch.tensor([9]))
        assert said == pytest.approx(network.head(torch.cat([there, back], 1)), abs=1e-5)


def test_the_networks_are_small():
    sizes = [sum(p.numel() for p in network.parameters()) for network in (LogMelCnn(7), CepstralLstm(7))]
    assert 100_000 < sizes[0] < 300_000 and 30_000 < sizes[1] < 100_000


def test_what_a_line_colours_is_taken_off_the_log_mel():
    frames = np.random.default_rng(0).standard_normal((30, 64)).astype(np.float32)
    line = np.linspace(-5, 5, 64, dtype=np.float32)
    assert mean_normalised(frames + line) == pytest.approx(mean_normalised(frames), abs=1e-5)


def test_cepstra_come_every_40_ms_with_their_slopes():
    # A level that rises by 1 every 20 ms lifts MFCC 0 by sqrt(2 * 64) = 11.31 a frame: 22.63 every 40 ms.
    rising = np.tile(np.arange(20.0, dtype=np.float32)[:, None], (1, 64))
    found = cepstral(rising)
    assert found.shape == (10, 28) and cepstral(rising[:1]).shape == (1, 28)
    assert found[2:-2, 14] == pytest.approx(np.full(6, 2 * math.sqrt(2 * 64)), rel=1e-4)
    assert np.abs(found[:, 1:14]).max() < 1e-3


# --- real speech -----------------------------------------------------------------------------------------


@pytest.mark.data
def test_on_ravdess_functionals_beat_chance_by_far_on_speakers_never_heard(data_dir: Path):
    from mmser.data.speech import ravdess_examples
    from mmser.evaluation.scores.metrics import uar

    splits = {"test": ["06", "13"], "validation": ["01"]}
    found = ravdess_examples(data_dir / "corpora" / "ravdess", splits=splits, partial=True)  # type: ignore[arg-type]
    parts = {s: [e for e in found if e.split == s][::8] for s in ("train", "validation", "test")}
    told = fit("logistic-regression", parts["train"], parts["validation"], FeatureCache(), labels=EMOTIONS)
    judged = told.judge(parts["test"])
    assert uar(truth_of(judged), judged.guess()) > 25  # chance is 14.3


def test_bayes_on_clips_that_are_all_alike_says_a_distribution(tmp_path):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(RATE, np.float32), RATE)
    rows = [
        Example(corpus="made", id=str(i), split=None, emotions=(CLASSES[i % 2],), audio=path, start=0.1 * i)
        for i in range(4)
    ]
    told = fit("naive-bayes", rows, [], FeatureCache()).judge(rows).emotion
    assert np.isfinite(told).all() and told.sum(1) == pytest.approx(1)
