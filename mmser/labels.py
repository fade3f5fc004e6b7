"""The label order, the roles and the valence table: one home for each."""

from typing import Final, Literal, get_args

Role = Literal["agent", "customer", "system", "unknown"]
Direction = Literal["worse", "better", "lateral"]
IntensityLevel = Literal["low", "medium", "high"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
INTENSITY_LEVELS: Final[tuple[IntensityLevel, ...]] = get_args(IntensityLevel)

EMOTIONS: Final = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")

# Surprise is None: it can be pleasant or not, so a shift to or from it has no direction by itself.
VALENCE: Final[dict[str, int | None]] = {
    "anger": -1,
    "disgust": -1,
    "fear": -1,
    "sadness": -1,
    "neutral": 0,
    "happiness": 1,
    "surprise": None,
}


def direction_of(before: str, after: str) -> Direction | None:
    """Return the direction of a shift between two emotions, or None without a shift or a valence.

    Raises:
        KeyError: if a label is not in `EMOTIONS`.
    """
    if before == after:
        return None
    old, new = VALENCE[before], VALENCE[after]
    if old is None or new is None:
        return None
    if new == old:
        return "lateral"
    return "better" if new > old else "worse"
