"""Whether weights may be published under a licence: it must not allow more than that of their data."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmser.data.licences import Licence, licence_of
from mmser.data.tables import listing
from mmser.errors import MmserError, UsageError
from mmser.publishing.licence_terms import JOINT, TERMS, parts_of

UNKNOWN_DATA = "it is not known what the model was trained on"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A corpus that a model was trained on."""

    corpus: str
    licence: Licence | None  # None = nobody states one
    acknowledged: bool = False  # whoever publishes says that they know so


@dataclass(frozen=True, kw_only=True)
class CheckedLicence:
    """The licence of weights that may be published."""

    name: str  # SPDX identifiers, or the terms' own names, joined by AND
    sources: tuple[Source, ...]


class LicenceError(MmserError):
    """Weights would be published under terms that their data do not allow."""


def check_licence(declared: str, corpora: Sequence[str], acknowledged: Sequence[str]) -> CheckedLicence:
    """Return a licence that the data of a model allow.

    Args:
        declared: of the weights.
        corpora: that the model was trained on, by their names.
        acknowledged: corpora without a stated licence that are known to be so.

    Raises:
        UsageError: if a corpus is acknowledged that was not trained on, or has a licence.
        LicenceError: if a corpus without a licence is not acknowledged, or the declared licence allows what
            that of a corpus forbids.
    """
    sources = tuple(_source(corpus, acknowledged) for corpus in sorted(corpora))
    _check_acknowledged(acknowledged, sources)
    silent = [source.corpus for source in sources if not _is_stated(source) and not source.acknowledged]
    if silent:
        flags = " ".join(f"--acknowledge-unlicensed {name}" for name in silent)
        raise LicenceError(
            f"no licence is stated for {listing(silent, 5)}, which trained this model; if you may publish "
            f"weights made of it, say so with {flags}, and the card states it"
        )
    parts = parts_of(declared)
    if not parts:
        raise LicenceError(
            f"no licence is declared for the weights; give one with --license, such as {_fitting(sources)}"
        )
    fault = _fault(parts, sources)
    if fault is not None:
        raise LicenceError(f"{fault}; declare {_fitting(sources)} with --license")
    return CheckedLicence(name=JOINT.join(parts), sources=sources)


def _source(corpus: str, acknowledged: Sequence[str]) -> Source:
    return Source(corpus=corpus, licence=licence_of(corpus), acknowledged=corpus in acknowledged)


def _is_stated(source: Source) -> bool:
    return source.licence is not None and source.licence.stated


def _check_acknowledged(names: Sequence[str], sources: Sequence[Source]) -> None:
    by_name = {source.corpus: source for source in sources}
    for name in names:
        if name not in by_name:
            raise UsageError(
                f"--acknowledge-unlicensed {name}: the model was not trained on it; it was trained on "
                f"{listing(by_name, 20)}"
            )
        licence = by_name[name].licence
        if licence is not None and licence.stated:
            raise UsageError(
                f"--acknowledge-unlicensed {name}: it has a licence, {licence.name}, which holds; leave the "
                "option out"
            )


def _fault(parts: Sequence[str], sources: Sequence[Source]) -> str | None:
    """Return what the declared licence allows too much, as a clause; None where it does not."""
    licences = {source.corpus: source.licence for source in sources if source.licence is not None}
    own = {licence.name for licence in licences.values()}
    if own and own <= set(parts):
        return None  # the terms of all of them
    strange = [part for part in parts if part not in TERMS and part not in own]
    known = [TERMS[part] for part in parts if part in TERMS]
    closed = [f"{n} ({one.name})" for n, one in licences.items() if not one.commercial]
    named = JOINT.join(parts)
    commercial = all(terms.commercial for terms in known) and all(part in TERMS for part in parts)
    if closed and strange and all(terms.commercial for terms in known):
        return (
            f"it is not known whether {strange[0]!r} forbids commercial use, as the licence of the data that "
            f"trained the model does: {listing(closed, 5)}"
        )
    if closed and commercial:
        what = "allows commercial use, which the data that trained the model forbid"
        return f"{named} {what}: {listing(closed, 5)}"
    alike = [f"{n} ({one.name})" for n, one in licences.items() if one.share_alike]
    if alike and not any(terms.share_alike for terms in known):
        return (
            f"{named} lets others pass the weights on under other terms, which the data that trained the "
            f"model forbid (share-alike): {listing(alike, 5)}"
        )
    if licences and not strange and not any(terms.attribution for terms in known):
        return f"{named} asks nobody to name the authors, as the data that trained the model do"
    return None


def _fitting(sources: Sequence[Source]) -> str:
    """Return a well-known licence that all the data allow."""
    licences = [source.licence for source in sources if source.licence is not None]
    commercial = all(licence.commercial for licence in licences)
    alike = any(licence.share_alike for licence in licences)
    if commercial:
        return "CC-BY-SA-4.0" if alike else "Apache-2.0"
    return "CC-BY-NC-SA-4.0" if alike else "CC-BY-NC-4.0"
