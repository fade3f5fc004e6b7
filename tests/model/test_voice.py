"""The pretrained speaker encoder: its features are those it was trained on, and padding changes nothing."""

import torch
import torchaudio
from model_fixtures import tiny_model

from mmser.model.acoustics_mmser import NUM_FUNCTIONALS, Acoustics, frame_lengths
from mmser.model.voice_mmser import LOUDNESS, VoiceEncoder, load_ge2e, slaney_filterbank


def made_voices() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(3, 16_000, generator=generator) * torch.tensor([0.3, 0.01, 0.1])[:, None]
    lengths = torch.tensor([16_000, 9_000, 700])
    return waves * (torch.arange(16_000) < lengths[:, None]), lengths


def test_the_filters_are_slaneys():
    theirs = torchaudio.functional.melscale_fbanks(257, 0.0, 8000.0, 40, 16_000, "slaney", "slaney")
    assert torch.allclose(slaney_filterbank(), theirs * 400 / 512, atol=1e-7)


def test_mel_power_is_near_that_of_the_publisher_and_as_loud_whatever_the_level():
    """The publisher's spectra have 400 points, ours 512: the same sound within a few percent."""
    waves, lengths = made_voices()
    encoder, acoustics = VoiceEncoder(16, 2), Acoustics()
    ours = encoder.mel(acoustics.power(waves, lengths), waves, lengths)
    loud = waves[0] * (LOUDNESS / waves[0].square().mean()).sqrt()
    publisher = torchaudio.transforms.MelSpectrogram(
        16_000, n_fft=400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney", center=False
    )(loud).T
    assert abs(ours[0].mean() / publisher.mean() - 1) < 0.02
    louder = encoder.mel(acoustics.power(10 * waves, lengths), 10 * waves, lengths)
    assert torch.allclose(ours, louder, rtol=1e-4)


def test_statistics_are_the_same_alone_and_in_a_batch():
    waves, lengths = made_voices()
    torch.manual_seed(0)
    encoder, acoustics = VoiceEncoder(16, 3).eval(), Acoustics()

    def statistics(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        mel = encoder.mel(acoustics.power(values, counts), values, counts)
        return encoder(mel, frame_lengths(counts))

    with torch.inference_mode():
        together = statistics(waves, lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = statistics(waves[row : row + 1, :length], lengths[row : row + 1])
            assert torch.allclose(together[row], alone[0], atol=1e-5)
    assert together.shape == (3, encoder.num_statistics)


def test_published_weights_are_loaded_layer_by_layer():
    torch.manual_seed(0)
    published = torch.nn.LSTM(40, 16, 3, batch_first=True)
    with torch.no_grad():
        for parameter in published.parameters():
            parameter.copy_(parameter.half())
    encoder = VoiceEncoder(16, 3)
    load_ge2e(encoder, {f"lstm.{name}": value for name, value in published.state_dict().items()})
    mel = torch.rand(2, 50, 40)
    with torch.inference_mode():
        expected, _ = published(mel)
        means = encoder(mel, torch.tensor([50, 50]))[:, 32:48]
    assert torch.allclose(means, expected.mean(1), atol=1e-6)


def test_a_model_with_a_voice_encoder_hears_more_and_round_trips(tmp_path):
    model = tiny_model(voice_size=8, voice_layers=2, functional_size=20)
    assert model.audio.num_functionals == NUM_FUNCTIONALS + 2 * 2 * 8
    assert model.config.view_size == 12 + 20
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    waves, lengths = made_voices()
    none = torch.zeros(3, 0, dtype=torch.long)
    first, second = (
        m.predict(input_values=waves, audio_lengths=lengths, input_ids=none, text_mask=none)
        for m in (model, again)
    )
    assert torch.equal(first.emotion, second.emotion)
    silent = model.predict(
        input_values=torch.zeros(1, 400),
        audio_lengths=torch.tensor([400]),
        input_ids=none[:1],
        text_mask=none[:1],
    )
    assert silent.emotion.isfinite().all()
