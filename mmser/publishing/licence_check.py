"""Whether weights may be published under a licence: it must not allow more than that of their data."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmser.data.licences import Licence, licence_of
from mmser.data.tables import listing
from mmser.errors import MmserError, UsageError
from mmser.publishing.licence_terms import JOINT, TERMS, parts_of

MOST = 200  # characters of a licence's name


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


def check_licence(
    declared: str, corpora: Sequence[str], acknowledged: Sequence[str], before: str = ""
) -> CheckedLicence:
    """Return a licence that the data of a model allow.

    Args:
        declared: of the weights.
        corpora: that the model was trained on, by their names.
        acknowledged: corpora without a stated licence that are known to be so.
        before: licence that the model states itself, which no other may widen.

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
    if not declared.isprintable() or len(declared) > MOST:
        raise UsageError(f"--license takes one line of at most {MOST} characters; give an SPDX identifier")
    if not parts:
        raise LicenceError(
            "no licence is declared for the weights; give one with --license, such as "
            f"{_fitting(one.licence for one in sources if one.licence is not None)}"
        )
    licences = {source.corpus: source.licence for source in sources if source.licence is not None}
    licences |= _of_model(before)
    fault = _fault(parts, licences)
    if fault is not None:
        raise LicenceError(f"{fault}; declare {_fitting(licences.values())} with --license")
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


def _of_model(stated: str) -> dict[str, Licence]:
    """Return what a model's config states, where that is well known: it may forbid more than its data."""
    return {
        f"the model's config ({part})": Licence(
            name=part, commercial=TERMS[part].commercial, share_alike=TERMS[part].share_alike
        )
        for part in parts_of(stated)
        if part in TERMS
    }


def _fault(parts: Sequence[str], licences: Mapping[str, Licence]) -> str | None:
    """Return what the declared licence allows too much, as a clause; None where it does not."""
    named, own = JOINT.join(parts), {licence.name for licence in licences.values()}
    strange = [part for part in parts if part not in TERMS and part not in own]
    choice = next((part for part in strange if re.search(r"\b(or|with|and)\b|/", part, re.IGNORECASE)), None)
    if choice is not None:
        return f"{choice!r} is no single licence; licences that hold together are joined by{JOINT.rstrip()}"
    known = [TERMS[part] for part in parts if part in TERMS]
    closed = [_shown(name, one) for name, one in licences.items() if not one.commercial]
    open_to_trade = all(terms.commercial for terms in known)
    if closed and open_to_trade and strange:
        return (
            f"it is not known whether {strange[0]!r} forbids commercial use, as the licence of the data that "
            f"trained the model does: {listing(closed, 5)}"
        )
    if closed and open_to_trade and len(known) == len(parts):
        what = "allows commercial use, which the data that trained the model forbid"
        return f"{named} {what}: {listing(closed, 5)}"
    alike = [_shown(name, one) for name, one in licences.items() if one.share_alike and one.name not in parts]
    if alike:
        return (
            f"{named} lets others pass the weights on under other terms, which the data that trained the "
            f"model forbid (share-alike): {listing(alike, 5)}"
        )
    if licences and not strange and known and not any(terms.attribution for terms in known):
        return f"{named} asks nobody to name the authors, as the data that trained the model do"
    return None


def _shown(name: str, licence: Licence) -> str:
    return name if licence.name in name else f"{name} ({licence.name})"


def _fitting(given: Iterable[Licence]) -> str:
    """Return well-known licences that all the data allow."""
    licences = list(given)
    alike = sorted({licence.name for licence in licences if licence.share_alike})
    commercial = all(licence.commercial for licence in licences)
    if not commercial and not any(not TERMS[name].commercial for name in alike if name in TERMS):
        alike = ["CC-BY-NC-4.0", *alike]
    return JOINT.join(alike) or "Apache-2.0"
