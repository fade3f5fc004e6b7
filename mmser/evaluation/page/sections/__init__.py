"""What an evaluation's page says, section by section, before it is HTML or Markdown."""

from mmser.evaluation.page.sections.blocks import Section, numbered
from mmser.evaluation.page.sections.calibration import calibration_section
from mmser.evaluation.page.sections.contenders import contenders_section
from mmser.evaluation.page.sections.context import Context, context_of
from mmser.evaluation.page.sections.head import Head, head_of
from mmser.evaluation.page.sections.method import meaning_section, method_section
from mmser.evaluation.page.sections.results import classes_section, results_section
from mmser.evaluation.page.sections.tasks import change_section, intensity_section, timeline_section
from mmser.evaluation.page.sections.trust import fairness_section, robustness_section
from mmser.evaluation.result import Evaluation

__all__ = ["Context", "Head", "Section", "read"]

_SECTIONS = (
    results_section,
    contenders_section,
    classes_section,
    calibration_section,
    intensity_section,
    change_section,
    timeline_section,
    robustness_section,
    fairness_section,
    meaning_section,
    method_section,
)


def read(evaluation: Evaluation) -> tuple[Context, Head, tuple[Section, ...]]:
    """Return what a page on `evaluation` says: its head, and the sections that it has something for."""
    context = context_of(evaluation)
    sections = [section for make in _SECTIONS if (section := make(context)) is not None]
    head = head_of(context)
    return context, head, numbered(sections, tables=0 if head.summary is None else 1)
