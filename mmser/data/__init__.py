"""Corpora read into one schema."""

from mmser.data.agents import withhold_agents
from mmser.data.calls import read_calls
from mmser.data.changes import with_change
from mmser.data.corpora import CORPORA, CorpusEntry, load_corpora
from mmser.data.crema_d import read_crema_d
from mmser.data.hub import hub_cameo, hub_crema_d, hub_emodb, hub_iemocap, hub_ravdess
from mmser.data.iemocap import read_iemocap
from mmser.data.licences import LICENCES, Licence, joint_licence, require_commercial
from mmser.data.manifest import read_audio_folder, read_manifest
from mmser.data.meld import read_meld
from mmser.data.mosei import read_cmu_mosei
from mmser.data.msp_podcast import read_msp_podcast
from mmser.data.schema import FEATURES, Example, Split, example_of, examples_of, to_dataset
from mmser.data.sound_check import check_audio
from mmser.data.speech import read_emodb, read_emovo, read_nemo, read_ravdess
from mmser.data.splits import Splits
from mmser.data.text import read_emobank, read_goemotions, read_semeval_ei

__all__ = [
    "CORPORA",
    "FEATURES",
    "LICENCES",
    "CorpusEntry",
    "Example",
    "Licence",
    "Split",
    "Splits",
    "check_audio",
    "example_of",
    "examples_of",
    "hub_cameo",
    "hub_crema_d",
    "hub_emodb",
    "hub_iemocap",
    "hub_ravdess",
    "joint_licence",
    "load_corpora",
    "read_audio_folder",
    "read_calls",
    "read_cmu_mosei",
    "read_crema_d",
    "read_emobank",
    "read_emodb",
    "read_emovo",
    "read_goemotions",
    "read_iemocap",
    "read_manifest",
    "read_meld",
    "read_msp_podcast",
    "read_nemo",
    "read_ravdess",
    "read_semeval_ei",
    "require_commercial",
    "to_dataset",
    "with_change",
    "withhold_agents",
]
