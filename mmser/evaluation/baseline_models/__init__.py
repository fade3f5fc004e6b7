"""The simple models that every number stands beside."""

from mmser.evaluation.baseline_models.cache import FeatureCache
from mmser.evaluation.baseline_models.features import feature_names
from mmser.evaluation.baseline_models.fitted import Baseline, Modality, in_words
from mmser.evaluation.baseline_models.fitting import BASELINES, fit_baseline, needs

__all__ = [
    "BASELINES",
    "Baseline",
    "FeatureCache",
    "Modality",
    "feature_names",
    "fit_baseline",
    "in_words",
    "needs",
]
