"""The call as a whole: who held the floor, and for how long nobody did."""

from collections.abc import Sequence

import numpy as np

from mmser.report.clock import CallClock, turn_edges
from mmser.report.timing import find_interruptions, overlap_total, union
from mmser.report.turns import ESTIMATED
from mmser.types import Conversation, TranscriptInfo, Turn, TurnReport


def measure_conversation(
    turns: Sequence[Turn],
    reports: Sequence[TurnReport],
    transcript: TranscriptInfo | None,
    clock: CallClock,
) -> Conversation:
    """Return talk, silence, overlap and interruptions; every None has its reason."""
    if not clock.timed:
        fields = ("talk_time", "non_talk", "longest_silence", "overlap", "interruptions")
        return Conversation(
            talk_time=None,
            non_talk=None,
            longest_silence=None,
            overlap=None,
            interruptions=(),
            reasons=dict.fromkeys(fields, clock.untimed_reason),
        )
    starts, ends = turn_edges(reports, clock)
    spans, reasons = union(starts, ends), {}
    talk, end = spans.total(), clock.end if clock.end_known else None
    if end is None:
        reasons["non_talk"] = "the length of the call is not known"
    if end is None and not len(spans.starts):
        reasons["longest_silence"] = "the length of the call is not known"
    # Placed turns tell roughly who spoke when, but not who cut in on whom.
    estimated = (transcript is not None and transcript.times == "estimated") or all(
        ESTIMATED in turn.flags for turn in turns
    )
    if estimated:
        reasons |= dict.fromkeys(("overlap", "interruptions"), "turn times are estimated")
    names: dict[str, int] = {}
    speakers = np.array([names.setdefault(turn.speaker_key, len(names)) for turn in turns], np.int64)
    silence = spans.longest_gap(clock.start, end)
    return Conversation(
        talk_time=talk / 1000,
        non_talk=None if end is None else (end - clock.start - talk) / 1000,
        longest_silence=None if "longest_silence" in reasons else silence / 1000,
        overlap=None if estimated else overlap_total(starts, ends, speakers) / 1000,
        interruptions=() if estimated else find_interruptions(turns),
        reasons=reasons,
    )
