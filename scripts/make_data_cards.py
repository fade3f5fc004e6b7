#!/usr/bin/env python
"""Write the data cards: counted where the corpora are at hand, documented where they are not.

    python scripts/make_data_cards.py --data FOLDER

FOLDER holds corpora/ and text/. The counts by split follow configs/default.yaml.
"""

import argparse
import os
from pathlib import Path

from mmser.data.card_facts import FACTS
from mmser.data.cards import count, examples_at_hand, render_card, render_index
from mmser.training.config import read_config

HOME = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("MMSER_DATA"), required="MMSER_DATA" not in os.environ
    )
    parser.add_argument("--config", type=Path, default=HOME / "configs" / "default.yaml")
    parser.add_argument("--target", type=Path, default=HOME / "data_cards")
    options = parser.parse_args()
    splits = {entry.corpus: entry.splits for entry in read_config(options.config).data}
    at_hand = []
    for corpus in FACTS:
        examples = examples_at_hand(corpus, Path(options.data), splits.get(corpus))
        counts = None if examples is None else count(examples)
        (options.target / f"{corpus}.md").write_text(render_card(corpus, counts), encoding="utf-8")
        at_hand += [corpus] if counts else []
        print(f"{corpus}: {'documented only' if counts is None else f'{sum(counts.rows.values())} rows'}")
    (options.target / "README.md").write_text(render_index(at_hand) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
