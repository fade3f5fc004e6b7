"""What is shared between splits is found, and training is refused until it is said to be wanted."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.data import read_goemotions, read_meld, to_dataset
from mmser.data.audit import Finding, LeakingSplitError, audit, require_disjoint
from tests.data.audit_fixtures import made, split_by_speaker, voice, write


def found(dataset: Dataset, check: str) -> Finding:
    (one,) = [f for f in audit(dataset, read_sound=False).findings if f.check == check]
    return one


def checks(dataset: Dataset) -> set[str]:
    return {finding.check for finding in audit(dataset, read_sound=False).findings}


def test_speakers_apart_need_no_mark():
    clean = split_by_speaker()
    assert require_disjoint(clean, allow_overlap=False) is None
    assert not audit(clean, read_sound=False).leaks


def test_a_speaker_in_two_splits_is_refused_by_name():
    leaking = split_by_speaker(split=lambda s, i: "test" if s == 0 and i == 0 else "train")
    with pytest.raises(LeakingSplitError, match=r"made: 1 speaker in several splits \(made/0\)"):
        require_disjoint(leaking, allow_overlap=False)
    assert require_disjoint(leaking, allow_overlap=True).startswith("overlap allowed: 1 speaker")
    finding = found(leaking, "speakers across splits")
    assert (finding.severity, finding.count, finding.examples) == ("leak", 1, ("made/0",))


def test_a_speaker_shared_by_two_corpora_is_seen():
    both = to_dataset([made(speaker="x/1"), made(corpus="other", split="test", speaker="x/1")])
    with pytest.raises(LeakingSplitError, match=r"made: 1 speaker.*other: 1 speaker"):
        require_disjoint(both, allow_overlap=False)


def test_unknown_speakers_are_refused_where_there_are_several_splits():
    unknown = split_by_speaker(speaker=lambda s, i: None if s == 3 else f"made/{s}")
    with pytest.raises(LeakingSplitError, match="12 of 72 examples have no known speaker"):
        require_disjoint(unknown, allow_overlap=False)
    assert found(unknown, "speakers unknown").severity == "leak"
    assert (
        require_disjoint(to_dataset([made(), made()]), allow_overlap=False) is None
    )  # one split: nothing leaks


def test_a_dialogue_in_two_splits_is_refused_whoever_speaks():
    rows = [made(speaker="a", dialogue_id="d1"), made(speaker="b", dialogue_id="d1", split="test")]
    with pytest.raises(LeakingSplitError, match=r"1 dialogue in several splits \(d1\)"):
        require_disjoint(to_dataset(rows), allow_overlap=False)


def test_a_clip_in_two_splits_is_refused_under_whichever_names(tmp_path: Path):
    """One file listed as two corpora; other parts of it are other clips."""
    file = write(tmp_path / "a.wav", voice(0))
    rows = [
        made(id="a", speaker="a", audio=file),
        made(id="b", corpus="other", speaker="b", split="test", audio=file),
    ]
    with pytest.raises(LeakingSplitError, match=r"made: 1 clip in several splits \(made/a\); other: 1 clip"):
        require_disjoint(to_dataset(rows), allow_overlap=False)
    parts = [dataclasses.replace(row, start=float(i), end=i + 1.0) for i, row in enumerate(rows)]
    assert require_disjoint(to_dataset(parts), allow_overlap=False) is None


def meld(**second: Any) -> Dataset:
    first = made(corpus="meld", speaker="meld/Joey", dialogue_id="meld/1")
    values = dict(corpus="meld", split="test", speaker="meld/Joey", dialogue_id="meld/2") | second
    return to_dataset([first, made(**values)])


def test_melds_split_runs_with_its_mark_as_long_as_dialogues_are_apart():
    assert require_disjoint(meld(), allow_overlap=False) == "speaker-overlapping, dialogue-disjoint"
    assert not audit(meld(), read_sound=False).leaks
    for broken in (meld(dialogue_id="meld/1"), meld(dialogue_id=None)):
        with pytest.raises(LeakingSplitError):
            require_disjoint(broken, allow_overlap=False)
        assert audit(broken, read_sound=False).leaks


def test_written_comments_run_with_their_mark():
    written = to_dataset([made(corpus="goemotions"), made(corpus="goemotions", split="test")])
    assert require_disjoint(written, allow_overlap=False) == "speakers unknown (written comments)"


def test_with_several_corpora_each_mark_names_its_own():
    both = to_dataset([*_rows(meld()), *_rows(split_by_speaker())])
    assert require_disjoint(both, allow_overlap=False) == "meld: speaker-overlapping, dialogue-disjoint"


def _rows(dataset: Dataset) -> list[Any]:
    from mmser.data import examples_of

    return list(examples_of(dataset))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["train", "validation", "test"])), min_size=1))
def test_the_guard_and_the_audit_agree(rows: list[tuple[int, str]]):
    dataset = to_dataset(made(speaker=f"s{speaker}", split=split) for speaker, split in rows)
    shared = any(len({split for own, split in rows if own == s}) > 1 for s in range(6))
    report = audit(dataset, read_sound=False, max_labels=0)
    assert report.leaks is shared
    assert (require_disjoint(dataset, allow_overlap=True) is not None) is shared


def test_sessions_and_texts_across_splits_are_told_without_refusing():
    rows = [
        made(speaker="a", session="s1", text="Oh, no!"),
        made(speaker="b", session="s1", split="test", text="oh no"),
    ]
    dataset = to_dataset(rows)
    assert found(dataset, "sessions across splits").severity == "warning"
    assert found(dataset, "texts across splits").examples == ('"oh no"',)
    assert not audit(dataset, read_sound=False).leaks


def test_rows_without_a_split_are_counted():
    dataset = to_dataset([made(speaker="a"), made(speaker="a", split=None)])
    assert found(dataset, "no split").count == 1
    assert require_disjoint(dataset, allow_overlap=False) is None


def test_a_dataset_with_few_columns_can_be_audited():
    dataset = Dataset.from_dict({"text": ["a", "b"], "emotion": [["anger"], ["fear"]]})
    report = audit(dataset)
    assert report.num_examples == 2 and report.corpora[0].corpus == "the data"


@pytest.mark.data
def test_the_official_splits_are_what_their_marks_say(data_dir: Path):
    text = data_dir / "text"
    assert require_disjoint(read_meld(text / "meld"), allow_overlap=False) == (
        "speaker-overlapping, dialogue-disjoint"
    )
    comments = read_goemotions(text / "goemotions")
    assert require_disjoint(comments, allow_overlap=False) == "speakers unknown (written comments)"
