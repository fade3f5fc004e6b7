"""What is said of many calls: the document `mmser.summary/1`. Agents are never ranked nor compared."""

from dataclasses import dataclass, field
from typing import Final, Literal

from mmser.labels import Role
from mmser.record import Record

SCHEMA: Final = "mmser.summary/1"
FEWEST: Final = 5  # calls; of fewer no interval is given


@dataclass(frozen=True, kw_only=True)
class Estimate(Record):
    """One number with its 95 % interval over calls."""

    value: float | None  # None where there is no call to take it from
    low: float | None = None  # None with fewer than `FEWEST` calls, or where all calls say the same
    high: float | None = None
    calls: int  # it is taken from


@dataclass(frozen=True, kw_only=True)
class RoleTotals(Record):
    """Turns and talk of one role over all calls; for agents too it is never divided further."""

    role: Role
    calls: int  # in which the role speaks
    turns: int
    scored: int  # turns with an emotion, those on which the model abstained among them
    abstained: int
    withheld: int  # turns that policy leaves without an emotion
    unanswered: int  # turns that could have had one and have none: too short, no sound and no words
    talk_hours: float | None
    talk_share: float | None  # of all roles' talk time
    words_per_minute: float | None  # mean over calls, weighted by talk time
    interruptions: int | None


@dataclass(frozen=True, kw_only=True)
class LabelShare(Record):
    """The share of scored talk time that carries one emotion; "uncertain" where the model abstained."""

    label: str
    share: Estimate


@dataclass(frozen=True, kw_only=True)
class RoleShares(Record):
    """Emotions of one role, over the scored talk time of all calls."""

    role: Role
    calls: int  # with scored talk time
    untimed: int  # scored, but without times: in no share
    hours: float  # of scored talk
    labels: tuple[LabelShare, ...]  # the model's order, "uncertain" last
    negative: Estimate  # anger, disgust, fear and sadness together
    positive: Estimate


@dataclass(frozen=True, kw_only=True)
class Talk(Record):
    """The course of conversation over all calls."""

    non_talk: Estimate  # share of the calls' duration in which nobody speaks
    overlap: Estimate  # share of the calls' duration in which several speak
    interruptions: Estimate  # a call
    longest_silence: float | None  # median over calls, seconds


@dataclass(frozen=True, kw_only=True)
class Week(Record):
    """Customers in one ISO week."""

    week: str  # "2026-W01"
    monday: str  # ISO 8601 date
    calls: int
    negative: Estimate  # share of scored talk time
    anger: Estimate
    escalation: Estimate  # mean over calls: negativity of the last quarter minus that of the first


@dataclass(frozen=True, kw_only=True)
class Trend(Record):
    """Weeks in order, those without a call among them."""

    column: str | None  # the dates are from
    weeks: tuple[Week, ...] = ()
    why_none: str | None = None  # one sentence, where there is no trend
    undated: int = 0  # calls without a date
    unreadable: int = 0  # calls whose date is not understood
    unreadable_example: str | None = None
    outside: int = 0  # calls too far from the others to be drawn


@dataclass(frozen=True, kw_only=True)
class EscalatedCall(Record):
    """One call whose customer sounds more negative in the last quarter than in the first."""

    id: str
    date: str | None
    duration: float | None  # seconds
    escalation: float  # last minus first
    negative_first: float | None  # mean probability of negative emotions, in [0, 1]
    negative_last: float | None
    anger_delta: float | None
    anger_low: float | None
    anger_high: float | None
    clear: bool | None  # whether the interval of anger leaves 0 out; None without an interval
    link: str | None = None  # from the summary to the call's report


@dataclass(frozen=True, kw_only=True)
class Escalation(Record):
    """How customers' negativity moves within calls, and the calls in which it rises most."""

    mean: Estimate  # last quarter minus first
    rising: int  # calls in which it is over 0
    clear: int  # calls in which the interval of anger lies above 0
    with_interval: int  # calls in which anger has an interval
    top: tuple[EscalatedCall, ...]


@dataclass(frozen=True, kw_only=True)
class RuleHits(Record):
    """One rule: how many calls it matched."""

    rule: str
    calls: int
    share: Estimate  # of all calls, Wilson's interval
    ids: tuple[str, ...]  # the most escalated first; not all where there are many


@dataclass(frozen=True, kw_only=True)
class Group(Record):
    """The calls that have one value in a column of the user's; customers only."""

    name: str  # "(none)" where the column is empty
    pooled: int = 0  # how many small groups are taken together here; 0 = one group
    calls: int
    hours: float | None
    negative: Estimate
    positive: Estimate
    uncertain: Estimate
    escalation: Estimate
    non_talk: Estimate
    any_rule: Estimate  # share of calls that a rule matched
    rule_calls: dict[str, int] = field(default_factory=dict)
    differs: Literal["higher", "lower"] | None = None  # share negative, against all other calls
    p: float | None = None  # of no difference, corrected for the number of groups; None = not tested


@dataclass(frozen=True, kw_only=True)
class GroupTable(Record):
    """One column's groups, the largest first."""

    column: str
    distinct: int  # values, "(none)" among them
    tested: int  # groups that were tested against the others
    groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class ArchiveSummary(Record):
    """The document `mmser.summary/1`."""

    schema: str = SCHEMA
    mmser_version: str
    source: str  # name of the batch's folder
    models: tuple[str, ...]  # id and revision; several where parts differ; () where the tables do not say
    notices: tuple[str, ...]
    calls: int
    duplicates: int  # calls that are left out: the same recording under another id
    failed: int | None  # calls that could not be analysed; None where the folder has no record of it
    without_sound: int  # calls of words alone
    hours: float | None
    first: str | None  # ISO 8601 dates
    last: str | None
    columns: tuple[str, ...]  # the user's
    roles: tuple[RoleTotals, ...]
    shares: tuple[RoleShares, ...]
    talk: Talk
    trend: Trend
    escalation: Escalation
    rules: tuple[RuleHits, ...]
    any_rule: Estimate
    tables: tuple[GroupTable, ...]
    min_calls: int  # of a group that is shown by itself
    seed: int
    draws: int
    warnings: tuple[str, ...]
