import pytest
from examples import example_predictions, example_report, example_turns, prediction

from mmser.errors import UsageError
from mmser.report.policy import AGENT_REASONS, is_withheld, notice_of


def test_customers_are_never_withheld_and_systems_always():
    assert is_withheld("customer", None) is None
    for reason in (None, *AGENT_REASONS):
        assert "automatic voice" in is_withheld("system", reason)


@pytest.mark.parametrize("reason", AGENT_REASONS)
def test_agents_are_withheld_unless_a_reason_is_given(reason):
    assert "withheld" in is_withheld("agent", None)
    assert is_withheld("agent", reason) is None


def test_a_reason_that_is_not_allowed_is_a_usage_error():
    with pytest.raises(UsageError, match=r"'curiosity'.*medical, safety, research-consented"):
        is_withheld("agent", "curiosity")


@pytest.mark.parametrize(
    ("speaker", "channel", "flag"),
    [
        ("spk_0", None, "--role spk_0=customer"),
        ("Speaker 1", 1, "--role 'Speaker 1=customer'"),
        (None, 0, "--roles agent,customer"),
        ("ch_1", 1, "--roles agent,customer"),
    ],
)
def test_an_unknown_role_names_the_flag_that_fixes_it(speaker, channel, flag):
    for reason in (None, "medical"):
        assert flag in is_withheld("unknown", reason, speaker=speaker, channel=channel)


def test_agents_carry_no_emotion_intensity_or_change_but_talk_time_and_speed():
    report = example_report()
    for turn in report.turns:
        if turn.role == "agent":
            assert (turn.emotion, turn.intensity, turn.change) == (None, None, None)
            assert (turn.audio_only, turn.text_only, turn.windows, turn.modalities) == (None, None, (), ())
            assert "Art. 5(1)(f)" in turn.reasons["emotion"]
            assert turn.words_per_minute > 0
    agent = report.roles[0]
    assert (agent.role, agent.num_scored, agent.shares, agent.quarters, agent.deltas) == (
        "agent",
        0,
        None,
        (),
        (),
    )
    assert agent.talk_time > 0
    assert report.policy.withheld_turns == {"agent": 7}
    assert report.policy.agent_reason is None


def test_a_prediction_for_a_withheld_turn_is_refused():
    with pytest.raises(ValueError, match=r"'t1'.*withheld"):
        example_report(predictions=(*example_predictions(), prediction("t1", "neutral", 0.9)))


def test_a_reason_scores_agents_and_is_recorded():
    report = example_report(agent_reason="research-consented")
    assert all(turn.emotion is not None for turn in report.turns)
    assert report.policy.agent_reason == "research-consented"
    assert report.policy.withheld_turns == {}


def test_a_turn_that_may_be_scored_needs_a_prediction_or_a_reason():
    rest = example_predictions()[1:]
    with pytest.raises(ValueError, match="'t2'"):
        example_report(predictions=rest)
    report = example_report(predictions=rest, unscored={"t2": "no audio and no readable text"})
    assert report.turns[1].reasons["emotion"] == "no audio and no readable text"
    assert len(report.turns) == len(example_turns())


def test_a_model_that_was_never_calibrated_is_not_said_to_be():
    plain = {"emotion.fused": 1.0, "emotion.audio": 1.0, "change.text": 0.7}
    assert "never calibrated" in notice_of(plain) and "never calibrated" in notice_of({})
    said = notice_of(plain | {"emotion.audio": 0.9})
    assert "Confidence is calibrated on the speech" in said and "never" not in said
