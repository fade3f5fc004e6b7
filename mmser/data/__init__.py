"""Corpora read into one schema."""

from mmser.data.examples import Example, Split
from mmser.data.speech import read_emodb, read_nemo, read_ravdess
from mmser.data.text import read_goemotions, read_meld

__all__ = ["Example", "Split", "read_emodb", "read_goemotions", "read_meld", "read_nemo", "read_ravdess"]
