"""`mmser push-dataset`: a corpus to the Hub, where its licence allows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress
from mmser.cli.corpora import corpora_of, data_folder
from mmser.cli.json_output import JsonFile, Overwrite, check_json, deliver
from mmser.cli.options import Debug, Quiet

if TYPE_CHECKING:
    from mmser.publishing.dataset import PushedDataset

EPILOG = """Examples:

mmser push-dataset configs/default.yaml --corpus ravdess --data data/ --repo me/ravdess --dry-run

mmser push-dataset mine.csv --license CC-BY-4.0 --repo me/mine

mmser train mine.yaml, where mine.yaml says data: [{corpus: published, hub: me/mine, revision: COMMIT}]

A corpus is published under its own licence, or not at all: no option overrides that. Of your own data you
state the licence; speakers, dialogues, sessions and files then go by digests, and agents' turns keep their
words alone. Words and sound are not redacted.

The token is the one of `hf auth login`, or of HF_TOKEN.
"""


def push_dataset(
    corpora: Annotated[
        Path,
        typer.Argument(
            help="Labelled data: a configuration that names corpora, a manifest, a folder of calls or clips."
        ),
    ],
    repo: Annotated[str, typer.Option(metavar="NAME/REPOSITORY", help="Where it goes on the Hub.")],
    corpus: Annotated[
        str | None, typer.Option(help="Which corpus of the configuration; a repository holds one.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of corpora; MMSER_DATA if left out.", show_default=False),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(help="Of your own data: an SPDX identifier such as CC-BY-4.0, or other."),
    ] = None,
    license_name: Annotated[str | None, typer.Option(help="What --license other is called.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Open to everybody; without it, to you alone.")
    ] = False,
    revision: Annotated[str, typer.Option(help="The branch.")] = "main",
    tag: Annotated[list[str] | None, typer.Option(help="Of the commit; repeat it for several.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every file and the card; send nothing.")
    ] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Publish splits that leak; the card says so.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out clips that cannot be read, counted and named.")
    ] = False,
    shard_mb: Annotated[
        int, typer.Option(min=1, max=4000, help="Size of one Parquet file, about, in MB.")
    ] = 500,
    json: JsonFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Publish a corpus as a dataset of the Hugging Face Hub: Parquet with its sound, and a card.

    Refused where the licence forbids it, or where splits share speakers or dialogues.
    """
    check_json(json, overwrite=overwrite, inputs=(corpora,))
    folder = data_folder(data, corpora)
    with Progress(quiet=quiet) as progress:
        doing = "preparing" if dry_run else "publishing"
        progress.say(f"mmser {__version__}: {doing} {corpora}")
        # Imported here: the line above is printed before torch begins to load.
        from datasets import disable_progress_bars

        from mmser.publishing.dataset import DatasetPlan
        from mmser.publishing.dataset import push_dataset as push

        disable_progress_bars()
        plan = DatasetPlan(
            entries=corpora_of(corpora),
            folder=folder,
            repository=repo,
            corpus=corpus,
            license=license,
            license_name=license_name,
            branch=revision,
            tags=tuple(dict.fromkeys(tag or ())),
            public=public,
            allow_overlap=allow_overlap,
            skip_bad=skip_bad,
            shard_bytes=shard_mb * 1_000_000,
        )
        made = push(plan, progress, dry_run=dry_run)
        if made.left_out:
            shown = ", ".join(made.left_out[:5]) + (" …" if len(made.left_out) > 5 else "")
            progress.warn(f"{len(made.left_out)} rows whose clip cannot be used were left out: {shown}")
        if made.mark is not None:
            progress.warn(f"every number from these splits needs the mark: {made.mark}")
    deliver(made, _page(made), json, overwrite=overwrite)


def _page(made: "PushedDataset") -> str:
    """Return what is printed: files, then the card where nothing was sent, else where they are."""
    wide = max(map(len, made.files))
    files = [f"  {name:<{wide}}  {size:>15,} bytes" for name, size in made.files.items()]
    seen = "public" if made.public else "private"
    rows = ", ".join(f"{split} {n:,}" for split, n in made.rows.items())
    head = f"{made.repository} ({seen}, {made.branch}): {made.corpus}, {made.license}; rows: {rows}"
    if made.dry_run:
        return "\n".join([head, *files, "", "Dry run: nothing was sent. The card:", "", made.card])
    done = f"{len(made.changed)} files written, {len(made.removed)} removed" if made.commit else ""
    done = done if made.changed or made.removed else "nothing changed: all was there"
    return "\n".join([head, *files, f"{done}; commit {made.commit}", str(made.url)])
