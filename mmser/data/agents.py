"""Agents' turns on calls: words alone, unless a reason is stated."""

from collections.abc import Sequence
from typing import Any

from datasets import Dataset

from mmser.data.corpora import CorpusEntry

_HELD = ("audio", "emotion", "intensity", "change", "valence")


def withhold_agents(dataset: Dataset, entries: Sequence[CorpusEntry]) -> tuple[Dataset, int]:
    """Leave agents' turns their words alone, as in use, but on calls that state a reason.

    Args:
        dataset: with `FEATURES`.
        entries: what it was read from; their `agent_reason` is the one that is stated.

    Returns:
        The rows, and of how many something was taken.
    """
    allowed = {entry.name or entry.corpus for entry in entries if entry.agent_reason is not None}
    agents = [
        role == "agent" and corpus not in allowed
        for role, corpus in zip(dataset["role"], dataset["corpus"], strict=True)
    ]
    if not any(agents):
        return dataset, 0

    def withheld(row: dict[str, Any], index: int) -> dict[str, Any]:
        return dict.fromkeys(_HELD) if agents[index] else {}

    # What an empty list of emotions takes from a row is nothing.
    some = dataset.select([i for i, agent in enumerate(agents) if agent])
    told = sum(any(row[name] not in (None, []) for name in _HELD) for row in some)
    dataset = dataset.map(withheld, with_indices=True, features=dataset.features, load_from_cache_file=False)
    return (
        dataset.filter(
            lambda text, audio: text is not None or audio is not None, input_columns=["text", "audio"]
        ),
        told,
    )
