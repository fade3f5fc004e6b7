"""A call report as one HTML file: no network, no external font, nothing of the transcript that could run."""

import base64
import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from mmser.report.html_data import data_island
from mmser.report.html_style import emotion_css, patterns
from mmser.report.html_view import page_view
from mmser.report.pages import page_asset, page_environment, source_hash
from mmser.types import CallReport

PACKAGE = "mmser.report"
STYLE_SHEETS = ("report.css", "timeline.css", "turns.css", "print.css")
SCRIPTS = ("core.js", "timeline.js", "player.js", "feedback.js", "detail.js", "turns.js", "main.js")


def render_html(
    report: CallReport,
    *,
    envelope: Sequence[Sequence[float]] | None = None,
    audio: bytes | None = None,
    audio_type: str = "audio/mpeg",
    audio_href: str | None = None,
    include_text: bool = True,
) -> str:
    """Return the page that shows `report`; the same input gives the same bytes.

    Args:
        report: The call to show.
        envelope: Loudness over the analysed span, `(channels, bins)`, each in [0, 1]; drawn behind the
            timeline. The span is `report.part`, or the whole recording without one.
        audio: Compressed sound of that same span, embedded in the page.
        audio_type: MIME type of `audio`, such as "audio/mpeg" or "audio/ogg".
        audio_href: A recording to link instead of embedding: a path relative to the page, or a `file:`
            address. It is the whole recording, also where `report.part` cuts it.
        include_text: False leaves every spoken word out of the page.

    Raises:
        ValueError: If both `audio` and `audio_href` are given, if `audio_type` is no audio type, or if
            `audio_href` would be fetched over the network.
    """
    if audio is not None and audio_href is not None:
        raise ValueError("audio and audio_href are both given; embed the sound or link it, not both")
    source, media_policy = _audio_source(audio, audio_type, audio_href)
    embedded = audio is not None
    labels = all_labels(report)
    css = "\n".join([emotion_css(labels), *(page_asset(PACKAGE, name) for name in STYLE_SHEETS)])
    script = (
        "(() => {\n'use strict';\n" + "\n".join(page_asset(PACKAGE, name) for name in SCRIPTS) + "\n})();\n"
    )
    template = page_environment(PACKAGE).get_template("report.html.j2")
    return template.render(
        view=page_view(report, labels, include_text=include_text, has_audio=source is not None),
        labels=labels,
        policy=_content_security_policy(css, script, media_policy),
        # Our own files and escaped JSON: the only strings that skip escaping.
        css=Markup(css),
        script=Markup(script),
        patterns=Markup(patterns(labels)),
        data=Markup(data_island(report, labels, envelope, include_text=include_text, embedded=embedded)),
        audio_source=source,
    )


def all_labels(report: CallReport) -> tuple[str, ...]:
    """Return the model's labels in order, then any that only a turn mentions."""
    labels = dict.fromkeys(report.model.labels)
    for turn in report.turns:
        if turn.emotion is not None:
            labels.update(dict.fromkeys(turn.emotion.probabilities))
    return tuple(labels)


def _audio_source(audio: bytes | None, audio_type: str, href: str | None) -> tuple[str | None, str]:
    if audio is not None:
        if not re.fullmatch(r"audio/[A-Za-z0-9.+-]+", audio_type):
            raise ValueError(f"audio_type must look like 'audio/mpeg', not {audio_type!r}")
        return f"data:{audio_type};base64,{base64.b64encode(audio).decode('ascii')}", "data:"
    if href is None:
        return None, "'none'"
    parts = urlsplit(href)
    if parts.scheme == "file" and not parts.netloc:
        return href, "'self' file:"
    if parts.scheme or parts.netloc or href.startswith(("/", "\\")):
        raise ValueError(
            f"audio_href must be a path relative to the page or a file: address, not {href!r}: "
            "the report must open without a network"
        )
    return quote(href.replace("\\", "/")), "'self' file:"


def _content_security_policy(css: str, script: str, media: str) -> str:
    return (
        f"default-src 'none'; script-src '{source_hash(script)}'; style-src '{source_hash(css)}'; "
        f"media-src {media}; base-uri 'none'; form-action 'none'"
    )
