"""What a training took, as the card says it."""

from pathlib import Path

from mmser.publishing.about import About


def training_cost(folder: Path, about: About) -> str:
    """Return time and energy in a sentence or two; what nobody measured is said to be unknown."""
    if about.energy_kwh is not None:
        return f"Energy, as its publisher measured it: {about.energy_kwh:g} kWh."
    if about.training is not None:
        return "Its energy was not measured."
    return "Neither the time nor the energy of its training was recorded."
