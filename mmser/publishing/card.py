"""A model's card, from what its folder, its evaluations and its publisher tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mmser import __version__
from mmser.data.card_facts import FACTS
from mmser.evaluation.division.training_data import TrainingData
from mmser.evaluation.page.markdown import inline, render_part
from mmser.evaluation.result import Evaluation
from mmser.publishing.about import About
from mmser.publishing.bundle import NOTES, WRITTEN, Bundle
from mmser.publishing.evidence import Evidence, without_names
from mmser.publishing.licence_check import CheckedLicence, Source
from mmser.publishing.metadata import card_data
from mmser.types import ModelInfo

SECTIONS = (
    *("head", "results", "contenders", "calibration", "intensity", "change", "timeline"),
    *("robustness", "fairness"),
)


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """All that a card tells."""

    repository: str
    model: ModelInfo
    bundle: Bundle
    size: int  # of the weights, bytes
    licence: CheckedLicence
    evidence: Evidence
    seen: TrainingData | None
    about: About
    cost: str  # time and energy of the training, a sentence


def render_model_card(facts: CardFacts) -> str:
    """Return README.md, its metadata first."""
    about, model, config = facts.about, facts.model, facts.bundle.config
    corpora = sorted(facts.seen.corpora) if facts.seen is not None else []
    bases = about.base_models or _bases(config)
    name = facts.repository.rpartition("/")[2]
    evaluations = facts.evidence.evaluations
    data = card_data(name, facts.licence.name, model.languages, corpora, bases, evaluations)
    opposed = (
        f", and where words and voice oppose each other with a probability over {model.abstain_opposed:g}"
        if model.abstain_opposed < 1
        else ""
    )
    return (
        _environment()
        .get_template("model_card.md.j2")
        .render(
            metadata=f"---\n{data.to_yaml()}\n---",
            written=WRITTEN,
            title=about.title or name,
            faults=[inline(fault) for fault in facts.evidence.faults],
            unlicensed=[inline(one.corpus) for one in facts.licence.sources if one.acknowledged],
            mark=inline(without_names(model.training_mark)) if model.training_mark else "",
            description=about.description,
            labels=", ".join(model.labels),
            audio_encoder=_audio_encoder(config),
            languages=", ".join(model.languages) or "no language",
            size=spoken_size(facts.size),
            sha256=model.revision,
            schema_version=config.get("schema_version", 1),
            licence=inline(facts.licence.name),
            abstain_below=f"{model.abstain_below:g}",
            abstain_opposed=opposed,
            temperatures=", ".join(f"{task} {value:g}" for task, value in model.calibration.items())
            or "none",
            repository=facts.repository,
            intended_use=about.intended_use,
            evaluations=[_evaluation(one, evaluations) for one in evaluations],
            evaluation_files="`, `".join(evaluation_names(evaluations)),
            corpora=[_corpus_row(source, facts.seen) for source in facts.licence.sources],
            training_text=about.training,
            cost=facts.cost,
            limits=about.limits,
            notes=NOTES in facts.bundle.files,
            citation=about.citation or _citation(facts),
            sources=list(_sources(corpora, bases)),
        )
    )


def spoken_size(size: int) -> str:
    """Return bytes as "57.1 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB" if size >= 1e3 else f"{size} B"


def evaluation_names(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the names of evaluations' files where they are published."""
    return [f"evaluation{f'_{n}' if n > 1 else ''}.json" for n, _ in enumerate(evaluations, 1)]


def _environment() -> Environment:
    # Markdown, not HTML: what comes from data goes through `inline`.
    return Environment(
        loader=PackageLoader("mmser.publishing"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _bases(config: Mapping[str, Any]) -> list[str]:
    """Return the Hub ids of the encoders, where the config tells them."""
    parts = [config.get("text_config"), config.get("audio_config")]
    names = [str(part.get("_name_or_path") or "") for part in parts if isinstance(part, dict)]
    return [name for name in names if name.count("/") == 1]


def _audio_encoder(config: Mapping[str, Any]) -> str:
    if config.get("audio_encoder") == "wav2vec2":
        kind = (config.get("audio_config") or {}).get("model_type", "wav2vec2")
        return f"{kind}, of the wav2vec2 family"
    return "a CNN on log-mel frames, computed inside the model"


def _evaluation(evaluation: Evaluation, all_of_them: Sequence[Evaluation]) -> str:
    text = render_part(evaluation, SECTIONS)
    if len(all_of_them) == 1:
        return text
    corpora = ", ".join(one.corpus for one in evaluation.data)
    return f"**Evaluated on {inline(corpora)}, {evaluation.protocol.split}**\n\n{text}"


def _corpus_row(source: Source, seen: TrainingData | None) -> tuple[str, ...]:
    rows = seen.corpora[source.corpus].rows if seen is not None and source.corpus in seen.corpora else {}
    facts, licence = FACTS.get(source.corpus), source.licence
    counted = f"{rows.get('train', 0):,} / {rows.get('validation', 0):,}"
    if licence is None:
        return (inline(source.corpus), "none stated", "not known", counted, "the publisher's own data")
    allowed = "allowed" if licence.commercial else "not allowed"
    named = licence.name if licence.stated else f"none stated; usually {licence.name}"
    terms = f"{named} ({licence.note})" if licence.note else named
    what = f"{facts.title}: {facts.kind}, {facts.language}" if facts is not None else source.corpus
    return (inline(source.corpus), inline(terms), allowed, counted, inline(what))


def _sources(corpora: Sequence[str], bases: Sequence[str]) -> Iterator[str]:
    for corpus in corpora:
        facts = FACTS.get(corpus)
        yield f"{facts.title}: {facts.citation}; {facts.source}" if facts is not None else inline(corpus)
    for base in bases:
        yield f"begun with {base}"


def _citation(facts: CardFacts) -> str:
    key = "".join(c for c in facts.repository.rpartition("/")[2].lower() if c.isalnum()) or "model"
    authors = " and ".join(facts.about.authors) or facts.repository.partition("/")[0]
    title = facts.about.title or facts.repository.rpartition("/")[2]
    return (
        f"@misc{{{key},\n  title = {{{title}}},\n  author = {{{authors}}},\n"
        f"  howpublished = {{Hugging Face Hub, {facts.repository}}},\n"
        f"  note = {{weights sha256 {facts.model.revision[:12]}, mmser {__version__}}}\n}}"
    )
