"""An audit on a terminal: each corpus in a few lines, then what was found, leaks first."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmser.data.audit.records import Audit, CorpusSummary, Duplicate, Finding, LabelCheck, Severity
from mmser.report.terminal import plain

MAX_LISTED: Final = 10  # pairs and labels of one list
STYLES: Final[dict[Severity, tuple[str, str]]] = {
    "leak": ("LEAK", "bold red"),
    "warning": ("warning", "yellow"),
    "note": ("note", "cyan"),
}


def render_audit(audit: Audit, console: Console) -> None:
    """Print `audit` on `console`; names from the data can neither draw nor mark up."""
    for corpus in audit.corpora:
        _line(console, _title(corpus))
        console.print(_counts(corpus))
        for line in _facts(corpus):
            _line(console, Text(f"  {line}"))
        console.print()
    _heading(console, "Findings")
    console.print(_findings(audit.findings))
    _duplicates(console, audit.duplicates)
    for check in audit.label_checks:
        _labels(console, check)
    console.print()
    _line(console, _verdict(audit))


def _line(console: Console, text: Text) -> None:
    console.print(text, highlight=False)


def _heading(console: Console, title: str) -> None:
    _line(console, Text(title, "bold"))


def _title(corpus: CorpusSummary) -> Text:
    text = Text(plain(corpus.corpus), "bold")
    parts = [f"{corpus.num_examples:,} examples"]
    if corpus.sound is not None:
        parts.append(f"{corpus.sound.hours:.2f} h")
    if any(corpus.speakers.values()):
        parts.append(
            "speakers " + ", ".join(f"{split} {number}" for split, number in _in_order(corpus.speakers))
        )
    return text.append("  " + " · ".join(parts), "default")


def _in_order(counts: dict[str, int]) -> list[tuple[str, int]]:
    order = ("train", "validation", "test")
    return sorted(counts.items(), key=lambda item: (order.index(item[0]) if item[0] in order else 9, item[0]))


def _counts(corpus: CorpusSummary) -> Table:
    """Return the examples of each class in each split; 0 stands out."""
    classes = sorted(set().union(*corpus.labels.values()))
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("")
    for name in ("all", *classes):
        table.add_column(Text(plain(name, 12)), justify="right")
    for split, number in _in_order(corpus.splits):
        own = corpus.labels.get(split, {})
        cells = [Text(str(own.get(name, 0)), "" if own.get(name) else "bold yellow") for name in classes]
        table.add_row(Text(f"  {plain(split)}"), Text(str(number)), *cells)
    return table


def _facts(corpus: CorpusSummary) -> list[str]:
    lines = []
    if corpus.imbalance is not None and corpus.entropy is not None:
        lines = [f"largest class to smallest {corpus.imbalance:.1f}, entropy {corpus.entropy:.2f} of balance"]
    known = (("intensity", corpus.intensity_share), ("change", corpus.change_share))
    labelled = [f"{name} {share:.0%}" for name, share in (*known, ("valence", corpus.valence_share)) if share]
    lines += [f"also labelled: {', '.join(labelled)}"] if labelled else []
    if corpus.num_multi_label:
        lines.append(f"{corpus.num_multi_label:,} examples have several emotions")
    if corpus.script is not None:
        lines.append(
            f"script of {corpus.script.num_sentences} sentences; they explain "
            f"{max(0.0, corpus.script.information):.0%} of the label's entropy"
        )
    if (sound := corpus.sound) is not None and sound.num_clips:
        shortest, _, median, _, longest = sound.duration_quantiles
        rates = ", ".join(f"{rate} Hz" for rate in sound.sampling_rates)
        lines.append(
            f"sound: {rates}; {shortest:.2f} to {longest:.2f} s, median {median:.2f}; "
            f"{sound.silence_share:.0%} silence, {sound.clipped_share:.1%} of clips clipped"
            + (f"; level {sound.level_quantiles_dbfs[1]:.0f} dBFS" if sound.level_quantiles_dbfs else "")
        )
    if corpus.mark is not None:
        lines.append(f"mark: {plain(corpus.mark)}")
    return lines


def _findings(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 1))
    for ratio in (None, None, 1):
        table.add_column(ratio=ratio)
    for finding in findings:
        word, style = STYLES[finding.severity]
        text = Text(plain(finding.check), "bold")
        text.append(f" ({finding.count:,} of {finding.total:,}): {plain(finding.message)}", "not bold")
        if finding.examples:
            more = ", …" if finding.count > len(finding.examples) else ""
            text.append(f". {', '.join(plain(name, 200) for name in finding.examples)}{more}", "not bold dim")
        table.add_row(Text(word, style), Text(plain(finding.corpus or "all")), text)
    return table


def _duplicates(console: Console, duplicates: Sequence[Duplicate]) -> None:
    if not duplicates:
        return
    console.print()
    _heading(console, "Copies")
    for pair in duplicates[:MAX_LISTED]:
        how = "the same samples" if pair.kind == "exact" else f"{pair.bit_error:.1%} of the print differs"
        where = " and ".join(pair.splits) or "no split"
        _line(console, Text(f"  {plain(pair.first)} = {plain(pair.second)}  ({how}; {where})"))
    _more(console, len(duplicates))


def _labels(console: Console, check: LabelCheck) -> None:
    console.print()
    _heading(console, f"Suspicious labels of {plain(check.corpus)}, by {check.modality}")
    for label in check.suspicious[:MAX_LISTED]:
        said = f"{plain(label.given)}, or {plain(label.suggested)}?  margin {label.margin:.2f}"
        words = f'  "{plain(label.text)}"' if label.text else ""
        _line(console, Text(f"  {plain(label.name)}  {said}").append(words, "dim"))
    _more(console, check.num_suspicious)


def _more(console: Console, number: int) -> None:
    if number > MAX_LISTED:
        _line(console, Text(f"  and {number - MAX_LISTED:,} more; --json lists them", "dim"))


def _verdict(audit: Audit) -> Text:
    read = "" if audit.sound_read else " The audio was not read (--fast): copies were not looked for."
    if audit.leaks:
        return Text("The split leaks: numbers from it would flatter." + read, "bold red")
    marked = f" Numbers carry the mark: {plain(audit.mark)}." if audit.mark else ""
    return Text("No leak found." + marked + read, "bold green")
