"""One sentence, in plain words, that says what a report found; computed, never written by a model."""

from mmser.report.palette import UNCERTAIN
from mmser.report.shown import clock, strongest
from mmser.types import CallReport, RoleSummary, TurnReport

_ADJECTIVES = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}


def spoken_duration(seconds: float) -> str:
    """Return a duration as people say it: "4 min 5 s", "2 h 10 min", "0.8 s"."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole % 3600 // 60 else f"{whole // 3600} h"


def summary_sentence(report: CallReport) -> str:
    """Return one sentence: what the call is, how each scored role came across, what was withheld."""
    clauses = [_course(report, role) for role in report.roles if role.num_scored][:2]
    withheld = _withheld(report)
    if not clauses:
        clauses = ["no turn carries an emotion"]
    return f"{_opening(report)}: {'; '.join([*clauses, *withheld])}."


def _opening(report: CallReport) -> str:
    roles = [_counted(role) for role in report.roles]
    between = ""
    if len(roles) == 1:
        between = f" with {roles[0]}"
    elif roles:
        between = f" between {', '.join(roles[:-1])} and {roles[-1]}"
    if report.part:
        return f"{spoken_duration(report.part[1] - report.part[0])} of a call{between}"
    if report.recording:
        return f"A call of {spoken_duration(report.recording.duration)}{between}"
    return f"The words of a call of {len(report.turns):,} turns{between}"


def _counted(role: RoleSummary) -> str:
    name = {"unknown": "speaker of unknown role", "system": "automatic voice"}.get(role.role, role.role)
    count = len(role.speakers)
    if count > 1:
        return f"{count} {'speakers of unknown role' if role.role == 'unknown' else name + 's'}"
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _course(report: CallReport, role: RoleSummary) -> str:
    turns = [turn for turn in report.turns if turn.role == role.role]
    found = [_mostly(role), _strongest(turns), _moves(report, role), _trend(role)]
    parts = [part for part in found if part]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    subject = "the speaker of unknown role" if role.role == "unknown" else f"the {role.role}"
    return f"{subject} {listed}"


def _mostly(role: RoleSummary) -> str:
    if not role.shares:
        return f"carries an emotion on {role.num_scored:,} of {role.num_turns:,} turns"
    label, share = max(role.shares.items(), key=lambda item: item[1])
    measure = "scored talk time" if role.talk_time is not None else "scored turns"
    if label == UNCERTAIN:
        return f"was most often too uncertain to call ({share:.0%} of {measure})"
    often = "mostly" if share > 0.5 else "most often"
    return f"came across as {often} {_ADJECTIVES.get(label, label)} ({share:.0%} of {measure})"


def _strongest(turns: list[TurnReport]) -> str:
    positions = strongest(turns, 1)
    if not positions:
        return ""
    turn = turns[positions[0]]
    label = turn.emotion.top if turn.emotion else UNCERTAIN
    where = f"at {clock(turn.start)}" if turn.start is not None else f"in turn {turn.id}"
    return f"stood out most {where} ({label})"


def _moves(report: CallReport, role: RoleSummary) -> str:
    moves = [point for point in report.change_points if point.role == role.role]
    if not moves:
        return "did not visibly shift"
    worse = sum(point.direction == "worse" for point in moves)
    better = sum(point.direction == "better" for point in moves)
    times = {1: "once", 2: "twice"}.get(len(moves), f"{len(moves):,} times")
    ways = [f"{count:,} for the {way}" for count, way in ((worse, "worse"), (better, "better")) if count]
    if len(moves) == 1 and ways:
        ways = [ways[0].removeprefix("1 ")]
    return f"shifted {times}" + (f" ({', '.join(ways)})" if ways else "")


def _trend(role: RoleSummary) -> str:
    """The largest change from first to last quarter whose interval leaves zero out."""
    clear = [delta for delta in role.deltas if delta.low > 0 or delta.high < 0]
    if not clear:
        return ""
    delta = max(clear, key=lambda d: abs(d.value))
    way = "more" if delta.value > 0 else "less"
    signed = f"{delta.value:+.2f}".replace("-", "−")
    what = "of a neutral tone" if delta.emotion == "neutral" else delta.emotion
    return f"ended with {way} {what} than at first (mean probability {signed})"


def _withheld(report: CallReport) -> list[str]:
    counts = [(role, count) for role, count in report.policy.withheld_turns.items() if count]
    if not counts:
        return []
    named = [
        f"{count:,} {'turn' if count == 1 else 'turns'} of unknown role"
        if role == "unknown"
        else f"{count:,} {role} {'turn' if count == 1 else 'turns'}"
        for role, count in counts
    ]
    verb = "was" if sum(count for _, count in counts) == 1 else "were"
    return [f"{' and '.join(named)} {verb} withheld by policy"]
