"""What every page of ours shares: its files, its templates, and the hash that its policy names."""

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmser.report.html_data import visible


def page_asset(package: str, name: str) -> str:
    """Return a text file from a package's folder of templates."""
    text = resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")
    # Browsers hash what they parsed: carriage returns are gone by then.
    return text.replace("\r\n", "\n")


def source_hash(text: str) -> str:
    """Return a style sheet or script as a Content-Security-Policy names it, "sha256-…"."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def page_environment(package: str) -> Environment:
    """Return the Jinja environment of a package's templates: escaped, strict, control characters visible."""

    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)

    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
