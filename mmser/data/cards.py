"""Data cards: what is documented of a corpus, and what is counted where it is at hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from mmser.data.card_facts import FACTS, CorpusFacts
from mmser.data.licences import LICENCES, Licence
from mmser.data.meld import meld_examples
from mmser.data.schema import SPLITS, Example
from mmser.data.speech import emodb_examples, nemo_examples, ravdess_examples
from mmser.data.splits import Splits
from mmser.data.text import emobank_examples, goemotions_examples, semeval_ei_examples
from mmser.labels import EMOTIONS

# Where the corpora lie in the folder of corpora.
PLACES = {
    "ravdess": "corpora/ravdess",
    "nemo": "corpora/nemo",
    "emodb": "corpora/emodb/crop_2s",
    "goemotions": "text/goemotions",
    "meld": "text/meld",
    "emobank": "text/emobank",
    "semeval_ei": "text/semeval2018_ei",
}
NOT_AT_HAND = "Not at hand here: the numbers are the publisher's."


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was counted in a corpus at hand."""

    rows: Mapping[str, int]  # by split
    labels: Mapping[tuple[str, str], int]  # (emotion, split) → rows; a row with several labels counts in each
    several: int  # rows with more than one label
    unlabelled: int
    speakers: Mapping[str, int]  # by split
    hours: float | None  # None = text only
    changes: Mapping[str, int]


def examples_at_hand(corpus: str, data: Path, splits: Splits | None) -> list[Example] | None:
    """Read a corpus where it lies in the folder of corpora; None where it does not."""
    folder = data / PLACES.get(corpus, f"corpora/{corpus}")
    if corpus not in PLACES or not folder.is_dir():
        return None
    match corpus:
        case "ravdess":
            return ravdess_examples(folder, splits, partial=True)
        case "nemo":
            return nemo_examples(folder, splits)
        case "emodb":
            return emodb_examples(folder, splits)
        case "goemotions":
            return goemotions_examples(folder)
        case "meld":
            return meld_examples(folder)
        case "emobank":
            return emobank_examples(folder)
        case _:
            return semeval_ei_examples(folder)


def count(examples: Sequence[Example]) -> Counts:
    """Count a corpus; the length of its clips is read from their headers."""
    splits = [str(e.split) for e in examples]
    voices = {(e.speaker, e.split) for e in examples if e.speaker is not None}
    infos = [soundfile.info(e.audio) for e in examples if e.audio is not None]
    return Counts(
        rows=Counter(splits),
        labels=Counter((label, str(e.split)) for e in examples for label in e.emotions),
        several=sum(len(e.emotions) > 1 for e in examples),
        unlabelled=sum(not e.emotions for e in examples),
        speakers=Counter(str(split) for _, split in voices),
        hours=sum(info.frames / info.samplerate for info in infos) / 3600 if infos else None,
        changes=Counter(e.change for e in examples if e.change is not None),
    )


def render_card(corpus: str, counts: Counts | None) -> str:
    """Return a card in Markdown.

    Args:
        corpus: of `FACTS`.
        counts: what was counted; None = the corpus is not at hand, which the card says.
    """
    facts = FACTS[corpus]
    parts = [
        f"# {facts.title}",
        _summary(corpus, facts),
        "## What is here",
        NOT_AT_HAND if counts is None else counted_table(counts),
        "## Labels",
        label_map(facts),
        "## Splits",
        sentence(facts.splits),
        "## Limits and traps",
        "\n".join(f"- {limit}" for limit in facts.limits),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(corpus: str, facts: CorpusFacts) -> str:
    licence = LICENCES[corpus]
    rows = {
        "kind": facts.kind,
        "source": facts.source,
        "cite": facts.citation,
        "licence": _licence(licence),
        "commercial use": _commercial(licence),
        "redistribution": _redistribution(licence),
        "language": facts.language,
        "speakers": facts.speakers,
        "size, as published": facts.size,
        "other targets": facts.targets,
        "reader": f"`mmser.data.{facts.reader}`",
        "Hugging Face id": facts.hub or "none that mmser reads",
    }
    return table(("", ""), [(name, value) for name, value in rows.items()])


def _licence(licence: Licence) -> str:
    return f"{licence.name}; {licence.note}" if licence.note else licence.name


def _commercial(licence: Licence) -> str:
    if not licence.commercial:
        return "not allowed"
    return "allowed" if licence.confirmed else "allowed, if the licence is confirmed"


def _redistribution(licence: Licence) -> str:
    return f"allowed under {licence.name}" if licence.redistribute else f"refused: {licence.closed}"


def counted_table(counts: Counts, where: str = "the copy at hand") -> str:
    """Return rows by label and split, and speakers, in Markdown, and what was counted in words."""
    splits = [split for split in SPLITS if counts.rows.get(split)]
    total = sum(counts.rows.values())
    sound = "text only" if counts.hours is None else f"{counts.hours:.2f} hours of sound"
    body = [
        (name, *(f"{counts.labels.get((name, split), 0):,}" for split in splits))
        for name in EMOTIONS
        if any(counts.labels.get((name, split)) for split in splits)
    ]
    body.append(("rows", *(f"{counts.rows[split]:,}" for split in splits)))
    if counts.speakers:
        body.append(("speakers", *(f"{counts.speakers.get(split, 0):,}" for split in splits)))
    notes = [f"Counted in {where}: {total:,} rows, {sound}."]
    if counts.several:
        notes.append(f"{counts.several:,} rows have several labels and count in each.")
    if counts.unlabelled:
        notes.append(f"{counts.unlabelled:,} rows have no emotion.")
    if counts.changes:
        moved = ", ".join(f"{name} {n:,}" for name, n in sorted(counts.changes.items()))
        notes.append(f"Change: {moved}, unknown {total - sum(counts.changes.values()):,}.")
    return " ".join(notes) + "\n\n" + table(("", *splits), body)


def label_map(facts: CorpusFacts) -> str:
    """Return how the publisher's labels became ours, in Markdown."""
    if not facts.labels:
        return "No emotion labels."
    return table(("publisher's", "mmser's"), [(old, new or "–") for old, new in facts.labels.items()])


def sentence(text: str) -> str:
    """Return a clause as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def render_index(at_hand: Sequence[str]) -> str:
    """Return the list of cards, in Markdown."""
    rows = [
        (
            f"[{facts.title}]({corpus}.md)",
            facts.kind,
            facts.language,
            LICENCES[corpus].name,
            _commercial(LICENCES[corpus]),
            "counted" if corpus in at_hand else "as published",
        )
        for corpus, facts in FACTS.items()
    ]
    header = ("corpus", "kind", "language", "licence", "commercial use", "numbers")
    return "\n\n".join(
        (
            "# Data cards",
            "None of this data is in the repository. The cards are written by `scripts/make_data_cards.py`: "
            "what can be counted is counted in the copy at hand, the rest is documented. "
            "`mmser.data.LICENCES` holds the same licences.",
            table(header, rows),
            "The default model is trained on RAVDESS, nEMO, EmoDB, GoEmotions, MELD's text and "
            "SemEval-2018's tweets. Its held-out "
            "speakers are listed in `configs/default.yaml`, which the cards' counts by split follow; they "
            "never train.",
        )
    )
