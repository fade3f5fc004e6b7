"""A call report → a transcript that mmser reads again: who said what, when, in which role."""

from typing import Final

from mmser.talks import BACKCHANNEL, DROPPED, OVERLAP, UNRECOGNISED
from mmser.transcripts import write_json
from mmser.types import CallReport, Transcript, Turn, TurnReport

# The others speak of one analysis (a part that was cut, a language that was not read), not of the words.
KEPT_FLAGS: Final = ("times_estimated", OVERLAP, BACKCHANNEL, UNRECOGNISED)


def to_transcript(report: CallReport) -> str:
    """Return `mmser.transcript/1` with the turns of a report: no answer of the model is in it."""
    read = report.transcript
    return write_json(
        Transcript(
            turns=tuple(_turn(turn) for turn in report.turns),
            format="listening" if read is None else read.format,
            times="given" if read is None else read.times,
            language=None if read is None else read.language,
            recognition=report.recognition,
            redaction=report.redaction,
        )
    )


def _turn(turn: TurnReport) -> Turn:
    return Turn(
        id=turn.id,
        start=turn.start,
        end=turn.end,
        channel=turn.channel,
        speaker=turn.speaker,
        role=turn.role,
        text=turn.text,
        words=turn.words,
        flags=tuple(flag for flag in turn.flags if flag in KEPT_FLAGS or flag.startswith(DROPPED)),
    )
