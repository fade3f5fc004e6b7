"""An evaluation as one HTML file: no network, no script, no external font; dark on a dark screen."""

from collections.abc import Sequence

from markupsafe import Markup

from mmser.evaluation.page.sections import read
from mmser.evaluation.result import Evaluation
from mmser.report.html_data import visible
from mmser.report.html_style import emotion_css
from mmser.report.pages import page_asset, page_environment, source_hash
from mmser.report.palette import PALETTE, UNCERTAIN

# The call report's own sheet first, so that both pages look alike.
_SHEETS = (("mmser.report", "report.css"), ("mmser.evaluation.page", "evaluation.css"))


def render_html(evaluation: Evaluation) -> str:
    """Return the page that shows `evaluation`; the same record gives the same bytes."""
    context, head, sections = read(evaluation)
    css = "\n".join([emotion_css(context.labels), *(page_asset(package, name) for package, name in _SHEETS)])
    return (
        page_environment("mmser.evaluation.page")
        .get_template("evaluation.html.j2")
        .render(
            evaluation=evaluation,
            head=head,
            sections=sections,
            letters=letters(context.labels),
            name=context.name,
            policy=_content_security_policy(css),
            css=Markup(css),  # our own files: the only text that skips escaping
        )
    )


def letters(labels: Sequence[str]) -> tuple[str, ...]:
    """Return what stands on each emotion's plate: the palette's letter, else the first two of the name."""
    return tuple(
        PALETTE[label].letter if label in PALETTE and label != UNCERTAIN else visible(label[:2]).capitalize()
        for label in labels
    )


def _content_security_policy(css: str) -> str:
    return f"default-src 'none'; style-src '{source_hash(css)}'; base-uri 'none'; form-action 'none'"
