"""What well-known licences let others do, and what the Hub calls them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

JOINT = " AND "  # between licences that hold together


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one licence lets others do."""

    hub: str  # the Hub's identifier
    commercial: bool = True
    share_alike: bool = False  # what is made of it stays under the same terms
    attribution: bool = True  # whoever made it must be named
    url: str


def _creative(name: str, *, commercial: bool = True, share_alike: bool = False) -> Terms:
    part = name.removeprefix("CC-").rsplit("-", 1)[0].lower()
    return Terms(
        hub=name.lower(),
        commercial=commercial,
        share_alike=share_alike,
        url=f"https://creativecommons.org/licenses/{part}/4.0/",
    )


def _software(spdx: str, hub: str, *, share_alike: bool = False, attribution: bool = True) -> Terms:
    return Terms(
        hub=hub,
        share_alike=share_alike,
        attribution=attribution,
        url=f"https://spdx.org/licenses/{spdx}.html",
    )


TERMS = {
    "Apache-2.0": _software("Apache-2.0", "apache-2.0"),
    "MIT": _software("MIT", "mit"),
    "BSD-3-Clause": _software("BSD-3-Clause", "bsd-3-clause"),
    "MPL-2.0": _software("MPL-2.0", "mpl-2.0"),
    "GPL-3.0-only": _software("GPL-3.0-only", "gpl-3.0", share_alike=True),
    "AGPL-3.0-only": _software("AGPL-3.0-only", "agpl-3.0", share_alike=True),
    "ODbL-1.0": _software("ODbL-1.0", "odbl", share_alike=True),
    "CC0-1.0": _software("CC0-1.0", "cc0-1.0", attribution=False),
    "CC-BY-4.0": _creative("CC-BY-4.0"),
    "CC-BY-SA-4.0": _creative("CC-BY-SA-4.0", share_alike=True),
    "CC-BY-NC-4.0": _creative("CC-BY-NC-4.0", commercial=False),
    "CC-BY-NC-SA-4.0": _creative("CC-BY-NC-SA-4.0", commercial=False, share_alike=True),
    "CC-BY-NC-ND-4.0": _creative("CC-BY-NC-ND-4.0", commercial=False, share_alike=True),
}
"""SPDX identifier → its terms. That no derivatives are allowed keeps them from being under other terms."""


def parts_of(licence: str) -> list[str]:
    """Return the licences that hold together, each in its usual spelling where it is known."""
    usual = {name.lower(): name for name in TERMS}
    parts = [part.strip() for part in licence.split(JOINT) if part.strip()]
    return list(dict.fromkeys(usual.get(part.lower(), part) for part in parts))


def hub_fields(licence: str) -> dict[str, str]:
    """Return what says a licence in the metadata of a card: the Hub's identifier, or a name of its own."""
    parts = parts_of(licence)
    if len(parts) == 1 and parts[0] in TERMS:
        return {"license": TERMS[parts[0]].hub}
    return {"license": "other", "license_name": slug(licence), "license_link": "LICENSE"}


def slug(text: str) -> str:
    """Return a text in small letters, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "none"


def links(licences: Sequence[str]) -> list[str]:
    """Return the addresses of licences' texts, of those that are known."""
    return [TERMS[name].url for name in licences if name in TERMS]
