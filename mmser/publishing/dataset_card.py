"""The card of a published dataset: README.md with what the Hub reads and what people must know."""

from dataclasses import dataclass, replace
from typing import Final

from huggingface_hub import DatasetCard, DatasetCardData

from mmser import __version__
from mmser.data.card_facts import FACTS, CorpusFacts
from mmser.data.cards import count, counted_table, label_map, sentence, table
from mmser.data.schema import CHANGES, SPLITS, example_of
from mmser.labels import EMOTIONS
from mmser.publishing.dataset_files import WrittenFiles
from mmser.publishing.dataset_licence import OTHER
from mmser.publishing.dataset_rows import PreparedRows
from mmser.publishing.licence_terms import TERMS

_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_NO_FACTS: Final = "The owner's own data; ask the owner how it was recorded, labelled and consented to."
_USES: Final = (
    "**Not for** inferring the emotions of employees or pupils, which the EU prohibits at work and in "
    "education but for medical or safety reasons (AI Act, Art. 5(1)(f)); for decisions with legal effect; "
    "for diagnosis; for finding out who somebody is, or imitating a voice. Labels say what others perceive "
    "in an utterance, or what an actor was asked for, never what somebody feels."
)


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What sections of a card are made of."""

    rows: PreparedRows
    written: WrittenFiles
    facts: CorpusFacts | None  # None = the user's own data
    languages: tuple[str, ...]
    repository: str

    @property
    def title(self) -> str:
        return self.facts.title if self.facts else self.repository.rpartition("/")[2]


def render_dataset_card(rows: PreparedRows, written: WrittenFiles, repository: str) -> str:
    """Return README.md.

    Args:
        rows: what is published.
        written: its files.
        repository: "NAME/REPOSITORY".
    """
    codes = {code for code in rows.dataset["language"] if code}
    made = _Facts(
        rows=rows,
        written=written,
        facts=FACTS.get(rows.corpus),
        languages=tuple(sorted(codes)),
        repository=repository,
    )
    body = "\n\n".join(
        part
        for part in (
            f"# {made.title}",
            _what(made),
            f"## Licence: {rows.terms.name}",
            _licence(made),
            "## What is here",
            _counted(made),
            "## Splits",
            _splits(made),
            "## Labels",
            _labels(made),
            "## Limits",
            _limits(made),
            "## Uses",
            _USES,
            "## How to load it",
            _loading(made),
        )
        if part
    )
    return str(DatasetCard(f"---\n{_data(made).to_yaml()}\n---\n\n{body}\n"))


def _data(made: _Facts) -> DatasetCardData:
    rows, paths = made.rows, made.written.files
    splits = [split for split in SPLITS if any(name.startswith(f"data/{split}-") for name in paths)]
    tasks = ["audio-classification"] if made.written.clips else []
    tasks += ["text-classification"] if any(rows.dataset["text"]) else []
    total = len(rows.dataset)
    return DatasetCardData(
        pretty_name=made.title,
        license=rows.terms.hub,
        language=list(made.languages) or None,
        task_categories=tasks,
        size_categories=[next((name for most, name in _SIZES if total < most), "n>10M")],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in splits],
            }
        ],
        tags=["emotion-recognition", "speech-emotion-recognition", "mmser"],
        license_name=_slug(rows.terms.name) if rows.terms.hub == OTHER else None,
    )


def _slug(name: str) -> str:
    """Return a name as the Hub takes it for a licence's: letters, digits, points and hyphens."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in plain.split("-") if part) or "own-terms"


def _what(made: _Facts) -> str:
    facts = made.facts
    origin = f"Published by mmser {__version__}; a row is an utterance."
    if facts is None:
        return f"{_NO_FACTS} {origin}"
    known = {
        "kind": facts.kind,
        "source": facts.source,
        "cite": facts.citation,
        "speakers": facts.speakers,
        "size, as published there": facts.size,
        "other targets": facts.targets,
    }
    return (
        f"A copy of {facts.title} with its labels in the names of mmser; not from the corpus's authors. "
        f"{origin}\n\n{table(('', ''), list(known.items()))}"
    )


def _licence(made: _Facts) -> str:
    terms, facts = made.rows.terms, made.facts
    text = "" if terms.hub == OTHER else f" [The licence]({_link(terms.name)})."
    said = f"Whoever uses or passes on this data {terms.demands}.{text}"
    if facts is None:
        return f"{said} The licence is as its owner stated it."
    changed = "Changed against the original: labels mapped as below, rows left out as told below, one table."
    return f"The corpus's own licence, which this copy keeps. {said} Cite: {facts.citation}. {changed}"


def _link(spdx: str) -> str:
    known = TERMS.get(spdx)
    return f"https://spdx.org/licenses/{spdx}.html" if known is None else known.url


def _counted(made: _Facts) -> str:
    examples = [replace(example_of(row), audio=None) for row in made.rows.dataset.remove_columns("audio")]
    examples = [replace(example, split=example.split or "train") for example in examples]
    hours = made.written.seconds / 3600 if made.written.clips else None
    parts = [counted_table(replace(count(examples), hours=hours), "this dataset")]
    if made.rows.left_out:
        parts.append(f"{len(made.rows.left_out)} rows whose clip could not be used were left out.")
    return "\n\n".join(parts)


def _splits(made: _Facts) -> str:
    rows = made.rows
    names = {split for split in rows.dataset["split"] if split}
    if not names:
        return (
            "None: all rows are in the file `train`, and their column `split` is empty. Keep speakers apart "
            "when you divide them."
        )
    publisher = f"{sentence(made.facts.splits)} " if made.facts else ""
    if rows.mark is not None:
        return f"{publisher}**Mark every number that is measured on these splits: {rows.mark}.**"
    if len(names) == 1:
        return f"{publisher}Only {next(iter(names))}."
    return f"{publisher}No speaker and no dialogue is in two splits; all speakers are known."


def _labels(made: _Facts) -> str:
    columns = (
        f"`emotion`: of {', '.join(EMOTIONS)}, several where the corpus has several; `intensity` in [0, 1]; "
        f"`valence` in [-1, 1]; `change` against the same speaker's previous turn: {', '.join(CHANGES)}. "
        "Empty = not known."
    )
    return columns if made.facts is None else f"{columns}\n\n{label_map(made.facts)}"


def _limits(made: _Facts) -> str:
    found = list(made.facts.limits) if made.facts else []
    if made.rows.own:
        found += [
            "Words and sound are as they were given: nothing was redacted, and a voice or what it says may "
            "tell who speaks. Whole files keep their tags.",
            "Speakers, dialogues, sessions and rows are named by digests. A digest hides a name from "
            "readers, not from those who guess it and try.",
        ]
    if made.rows.withheld:
        found.append(
            f"{made.rows.withheld} turns of agents are context alone: their sound and labels are withheld."
        )
    found.append("Parts of longer recordings are cut out and encoded as FLAC; whole files are unchanged.")
    return "\n".join(f"- {limit}" for limit in found)


def _loading(made: _Facts) -> str:
    return (
        "```python\n"
        "from datasets import Audio, load_dataset\n\n"
        f'dataset = load_dataset("{made.repository}")\n'
        'dataset = dataset.cast_column("audio", Audio(decode=False))  # bytes; else torchcodec decodes\n'
        "```\n\n"
        "With mmser, in a training's configuration:\n\n"
        "```yaml\n"
        f"data: [{{corpus: published, hub: {made.repository}, revision: COMMIT}}]\n"
        "```"
    )
