"""What each corpus's licence allows; weights follow the data that they were trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmser.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Licence:
    """The terms of one corpus."""

    name: str  # SPDX identifier, or what the publisher calls it
    commercial: bool  # whether the licence as named lets weights trained on it be used commercially
    confirmed: bool = True  # False = the publisher's own page was not seen: check before you rely on it
    stated: bool = True  # False = the publisher states none; what is said here is what is usual
    share_alike: bool = False  # whether what is made of it may be passed on under its own terms alone
    note: str = ""
    redistribute: bool = False  # whether a copy of the corpus may be published under the same licence
    closed: str = ""  # why not, as the end of "cannot be published: …"


LICENCES = {
    "ravdess": Licence(
        name="CC-BY-NC-SA-4.0",
        commercial=False,
        share_alike=True,
        note="the publisher sells commercial licences",
        redistribute=True,
    ),
    "nemo": Licence(
        name="CC-BY-NC-SA-4.0",
        commercial=False,
        share_alike=True,
        note="some lists wrongly say CC BY 4.0; its LICENSE says NC",
        redistribute=True,
    ),
    "emodb": Licence(
        name="CC-BY-4.0",
        commercial=True,
        confirmed=False,
        note="as far as known: a maintainer's description; ask the publisher before you rely on it",
        closed="its licence, CC BY 4.0 as far as known, was not seen on the publisher's own page",
    ),
    "emovo": Licence(
        name="research only",
        commercial=False,
        stated=False,
        note="no licence is published beside the archive",
        closed="no licence that allows it is published beside the archive",
    ),
    "crema_d": Licence(
        name="ODbL-1.0",
        commercial=True,
        note="the database's licence; its contents are under DbCL-1.0",
        redistribute=True,
    ),
    "iemocap": Licence(
        name="IEMOCAP release form",
        commercial=False,
        note="academic research, by signature",
        closed="its release form, which everybody signs with the publisher, forbids passing it on",
    ),
    "meld": Licence(
        name="GPL-3.0-only",
        commercial=False,
        note="of the repository; the words and clips are a copyrighted television series: research only",
        closed="its words and clips are of a television series, which its repository cannot free",
    ),
    "cmu_mosei": Licence(
        name="CMU-MultimodalSDK terms",
        commercial=False,
        note="the videos belong to those who made them: research only",
        closed="its videos belong to those who made them",
    ),
    "msp_podcast": Licence(
        name="MSP-Podcast academic licence",
        commercial=False,
        note="by signature of an institution; a commercial licence is sold separately",
        closed="its licence, which an institution signs with the publisher, forbids passing it on",
    ),
    "goemotions": Licence(name="Apache-2.0", commercial=True, redistribute=True),
    "emobank": Licence(
        name="CC-BY-SA-4.0",
        commercial=True,
        share_alike=True,
        note="share-alike; whether weights inherit it is unsettled",
        redistribute=True,
    ),
    "semeval_ei": Licence(
        name="research only",
        commercial=False,
        note="the organisers' terms; the tweets are their authors'",
        closed="the organisers' terms are for research, and the tweets are their authors'",
    ),
    "cameo": Licence(
        name="a licence for each corpus",
        commercial=False,
        note="13 corpora, several of them non-commercial; each row names its own",
        closed="each of its 13 corpora has a licence of its own",
    ),
}
"""Corpus, by the name in the column `corpus`, → its licence. The user's own data is not here."""


def joint_licence(corpora: Sequence[str]) -> str:
    """Return the terms of weights trained on some corpora: those of all their data, each once."""
    found = [licence_of(corpus) for corpus in corpora]
    names = sorted({licence.name for licence in found if licence is not None})
    return " AND ".join(names) or "the terms of the data that it was trained on"


def require_commercial(corpora: Sequence[str]) -> None:
    """Refuse corpora whose licence forbids commercial use of weights trained on them.

    Raises:
        UsageError: and names them with their licences. The user's own data passes.
    """
    found = {corpus: licence_of(corpus) for corpus in corpora}
    closed = [f"{name} ({terms.name})" for name, terms in found.items() if terms and not terms.commercial]
    if closed:
        raise UsageError(
            f"commercial_only is set, and these corpora do not allow commercial use: {', '.join(closed)}; "
            "take them out of `data`"
        )


def licence_of(corpus: str) -> Licence | None:
    """Return the licence of a corpus by the name in the column `corpus`; None for the user's own data."""
    name = corpus.strip().casefold()
    return LICENCES.get("cameo" if name.startswith("cameo_") else name)
