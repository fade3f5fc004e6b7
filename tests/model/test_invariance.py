"""Given the same history, an utterance scores the same in any batch."""

import numpy as np
import pytest
import torch
from model_fixtures import tiny_model, tiny_tokenizer, wav2vec2_options

from mmser.model import MmserModel, MmserProcessor

TOLERANCE = 1e-4
TEXTS = [
    "i am so very angry",
    None,
    "where is my parcel",
    "no no no",
    ["thank", "you"],
    "yes",
    None,
    "i am fine",
]
COLUMNS = ("dialogue_ids", "speaker_ids", "roles", "positions")


@pytest.fixture(
    scope="module",
    params=["cnn", "wav2vec2-group", "wav2vec2-layer", "hubert-group", "wavlm-layer"],
)
def model(request: pytest.FixtureRequest) -> MmserModel:
    if request.param == "cnn":
        return tiny_model()
    kind, norm = request.param.split("-")
    return tiny_model(**wav2vec2_options(norm, kind))


@pytest.fixture(scope="module")
def processor() -> MmserProcessor:
    return MmserProcessor(tiny_tokenizer())


def call(length: int = 8, dialogue: int = 0, seed: int = 0) -> dict[str, list]:
    """A call of two speakers; some utterances lack a modality, one is very short."""
    rng = np.random.default_rng(seed)
    seconds = [1.1, 0.4, 2.0, 0.02, 1.6, 0.9, 1.3, 0.7]
    audio = [(rng.standard_normal(int(16_000 * s)) * 0.1).astype(np.float32) for s in seconds[:length]]
    return {
        "audio": [None if i == 2 else a for i, a in enumerate(audio)],
        "text": TEXTS[:length],
        "text_confidence": [[0.9, 0.2] if isinstance(t, list) else None for t in TEXTS[:length]],
        "dialogue_ids": [dialogue] * length,
        "speaker_ids": [0, 1, 0, 0, 1, 1, 0, 1][:length],
        "roles": ["customer" if s == 0 else "agent" for s in [0, 1, 0, 0, 1, 1, 0, 1][:length]],
        "positions": list(range(length)),
    }


def pick(rows: dict[str, list], order: list[int]) -> dict[str, list]:
    return {name: [column[i] for i in order] for name, column in rows.items()}


def run(model: MmserModel, processor: MmserProcessor, rows: dict[str, list], state=None):
    with torch.inference_mode():
        return model(**processor(**rows, sampling_rate=16_000), state=state)


def answers(out) -> torch.Tensor:
    """Every number a user could see, (batch, numbers); change only where it means something."""
    change = torch.where(out.has_previous, out.change_logits, 0.0)
    return torch.cat(
        [out.logits, out.audio_logits, out.text_logits, out.intensity_logits[:, None], change[:, None]], 1
    )


def test_logits_differ_between_utterances_so_that_the_other_tests_can_fail(model, processor):
    logits = run(model, processor, call()).logits
    assert float(logits.max() - logits.min()) > 1


def test_row_order_changes_nothing(model, processor):
    rows, order = call(), [5, 0, 7, 3, 1, 6, 2, 4]
    expected = answers(run(model, processor, rows))
    shuffled = answers(run(model, processor, pick(rows, order)))
    assert torch.allclose(shuffled, expected[order], atol=TOLERANCE)


def test_padding_and_other_dialogues_change_nothing(model, processor):
    rows, other = call(), call(6, dialogue=1, seed=1)
    long = (np.random.default_rng(2).standard_normal(16_000 * 5) * 0.1).astype(np.float32)
    other["audio"][0] = long
    together = {name: other[name] + rows[name] for name in rows}
    alone = answers(run(model, processor, rows))
    batched = answers(run(model, processor, together))[6:]
    assert torch.allclose(batched, alone, atol=TOLERANCE)


def test_future_turns_change_nothing(model, processor):
    whole = answers(run(model, processor, call(8)))
    for length in range(1, 8):
        part = answers(run(model, processor, call(length)))
        assert torch.allclose(part, whole[:length], atol=TOLERANCE)


def test_a_call_cut_at_every_turn_gives_the_same_answers(model, processor):
    rows = call()
    whole = answers(run(model, processor, rows))
    for cut in range(1, 8):
        first = run(model, processor, pick(rows, list(range(cut))))
        second = run(model, processor, pick(rows, list(range(cut, 8))), first.state)
        parts = torch.cat([answers(first), answers(second)])
        assert torch.allclose(parts, whole, atol=TOLERANCE), cut


def test_turn_by_turn_equals_at_once(model, processor):
    rows, state, parts = call(), None, []
    for i in range(8):
        out = run(model, processor, pick(rows, [i]), state)
        state = out.state
        parts.append(answers(out))
        assert len(state.memory_key) <= model.config.context_size
    assert torch.allclose(torch.cat(parts), answers(run(model, processor, rows)), atol=TOLERANCE)


def test_two_dialogues_that_reuse_a_speaker_share_no_history(model, processor):
    first, second = call(), call(dialogue=1, seed=3)
    alone = answers(run(model, processor, second))
    state = run(model, processor, first).state
    after = answers(run(model, processor, second, state))
    assert torch.allclose(after, alone, atol=TOLERANCE)


def test_history_does_change_answers(model, processor):
    rows = call()
    with_history = run(model, processor, rows)
    without = run(model, processor, rows | {"dialogue_ids": list(range(8))})
    assert not torch.allclose(with_history.logits[6], without.logits[6], atol=1e-3)
    assert with_history.has_previous.tolist() == [False, False, True, True, True, True, True, True]
    assert not without.has_previous.any()


def test_a_reference_clip_moves_the_baseline_and_is_no_turn(model, processor):
    rows = call()
    clip = (np.random.default_rng(9).standard_normal(20_000) * 0.02).astype(np.float32)
    extra = {
        "audio": [clip],
        "text": [None],
        "text_confidence": [None],
        "dialogue_ids": [0],
        "speaker_ids": [0],
        "roles": ["customer"],
        "positions": [-1],
    }
    both = {name: extra[name] + rows[name] for name in rows}
    plain = run(model, processor, rows)
    out = run(model, processor, both | {"references": [True] + [False] * 8})
    assert not out.has_previous[1]
    assert not torch.allclose(out.logits[1], plain.logits[0], atol=1e-4)
    assert torch.allclose(out.audio_logits[2], plain.audio_logits[1], atol=TOLERANCE)


def test_samples_past_a_clips_end_are_not_heard(model, processor):
    batch = processor(**call(), sampling_rate=16_000)
    expected = model(**batch).logits
    noisy = batch["input_values"].clone()
    for row, length in enumerate(batch["audio_lengths"]):
        noisy[row, length:] = 0.5
    batch["input_values"] = noisy
    assert torch.allclose(model(**batch).logits, expected, atol=TOLERANCE)


def test_references_may_come_in_a_batch_of_their_own(model, processor):
    rows = call()
    clip = {
        "audio": [(np.random.default_rng(9).standard_normal(20_000) * 0.02).astype(np.float32)],
        "text": [None],
        "text_confidence": [None],
        "dialogue_ids": [0],
        "speaker_ids": [0],
        "roles": ["customer"],
        "positions": [-1],
    }
    together = {name: clip[name] + rows[name] for name in rows} | {"references": [True] + [False] * 8}
    state = run(model, processor, clip | {"references": [True]}).state
    apart = answers(run(model, processor, rows, state))
    assert torch.allclose(apart, answers(run(model, processor, together))[1:], atol=TOLERANCE)


def test_in_mixed_precision_the_encoders_alone_compute_in_it(model, processor):
    """Also one call at a time, since a row without sound takes another way; bfloat16 keeps 8 bits."""
    rows = call()
    for part in (rows, pick(rows, [0])):
        plain = run(model, processor, part)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = run(model, processor, part)
        assert mixed.logits.dtype == mixed.state.speaker_squares.dtype == torch.float32
        known = model.audio.num_functionals
        squares = (plain.state.speaker_squares[:, :known], mixed.state.speaker_squares[:, :known])
        assert torch.allclose(*squares, rtol=1e-5, atol=1e-5)
        assert float((plain.logits - mixed.logits).abs().max()) < 0.5
        assert not torch.equal(plain.logits, mixed.logits)
