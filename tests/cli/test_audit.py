"""`mmser audit`: a page or JSON, and an exit code that tells whether the split leaks."""

import json
import shutil
from pathlib import Path

import pytest

from mmser.data import read_ravdess
from mmser.data.audit import Audit
from tests.data.audit_fixtures import voice, write

DEFAULT = Path(__file__).parents[2] / "configs" / "default.yaml"
CONFIG = """
data:
  - { corpus: ravdess, path: corpora/ravdess, partial: true, splits: { test: ["06"], validation: ["01"] } }
  - { corpus: nemo, path: corpora/nemo, partial: true, splits: {} }
  - { corpus: emodb, path: corpora/emodb/crop_2s, partial: true, splits: {} }
  - { corpus: goemotions, path: text/goemotions, partial: true }
  - { corpus: meld, path: text/meld, partial: true }
"""
NEMO_HEAD = "file_id\temotion\tspeaker_id\tgender\tage\traw_text\n"
MELD_HEAD = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The publishers' folders with a few made clips and lines each."""
    root = tmp_path_factory.mktemp("corpora")
    for name in ("corpora/ravdess/Actor_01", "corpora/ravdess/Actor_06", "corpora/nemo/samples"):
        (root / name).mkdir(parents=True)
    for name in ("corpora/emodb/crop_2s", "text/goemotions", "text/meld"):
        (root / name).mkdir(parents=True)
    for place, (actor, emotion) in enumerate([("01", "03"), ("01", "05"), ("06", "03"), ("06", "05")]):
        name = f"03-01-{emotion}-01-01-01-{actor}.flac"
        write(root / "corpora/ravdess" / f"Actor_{actor}" / name, voice(place, 1.0))
    write(root / "corpora/nemo/samples/WR0_anger_1.wav", voice(10, 1.0))
    (root / "corpora/nemo/data.tsv").write_text(
        f"{NEMO_HEAD}WR0_anger_1.wav\tanger\tWR0\tmale\t30\tTak.\n", "utf-8"
    )
    write(root / "corpora/emodb/crop_2s/03a01Fa.flac", voice(11, 1.0))
    (root / "text/goemotions/labels.txt").write_text("anger\njoy\n", "utf-8")
    for place, part in enumerate(("train", "dev", "test")):
        (root / f"text/goemotions/{part}.tsv").write_text(f"words {part}\t{place % 2}\tx\n", "utf-8")
        line = f"Hey {part},Joey,joy,positive,{place},0\n"
        (root / f"text/meld/{part}_sent_emo.csv").write_text(MELD_HEAD + line, "utf-8")
    return root


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "audit.yaml"
    path.write_text(CONFIG, "utf-8")
    return path


def test_the_page_ends_with_the_verdict(mmser, corpora: Path, config: Path):
    ran = mmser("audit", config, "--data", corpora)
    assert ran.code == 0
    assert "No leak found" in ran.out and "speaker-overlapping, dialogue-disjoint" in ran.out
    assert ran.err.splitlines()[0].endswith(f"auditing {config}")


def test_json_on_stdout_is_the_audit(mmser, corpora: Path, config: Path):
    ran = mmser("audit", config, "--data", corpora, "--json", "-", "--fast", "--quiet")
    report = Audit.from_dict(json.loads(ran.out))
    assert {c.corpus for c in report.corpora} == {"ravdess", "nemo", "emodb", "meld", "goemotions"}
    assert not report.sound_read and not report.leaks


def test_a_copy_in_another_split_exits_one(mmser, corpora: Path, config: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(corpora, data)
    folder = data / "corpora" / "ravdess"
    shutil.copy(
        folder / "Actor_01" / "03-01-03-01-01-01-01.flac", folder / "Actor_06" / "03-01-04-01-01-01-06.flac"
    )
    ran = mmser("audit", config, "--data", data, "--json", tmp_path / "audit.json")
    assert ran.code == 1 and "The split leaks" in ran.out and "one recording in several splits" in ran.out
    report = Audit.from_dict(json.loads((tmp_path / "audit.json").read_text("utf-8")))
    (pair,) = report.duplicates
    assert pair.splits == ("test", "validation") and report.leaks
    again = mmser("audit", config, "--data", data, "--json", tmp_path / "audit.json")
    assert again.code == 2 and "--overwrite" in again.error


def test_bad_input_is_one_line(mmser, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MMSER_DATA", raising=False)
    (tmp_path / "odd.yaml").write_text("seeds: 3\n", "utf-8")
    for arguments, message in (
        ((DEFAULT,), "--data or in MMSER_DATA"),
        ((DEFAULT, "--data", tmp_path / "gone"), "is not a folder"),
        ((tmp_path / "gone.yaml", "--data", corpora), "gone.yaml is not there"),
        ((tmp_path / "odd.yaml", "--data", corpora), "seeds"),
    ):
        ran = mmser("audit", *arguments)
        assert ran.code == 2 and message in ran.error
    ran = mmser("audit", DEFAULT, "--data", tmp_path)
    assert ran.code == 1 and "is missing" in ran.error


def test_ravdess_reads_its_known_copy_only_when_asked(tmp_path: Path):
    (tmp_path / "Actor_07").mkdir()
    for take in ("01", "02"):
        write(tmp_path / "Actor_07" / f"03-01-03-01-02-{take}-07.flac", voice(0, 0.5))
    assert len(read_ravdess(tmp_path, {}, partial=True)) == 1
    assert len(read_ravdess(tmp_path, {}, partial=True, keep_duplicate=True)) == 2
