"""Under which licence a dataset may be published: the corpus's own, or the one that its owner states."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mmser.data.licences import licence_of
from mmser.errors import UsageError

OTHER = "other"  # terms of one's own


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a published dataset's card says of its licence."""

    name: str  # SPDX identifier, or what the owner calls it
    hub: str  # as the Hub names it in a card
    demands: str  # of whoever uses it, as the end of "Whoever uses it …"


_FREE = "may do so for any purpose"
_CREDIT = "names the source and what was changed"
_ALIKE = f"{_CREDIT}, and passes on what is made of it under the same licence"
LICENCES_OF_DATA: Mapping[str, Terms] = {
    terms.name: terms
    for terms in (
        Terms(name="CC0-1.0", hub="cc0-1.0", demands=_FREE),
        Terms(name="CC-BY-4.0", hub="cc-by-4.0", demands=_CREDIT),
        Terms(name="CC-BY-SA-4.0", hub="cc-by-sa-4.0", demands=_ALIKE),
        Terms(name="CC-BY-NC-4.0", hub="cc-by-nc-4.0", demands=f"does not do so commercially, and {_CREDIT}"),
        Terms(
            name="CC-BY-NC-SA-4.0", hub="cc-by-nc-sa-4.0", demands=f"does not do so commercially, {_ALIKE}"
        ),
        Terms(name="PDDL-1.0", hub="pddl", demands=_FREE),
        Terms(name="ODC-By-1.0", hub="odc-by", demands=_CREDIT),
        Terms(name="ODbL-1.0", hub="odbl", demands=_ALIKE),
        Terms(name="Apache-2.0", hub="apache-2.0", demands="keeps the notices and says what was changed"),
        Terms(name="MIT", hub="mit", demands="keeps the notice"),
    )
}
"""SPDX identifier → its terms, of the licences that a user may state for data of their own."""


def terms_of(corpora: Collection[str], stated: str | None, name: str | None) -> Terms:
    """Return the terms of a dataset that may be published.

    Args:
        corpora: names in the column `corpus`, or of a configuration's entries.
        stated: SPDX identifier that the user gave, in any case, or "other".
        name: what "other" is called.

    Raises:
        UsageError: if a corpus may not be passed on, there are several, another licence than the corpus's
            own is stated, or none for the user's own data.
    """
    for corpus in sorted(corpora):
        licence = licence_of(corpus)
        if licence is not None and not licence.redistribute:
            raise UsageError(
                f"{corpus} ({licence.name}) cannot be published: {licence.closed}; give those who need it "
                "the configuration, which names where it is from"
            )
    if len(corpora) != 1:
        raise UsageError(
            f"{len(corpora)} corpora ({', '.join(sorted(corpora))}) cannot be published in one repository, "
            "since each keeps its own licence and card; name one with --corpus"
        )
    corpus = next(iter(corpora))
    licence, wanted = licence_of(corpus), _stated(stated, name)
    if licence is None:
        if wanted is None:
            raise UsageError(
                f"{corpus} is your own data, whose licence only you can state; give --license: {_known()}"
            )
        return wanted
    if wanted is not None and wanted.name != licence.name:
        raise UsageError(
            f"--license {wanted.name}: {corpus} is published under {licence.name}, and a copy of it stays "
            "so; leave --license out"
        )
    return LICENCES_OF_DATA[licence.name]


def _stated(stated: str | None, name: str | None) -> Terms | None:
    if stated is None:
        if name is not None:
            raise UsageError(f"--license-name {name!r} does nothing without --license {OTHER}; give that too")
        return None
    if stated.lower() == OTHER:
        if name is None or not name.strip():
            raise UsageError(f"--license {OTHER} needs --license-name: what your terms are called")
        return Terms(name=name.strip(), hub=OTHER, demands="follows these terms, which the owner tells")
    if name is not None:
        raise UsageError(
            f"--license-name goes with --license {OTHER}; {stated} has a name already: leave one out"
        )
    found = next((terms for spdx, terms in LICENCES_OF_DATA.items() if spdx.lower() == stated.lower()), None)
    if found is None:
        raise UsageError(f"--license {stated!r} is not known; it is one of {_known()}")
    return found


def _known() -> str:
    return f"{', '.join(LICENCES_OF_DATA)}, or {OTHER} with --license-name"
