"""The model as transformers classes; these files know nothing of the rest of mmser."""

from mmser.model.configuration_mmser import MmserConfig
from mmser.model.dialogue_mmser import DialogueState
from mmser.model.modeling_mmser import MmserModel
from mmser.model.output_mmser import MmserOutput, MmserPrediction
from mmser.model.processing_mmser import MmserProcessor

__all__ = ["DialogueState", "MmserConfig", "MmserModel", "MmserOutput", "MmserPrediction", "MmserProcessor"]
