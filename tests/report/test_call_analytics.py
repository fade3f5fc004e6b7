import json

import pytest
from examples import example_report

from mmser.report.aws import to_call_analytics
from mmser.report.rules import parse_rule


@pytest.fixture
def export():
    return to_call_analytics(example_report(rules=[parse_rule("customer anger >= 0.6")]))


def shape(value):
    """Types by key, lists by their first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


@pytest.mark.data
def test_every_field_has_the_place_and_type_it_has_in_a_real_export(data_dir, export):
    real = json.loads((data_dir / "calls/transcripts/aws_call_analytics.json").read_text())
    not_ours = {"AccountId", "IssuesDetected"}
    assert set(real) - set(export) == {"AccountId"}
    ours, theirs = shape(export), shape(real)
    for key in ("JobStatus", "LanguageCode", "Channel", "JobName", "Participants"):
        assert ours[key] == theirs[key], key
    assert set(shape(export["Transcript"][1])) == set(shape(real["Transcript"][1])) - not_ours
    assert shape(export["Transcript"][1]["Items"][0]) == shape(real["Transcript"][1]["Items"][0])
    mine, known = export["ConversationCharacteristics"], real["ConversationCharacteristics"]
    assert set(mine) == set(known)
    for key in ("TalkSpeed", "TalkTime"):
        assert shape(mine[key]) == shape(known[key])
    assert shape(mine["Interruptions"]) == shape(known["Interruptions"])
    quarter = mine["Sentiment"]["SentimentByPeriod"]["QUARTER"]["CUSTOMER"][0]
    assert shape(quarter) == shape(known["Sentiment"]["SentimentByPeriod"]["QUARTER"]["CUSTOMER"][0])
    assert set(export["Categories"]) == set(real["Categories"])


def test_times_are_whole_milliseconds(export):
    turn = export["Transcript"][1]
    assert (turn["BeginOffsetMillis"], turn["EndOffsetMillis"]) == (3600, 8200)
    found = export["ConversationCharacteristics"]
    assert found["TotalConversationDurationMillis"] == 64000
    assert found["NonTalkTime"]["Instances"] == [
        {"BeginOffsetMillis": 20000, "DurationMillis": 7500, "EndOffsetMillis": 27500}
    ]
    assert found["Interruptions"]["InterruptionsByInterrupter"]["AGENT"][0]["DurationMillis"] == 900


def test_a_withheld_agent_has_no_sentiment_anywhere_rather_than_a_neutral_one(export):
    for turn in export["Transcript"]:
        assert ("Sentiment" in turn) == (turn["ParticipantRole"] == "CUSTOMER")
    sentiment = export["ConversationCharacteristics"]["Sentiment"]
    assert set(sentiment["OverallSentiment"]) == {"CUSTOMER"}
    assert set(sentiment["SentimentByPeriod"]["QUARTER"]) == {"CUSTOMER"}
    assert set(export["ConversationCharacteristics"]["TalkTime"]["DetailsByParticipant"]) == {
        "AGENT",
        "CUSTOMER",
    }


def test_sentiment_follows_the_valence_of_the_emotion(export):
    said = {turn["Id"]: turn.get("Sentiment") for turn in export["Transcript"]}
    assert (said["t2"], said["t4"], said["t8"], said["t13"]) == ("NEUTRAL", "MIXED", "NEGATIVE", "POSITIVE")
    assert said["t10"] == "MIXED"  # abstained
    periods = export["ConversationCharacteristics"]["Sentiment"]["SentimentByPeriod"]["QUARTER"]["CUSTOMER"]
    scores = [period["Score"] for period in periods]
    assert min(scores) == scores[2] and scores[3] > 0
    assert all(-5 <= score <= 5 for score in scores)


def test_matched_rules_are_categories_with_their_places(export):
    (name,) = export["Categories"]["MatchedCategories"]
    points = export["Categories"]["MatchedDetails"][name]["PointsOfInterest"]
    assert points[0] == {"BeginOffsetMillis": 27500, "EndOffsetMillis": 31500}


def test_what_is_not_known_is_absent():
    export = to_call_analytics(example_report(recording=None, duration=None, loudness={}))
    assert "TotalConversationDurationMillis" not in export["ConversationCharacteristics"]
    assert "NonTalkTime" not in export["ConversationCharacteristics"]
    assert all("LoudnessScores" not in turn for turn in export["Transcript"])


def test_the_notice_and_the_ground_travel_with_the_export():
    assert to_call_analytics(example_report())["MmserPolicy"]["AgentReason"] is None
    policy = to_call_analytics(example_report(agent_reason="medical"))["MmserPolicy"]
    assert policy["AgentReason"] == "medical" and "not tell what anybody feels" in policy["Notice"]
