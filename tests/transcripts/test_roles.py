"""Names, roles, channels."""

import pytest

from mmser.errors import UsageError
from mmser.transcripts import assign_roles, read_transcript
from mmser.transcripts.names import role_of
from mmser.types import Transcript, Turn


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Agent", "agent"), ("AGENT", "agent"), ("agent_2", "agent"), ("Agent 1", "agent"),
        ("Agent #3", "agent"), ("Agent A", "agent"), ("Representative", "agent"), ("CSR", "agent"),
        ("Doe, J. (Agent)", "agent"),
        ("Customer Service Representative", "agent"), ("Supervisor", "agent"), ("Agent Maria", "agent"),
        ("Customer", "customer"), ("caller", "customer"), ("Client-2", "customer"),
        ("Customer B", "customer"), ("IVR", "system"), ("Bot", "system"),
        ("Virtual Agent", "system"), ("Hold music", "system"),
        ("Zoë Ångström", "unknown"), ("Speaker 1", "unknown"), ("spk_0", "unknown"), ("A", "unknown"),
        ("Customer Success", "unknown"), ("Agentur", "unknown"), ("", "unknown"), (None, "unknown"),
        ("Customer Maria", "unknown"), ("Customer Service", "agent"),
        ("Agent (Caller)", "agent"), ("Operator (Customer)", "agent"), ("Support (Kunde)", "agent"),
        ("Customer Service (Client)", "agent"), ("Agent 1 (Caller)", "agent"), ("Caller (Agent 2)", "agent"),
        ("Caller [Agent Maria]", "agent"), ("Agent Maria (Customer)", "agent"), ("(Caller) Agent", "agent"),
        ("Caller (Maria, agent)", "unknown"), ("Customer (IVR)", "unknown"), ("Bot (Customer)", "unknown"),
        ("Maria (Customer)", "customer"), ("Customer (Maria)", "customer"), ("Caller 1 (Client)", "customer"),
    ],
)  # fmt: skip
def test_only_names_that_state_a_role_have_one(name: str | None, role: str) -> None:
    assert role_of(name) == role


def transcript(*speakers: tuple[str | None, int | None]) -> Transcript:
    turns = tuple(
        Turn(id=f"t{n}", start=float(n), end=n + 0.5, speaker=speaker, channel=channel, text="hi")
        for n, (speaker, channel) in enumerate(speakers)
    )
    return Transcript(turns=turns, format="json")


def test_a_named_speaker_beats_the_file() -> None:
    stated = read_transcript(b"Agent: hi\nCustomer: yes\nZed: no\nZed: no\n")
    found = assign_roles(stated, roles={"Zed": "customer", "Customer": "system"})
    assert [turn.role for turn in found.turns] == ["agent", "system", "customer", "customer"]
    assert [t.role for t in assign_roles(stated, roles={}).turns] == [
        "agent",
        "customer",
        "unknown",
        "unknown",
    ]


def test_names_match_whatever_their_case_and_by_number_or_channel() -> None:
    speakers = transcript(("Speaker 0", 0), (None, 1))
    found = assign_roles(speakers, roles={"0": "agent", "CH_1": "customer"})
    assert [turn.role for turn in found.turns] == ["agent", "customer"]


def test_an_absent_speaker_is_a_usage_error_that_lists_those_found() -> None:
    with pytest.raises(UsageError, match=r"spk_7.*spk_0, spk_1"):
        assign_roles(transcript(("spk_0", None), ("spk_1", None)), roles={"spk_7": "customer"})
    with pytest.raises(UsageError, match="boss"):
        assign_roles(transcript(("spk_0", None)), roles={"spk_0": "boss"})  # type: ignore[dict-item]


def test_agents_customers_and_bots_of_a_transferred_call_stay_apart() -> None:
    text = (
        b"IVR: Welcome.\nAgent 1: Hello.\nCustomer 1: Hi.\nHold: (music)\n"
        b"Agent 2: I take over.\nCustomer 2: Me too.\n"
    )
    turns = read_transcript(text).turns
    assert len({turn.speaker for turn in turns}) == 6
    assert [turn.role for turn in turns] == ["system", "agent", "customer", "system", "agent", "customer"]
