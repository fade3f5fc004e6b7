"""Which channel each turn is on, and whose role that gives it; channels are never mixed."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from mmser.audio import AudioSource
from mmser.errors import UsageError
from mmser.labels import ROLES, Role
from mmser.types import Seconds, Turn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Waveform = npt.NDArray[np.float32]

PROBE_TURNS = 12  # turns of a speaker that are listened to, the longest ones
PROBE_SECONDS = 5.0  # of each
CLEAR_DECIBELS = 6.0  # a smaller difference between channels does not tell whose role it is
PLACE_UNSURE_FLAG = "place_unsure"
ADVICE = "name speakers with --role and channels with --roles to be sure"
EACH_PLACED = f"turns without a speaker were each put on the channel where they are louder; {ADVICE}"


class ReadSound(Protocol):
    """Reads (samples,) float32 at the model's rate from one channel, times in seconds."""

    def __call__(self, start: Seconds, end: Seconds, channel: int) -> "Waveform":  # noqa: D102
        ...


def check_channel_roles(channel_roles: Sequence[Role] | None, num_channels: int | None) -> None:
    """Refuse roles that do not fit the recording.

    Raises:
        UsageError: if a role is not one of `ROLES`, or their number is not that of the channels.
    """
    if channel_roles is None:
        return
    for role in channel_roles:
        if role not in ROLES:
            raise UsageError(f"{role!r} is not a role; roles are {', '.join(ROLES)}")
    if num_channels is not None and len(channel_roles) != num_channels:
        plural = "s" if num_channels != 1 else ""
        raise UsageError(
            f"--roles names {len(channel_roles)} channels ({','.join(channel_roles)}), but the recording has "
            f"{num_channels} channel{plural}; give one role for each channel, or name speakers with --role"
        )


def roles_by_channel(turns: Iterable[Turn], channel_roles: Sequence[Role] | None) -> tuple[Turn, ...]:
    """Give turns whose role is unknown the role of their channel, where both are stated."""
    return tuple(
        dataclasses.replace(turn, role=channel_roles[turn.channel])
        if channel_roles
        and turn.role == "unknown"
        and turn.channel is not None
        and turn.channel < len(channel_roles)
        else turn
        for turn in turns
    )


def place_on_channels(
    turns: Sequence[Turn], *, num_channels: int, channel_roles: Sequence[Role] | None, read: ReadSound
) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Find each turn's channel: by role if that is clear, else as stated, else where its speaker is louder.

    Args:
        turns: turns whose roles by name are already known.
        num_channels: of the recording.
        channel_roles: one role for each channel, where the user gave them.
        read: reads the recording.

    Returns:
        The turns with channels, and roles from them where the channel's is known; and warnings.

    Raises:
        UsageError: if one role is given for one channel on which several unnamed speakers are, or a customer
            speaks and no channel is left for one.
    """
    _check_customers(turns, channel_roles)
    if num_channels == 1:
        return _on_one_channel(turns, channel_roles), ()
    warnings: dict[str, None] = {}
    found: dict[str | None, tuple[int, float]] = {}
    apart = len({turn.speaker for turn in turns}) > 1
    placed = []
    for turn in turns:
        wanted = _channels_of(turn, channel_roles or ())
        stated = turn.channel if turn.channel is not None and turn.channel < num_channels else None
        if turn.role == "customer" and len(wanted) > 1 and stated not in wanted:
            stated = None  # the file says an agent's channel; the customers' own are compared instead
        if len(wanted) == 1:
            if stated is not None and stated != wanted[0]:
                warnings[
                    f"the transcript puts {_name(turn)} on channel {stated}, but --roles gives {turn.role} "
                    f"to channel {wanted[0]}, which was used"
                ] = None
            placed.append(dataclasses.replace(turn, channel=wanted[0]))
        elif stated is not None:
            placed += roles_by_channel([turn], channel_roles)
        elif turn.start is None or turn.end is None:
            placed.append(dataclasses.replace(turn, channel=None))
        else:
            candidates = wanted or list(range(num_channels))
            # One label of no known role for all of the call tells nobody apart, as none does.
            alone = turn.speaker is None or (turn.role == "unknown" and not apart)
            placed.append(_by_loudness(turn, alone, turns, candidates, channel_roles, read, found, warnings))
    return tuple(placed), tuple(warnings)


def flag_unsure_places(turns: Sequence[Turn], twins: tuple[int, int] | None) -> tuple[Turn, ...]:
    """Mark turns of estimated times on a channel that others share: what sounds there may be another's voice.

    Args:
        turns: turns with channels.
        twins: two channels that hold the same sound, if there are such.
    """

    def line(turn: Turn) -> int | None:
        return min(twins) if twins and turn.channel in twins else turn.channel

    speakers: dict[int | None, set[tuple[str, str | None]]] = {}
    for turn in turns:
        speakers.setdefault(line(turn), set()).add((turn.role, turn.speaker))
    return tuple(
        dataclasses.replace(turn, flags=(*turn.flags, PLACE_UNSURE_FLAG))
        if turn.channel is not None and "times_estimated" in turn.flags and len(speakers[line(turn)]) > 1
        else turn
        for turn in turns
    )


def _check_customers(turns: Sequence[Turn], channel_roles: Sequence[Role] | None) -> None:
    """Refuse to judge the sound of an agent's channel as a customer's."""
    if not channel_roles or {"customer", "unknown"} & set(channel_roles):
        return
    turn = next((turn for turn in turns if turn.role == "customer"), None)
    if turn is not None:
        raise UsageError(
            f"the transcript has {_name(turn)} as a customer, but --roles {','.join(channel_roles)} leaves "
            "no channel for one; correct --roles, or say who speaks with --role SPEAKER=ROLE"
        )


def _channels_of(turn: Turn, channel_roles: Sequence[Role]) -> list[int]:
    """Return the channels on which a turn's role puts it; none where the role does not tell."""
    if turn.role == "unknown":
        return []
    own = [number for number, role in enumerate(channel_roles) if role == turn.role]
    if own or turn.role != "customer":
        return own
    # Never an agent's: its sound would be judged as the customer's.
    return [number for number, role in enumerate(channel_roles) if role == "unknown"]


def _on_one_channel(turns: Sequence[Turn], channel_roles: Sequence[Role] | None) -> tuple[Turn, ...]:
    if channel_roles:
        unnamed = sorted({turn.speaker for turn in turns if turn.role == "unknown" and turn.speaker})
        speakers = {turn.speaker for turn in turns}
        if unnamed and len(speakers) > 1:
            raise UsageError(
                f"--roles {channel_roles[0]} names the only channel, but {len(speakers)} speakers are on it; "
                f"say who is who instead: {' '.join(f'--role {name!r}=ROLE' for name in unnamed[:4])}"
            )
    return roles_by_channel((dataclasses.replace(turn, channel=0) for turn in turns), channel_roles)


def _by_loudness(
    turn: Turn,
    alone: bool,
    turns: Sequence[Turn],
    candidates: list[int],
    channel_roles: Sequence[Role] | None,
    read: ReadSound,
    found: dict[str | None, tuple[int, float]],
    warnings: dict[str, None],
) -> Turn:
    """Place a turn where it (`alone`) or its speaker is louder; a doubtful difference gives it no role."""
    if alone:
        channel, lead = _louder(_power([turn], candidates, read))
    else:
        if turn.speaker not in found:
            own = [other for other in turns if other.speaker == turn.speaker and other.start is not None]
            found[turn.speaker] = _louder(_power(own, candidates, read))
        channel, lead = found[turn.speaker]
    clear = lead >= CLEAR_DECIBELS
    known = turn.role != "unknown"
    role = channel_roles[channel] if channel_roles and clear and not known else turn.role
    unknown = not known and channel_roles is not None
    warnings[EACH_PLACED if alone else _how_placed(turn, channel, lead, unknown=unknown)] = None
    if not clear and not known:
        # A doubtful channel must not decide who may be scored.
        return dataclasses.replace(turn, channel=channel, flags=(*turn.flags, "channel_doubtful"))
    return dataclasses.replace(turn, channel=channel, role=role)


def _name(turn: Turn) -> str:
    return "speech without a speaker" if turn.speaker is None else f"speaker {turn.speaker!r}"


def _how_placed(turn: Turn, channel: int, lead: float, *, unknown: bool) -> str:
    if lead >= CLEAR_DECIBELS:
        how = f"is louder by {min(lead, 99):.0f} dB"
    else:
        how = "is hardly louder than on another" + (", so the role stays unknown" if unknown else "")
    return f"{_name(turn)} was put on channel {channel}, where it {how}; {ADVICE}"


def _power(turns: list[Turn], candidates: list[int], read: ReadSound) -> dict[int, float]:
    """Mean square of each candidate channel over the longest of the turns."""
    import numpy as np

    def length(turn: Turn) -> float:
        return (turn.end or 0.0) - (turn.start or 0.0)

    power = dict.fromkeys(candidates, 0.0)
    for turn in sorted(turns, key=length, reverse=True)[:PROBE_TURNS]:
        assert turn.start is not None
        end = turn.start + min(length(turn), PROBE_SECONDS)
        for channel in candidates:
            power[channel] += float(np.square(read(turn.start, end, channel), dtype=np.float64).sum())
    return power


def _louder(power: dict[int, float]) -> tuple[int, float]:
    """Return the loudest channel and its lead over the next, in dB."""
    (best, most), (_, next_most) = sorted(power.items(), key=lambda item: -item[1])[:2]
    if most == 0:
        return best, 0.0
    return best, math.inf if next_most == 0 else 10 * math.log10(most / next_most)


def louder_channel(source: AudioSource) -> tuple[int, float]:
    """Return the loudest channel of a recording and its lead over the next, in dB."""
    if source.num_channels == 1:
        return 0, math.inf
    import numpy as np

    energy = np.zeros(source.num_channels)
    for _, block in source.blocks():
        energy += np.square(block, dtype=np.float64).sum(axis=1)
    return _louder(dict(enumerate(energy.tolist())))
