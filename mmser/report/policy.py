"""Whose turns may be scored, and on what ground."""

import shlex
from collections.abc import Mapping
from typing import Final, Literal, get_args

from mmser.errors import UsageError
from mmser.labels import Role

AgentReason = Literal["medical", "safety", "research-consented"]
AGENT_REASONS: Final[tuple[AgentReason, ...]] = get_args(AgentReason)

_NOTICE: Final = (
    "This report describes perceived, expressed emotion: how people sound and speak, with its uncertainty; "
    "it does not tell what anybody feels. The EU AI Act, Art. 5(1)(f), prohibits inferring the emotions of "
    "people at work from biometric data except for medical or safety reasons, so agents' turns carry no "
    "emotion, intensity or change unless a reason is given and recorded here. {confidence} Do not base "
    "decisions about a person on it alone."
)
_CALIBRATED: Final = (
    "Confidence is calibrated on the speech that the model learned from, acted speech for the bundled one, "
    "and tends to be too high on real calls."
)
_UNCALIBRATED: Final = "This model's confidence was never calibrated, and means less than it seems to."
CLIP_NOTICE: Final = (
    "Perceived, expressed emotion, not what somebody feels; not for inferring the emotions of people at work "
    "or in education except for medical or safety reasons (EU AI Act, Art. 5(1)(f))."
)


def notice_of(calibration: Mapping[str, float]) -> str:
    """Return what every report says of itself.

    Args:
        calibration: temperature by task and modality pattern; where all of emotion are 1, nothing was fitted.
    """
    fitted = any(value != 1 for task, value in calibration.items() if task.startswith("emotion."))
    return _NOTICE.format(confidence=_CALIBRATED if fitted else _UNCALIBRATED)


def check_agent_reason(reason: str | None) -> AgentReason | None:
    """Return `reason` if it is one that lets agents' turns be scored.

    Raises:
        UsageError: if it is not one of `AGENT_REASONS`.
    """
    if reason is None:
        return None
    for allowed in AGENT_REASONS:
        if reason == allowed:
            return allowed
    raise UsageError(
        f"the reason for scoring agents is {reason!r}, which is not one of {', '.join(AGENT_REASONS)}; "
        "give one of these, or none to withhold agents' turns"
    )


def is_withheld(
    role: Role, agent_reason: str | None, *, speaker: str | None = None, channel: int | None = None
) -> str | None:
    """Return why a turn of `role` must not be scored, or None if it may be.

    Args:
        role: Role of the turn.
        agent_reason: One of `AGENT_REASONS`, or None.
        speaker: Name in the transcript, for the flag that an unknown role needs.
        channel: 0-based channel, for the same.

    Raises:
        UsageError: if `agent_reason` is not one of `AGENT_REASONS`.
    """
    reason = check_agent_reason(agent_reason)
    if role == "customer":
        return None
    if role == "agent":
        if reason is not None:
            return None
        return "withheld: agents' emotions are not inferred without a reason (EU AI Act Art. 5(1)(f))"
    if role == "system":
        return "withheld: an automatic voice, not a person"
    return f"withheld: the role is unknown; say who speaks with {role_flag(speaker, channel)}"


def role_flag(speaker: str | None, channel: int | None) -> str:
    """Return the one command-line flag that would give this speaker a role."""
    # "ch_0" is our own name for a channel: the flag that fits it lists the channels' roles in order.
    if speaker is not None and not (channel is not None and speaker == f"ch_{channel}"):
        return f"--role {shlex.quote(f'{speaker}=customer')}"
    if channel is not None:
        return "--roles, with one role for each channel in order (such as --roles agent,customer for two)"
    return "--roles customer if everybody is one, or speaker names in the transcript and --role NAME=customer"
