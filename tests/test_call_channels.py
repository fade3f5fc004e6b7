"""Who is on which channel, and calls that contradict themselves."""

from pathlib import Path

import pytest

from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.pipeline import EmotionPipeline
from mmser.types import Transcript, Turn
from tests.call_fixtures import VTT, agent_voice, customer_voice, wav_bytes

# --- channels ---------------------------------------------------------------------------------------


def test_unnamed_speakers_find_their_channel_by_loudness_with_a_warning(pipeline: EmotionPipeline, report):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    stereo = wav_bytes(agent_voice(), customer_voice())
    found = pipeline(stereo, transcript=text.encode(), roles=("agent", "customer"))
    assert [turn.channel for turn in found.turns] == [turn.channel for turn in report.turns]
    assert [turn.role for turn in found.turns] == [turn.role for turn in report.turns]
    assert any("'spk_0'" in warning and "louder" in warning for warning in found.warnings)


def test_channels_alike_give_no_unnamed_speaker_a_role(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    both = agent_voice() + customer_voice()
    found = pipeline(wav_bytes(both, both), transcript=text.encode(), roles=("agent", "customer"))
    assert {turn.role for turn in found.turns} == {"unknown"}
    assert all(turn.emotion is None for turn in found.turns)
    assert any("same sound" in warning for warning in found.warnings)


def test_channels_alike_never_tell_the_parties_apart_by_ear(pipeline: EmotionPipeline):
    """Mono saved as stereo: the agent's voice is on the customer's channel too."""
    both = agent_voice() + customer_voice()
    with pytest.raises(AudioError, match=r"same sound.*--transcript"):
        pipeline(wav_bytes(both, both), transcribe=False, roles=("agent", "customer"))


def test_a_role_goes_before_the_channel_that_the_transcript_states(pipeline: EmotionPipeline):
    turn = Turn(id="t1", start=2.0, end=3.5, channel=0, speaker="Customer", role="customer", text="no")
    stereo = wav_bytes(agent_voice(), customer_voice())
    report = pipeline(
        stereo, transcript=Transcript(turns=(turn,), format="made"), roles=("agent", "customer")
    )
    assert report.turns[0].channel == 1 and report.turns[0].loudness_dbfs is not None
    assert any("channel 0" in warning for warning in report.warnings)


def test_turns_without_speakers_go_to_the_louder_channel(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "").replace("<v Customer>", "").replace("</v>", "")
    stereo = wav_bytes(agent_voice(), customer_voice())
    report = pipeline(stereo, transcript=text.encode(), roles=("agent", "customer"))
    assert [turn.role for turn in report.turns] == ["agent", "customer", "agent", "customer", "customer"]


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transcript": VTT.encode(), "roles": ("agent", "customer", "system")}, "3 channels"),
        ({"transcript": VTT.encode(), "roles": ("agent", "boss")}, "'boss' is not a role"),
        ({"transcript": VTT.encode(), "roles": "agent"}, "give a sequence"),
        ({"transcript": VTT.encode(), "agent_reason": "curiosity"}, "'curiosity'"),
        ({"transcript": VTT.encode(), "speaker_roles": {"spk_9": "customer"}}, "spk_9"),
        ({"transcript": VTT.encode(), "start": 9.0, "end": 12.0}, "does not lie within"),
    ],
)
def test_a_call_that_contradicts_itself_is_refused(
    pipeline: EmotionPipeline, call: tuple[Path, Path], options: dict, message: str
):
    with pytest.raises(UsageError, match=message):
        pipeline(call[0], **options)


def test_nothing_to_analyse_is_refused(pipeline: EmotionPipeline):
    with pytest.raises(UsageError, match="nothing to analyse"):
        pipeline(None)


def test_channel_roles_without_channels_are_refused(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>")
    with pytest.raises(UsageError, match="name speakers with --role"):
        pipeline(None, transcript=text.encode(), roles=("agent", "customer"))


def test_one_role_for_a_channel_that_several_share_is_refused(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    with pytest.raises(UsageError, match="2 speakers are on it"):
        pipeline(wav_bytes(customer_voice()), transcript=text.encode(), roles=("customer",))


def test_a_transcript_without_turns_is_refused(pipeline: EmotionPipeline):
    with pytest.raises(TranscriptError):
        pipeline(None, transcript=Transcript(turns=(), format="made"))
