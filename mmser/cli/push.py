"""`mmser push`: a trained model onto the Hugging Face Hub, checked before and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser.cli.console import Progress, print_result
from mmser.cli.options import Debug, Quiet

if TYPE_CHECKING:
    from mmser.publishing.pushing import Prepared, Pushed, Wanted

EPILOG = """Examples:

mmser evaluate models/mine mine.csv --split all -o out/mine

mmser push models/mine --repo me/my-model --evaluation out/mine --dry-run

mmser push models/mine --repo me/my-model --evaluation out/mine --tag v1.0 --public
"""


def push(
    model: Annotated[str, typer.Argument(help="A model's folder, or `default`: the bundled model.")],
    repo: Annotated[str, typer.Option(help="Where to: NAME/REPOSITORY. It is made where it is not there.")],
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder that mmser evaluate wrote; repeatable. The model folder's own if left out."
        ),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Open it to everybody, once it works there.")
    ] = False,
    revision: Annotated[str, typer.Option(help="Branch that it goes to.")] = "main",
    tag: Annotated[list[str] | None, typer.Option(help="Of the commit; repeatable.")] = None,
    license: Annotated[
        str | None, typer.Option(help="Of the weights, an SPDX identifier; the config's if left out.")
    ] = None,
    acknowledge_unlicensed: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A corpus without a licence, which you may publish weights of."),
    ] = None,
    about: Annotated[
        Path | None, typer.Option(help="What you say of it (YAML); about.yaml in its folder if left out.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Without evaluation or in spite of a leak; the card states it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every file and the card; publish nothing.")
    ] = False,
    verify: Annotated[
        bool, typer.Option(help="Load it without mmser, here and from the Hub, and compare logits.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Publish a model on the Hugging Face Hub: weights, code, card and results in one commit, then verified.

    It stays private unless --public is given. Who you are is told by HF_TOKEN or `hf auth login`.
    """
    from mmser.hub.committing import Target
    from mmser.publishing import pushing

    wanted = pushing.Wanted(
        model=model,
        target=Target(repository=repo, branch=revision, tags=tuple(dict.fromkeys(tag or ())), public=public),
        evaluations=tuple(evaluation or ()),
        license=license,
        acknowledged=tuple(acknowledge_unlicensed or ()),
        about=about,
        force=force,
        verify=verify,
    )
    prepared = pushing.prepare(wanted)
    with Progress(quiet=quiet) as progress:
        for fault in prepared.faults:
            progress.warn(f"forced, and stated by the card: {fault}")
        pushed = None if dry_run else pushing.push(wanted, prepared, progress)
    print_result(_as_json(wanted, prepared, pushed) if json else _as_text(wanted, prepared, pushed))


def _as_text(wanted: "Wanted", prepared: "Prepared", pushed: "Pushed | None") -> str:
    from mmser.publishing.card import spoken_size
    from mmser.publishing.pushing import sizes

    target = wanted.target
    if pushed is None:
        listed = sizes(prepared.files)
        width = max(len(name) for name, _ in listed)
        lines = [f"would publish {len(listed)} files to {target.repository} ({target.branch}):", ""]
        lines += [f"  {name:<{width}}  {spoken_size(size):>9}" for name, size in listed]
        lines += ["", f"stays here: {', '.join(prepared.left)}"] if prepared.left else []
        lines += [
            "",
            f"licence: {prepared.licence}",
            f"open to everybody: {'yes' if target.public else 'no'}",
        ]
        lines += [f"tags: {', '.join(target.tags)}"] if target.tags else []
        return "\n".join([*lines, "", "README.md:", "", prepared.card])
    done = pushed.committed
    what = (
        f"{len(done.changed)} files"
        if done.changed or done.removed
        else "nothing new: all files are there already"
    )
    lines = [
        f"{done.repository}: {what}, commit {done.commit[:12]}, {'public' if pushed.public else 'private'}"
    ]
    lines += [f"removed: {', '.join(done.removed)}"] if done.removed else []
    lines += [f"tags: {', '.join(target.tags)}"] if target.tags else []
    if pushed.verified is not None:
        lines.append(
            f"verified: downloaded and run without mmser, {pushed.verified.compared} logits differ by "
            f"{pushed.verified.difference:.2g} at most"
        )
    return "\n".join([*lines, done.url])


def _as_json(wanted: "Wanted", prepared: "Prepared", pushed: "Pushed | None") -> str:
    from dataclasses import asdict
    from json import dumps

    from mmser.publishing.pushing import sizes

    said = {
        "repository": wanted.target.repository,
        "branch": wanted.target.branch,
        "files": [{"path": name, "bytes": size} for name, size in sizes(prepared.files)],
        "license": prepared.licence,
        "forced": list(prepared.faults),
        "left": list(prepared.left),
        "card": prepared.card,
        "published": None if pushed is None else asdict(pushed),
    }
    return dumps(said, ensure_ascii=False, indent=1)
