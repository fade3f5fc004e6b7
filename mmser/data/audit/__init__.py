"""What to know of a dataset before training on it, and the guard against splits that leak."""

from mmser.data.audit.building import audit
from mmser.data.audit.records import Audit, CorpusSummary, Duplicate, Finding, LabelCheck, SuspiciousLabel
from mmser.data.audit.splits import OFFICIAL_SPLITS, OfficialSplit, require_disjoint
from mmser.errors import LeakingSplitError

__all__ = [
    "OFFICIAL_SPLITS",
    "Audit",
    "CorpusSummary",
    "Duplicate",
    "Finding",
    "LabelCheck",
    "LeakingSplitError",
    "OfficialSplit",
    "SuspiciousLabel",
    "audit",
    "require_disjoint",
]
