"""mmser: how the people on a recorded call sound and speak, turn by turn."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmser.pipeline import EmotionPipeline

__version__ = "0.1.0"
__all__ = ["EmotionPipeline", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the pipeline on first use, so that `mmser --help` need not wait for torch."""
    if name == "EmotionPipeline":
        from mmser.pipeline import EmotionPipeline

        return EmotionPipeline
    raise AttributeError(f"module 'mmser' has no attribute {name!r}")
