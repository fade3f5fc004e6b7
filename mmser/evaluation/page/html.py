"""An evaluation as one HTML file: no network, no script, no external font; dark on a dark screen."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmser.evaluation.page.markdown import render_markdown
from mmser.evaluation.page.sections import read
from mmser.evaluation.result import Evaluation
from mmser.report.html_data import visible
from mmser.report.html_style import emotion_css
from mmser.report.palette import PALETTE, UNCERTAIN

__all__ = ["letters", "render_html", "render_markdown"]

# The call report's own sheet first, so that both pages look alike.
_SHEETS = (("mmser.report", "report.css"), ("mmser.evaluation.page", "evaluation.css"))


def render_html(evaluation: Evaluation) -> str:
    """Return the page that shows `evaluation`; the same record gives the same bytes."""
    context, head, sections = read(evaluation)
    css = "\n".join([emotion_css(context.labels), *(_asset(package, name) for package, name in _SHEETS)])
    return (
        _environment()
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
    digest = base64.b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _asset(package: str, name: str) -> str:
    text = resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")
    # Browsers hash what they parsed: carriage returns are gone by then.
    return text.replace("\r\n", "\n")


def _environment() -> Environment:
    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)

    return Environment(
        loader=PackageLoader("mmser.evaluation.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
