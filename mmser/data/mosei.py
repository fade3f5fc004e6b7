"""CMU-MOSEI: sentences of people who talk to a camera, with rated emotions and sentiment."""

import ast
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from mmser.data.schema import SPLITS, Example, Split, to_dataset
from mmser.data.splits import Splits, assign_splits
from mmser.data.tables import Row, clips_in, listing, read_rows, require, require_folder, require_whole
from mmser.errors import DataError

MOSEI_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
MAX_INTENSITY, MAX_SENTIMENT = 3.0, 3.0
# Column → how the label files in circulation call it, in lower case and without "Input." and "Answer.".
_ALIASES = {
    "video": ("video_id", "video", "file"),
    "clip": ("clip", "index", "segment"),
    "happiness": ("happiness", "happy"),
    "sadness": ("sadness", "sad"),
}
_FOLDS = {"train": "standard_train_fold", "validation": "standard_valid_fold", "test": "standard_test_fold"}


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """One clip of a video, its ratings averaged over the annotators."""

    video: str
    clip: str
    ratings: Mapping[str, float]  # the six emotions, [0, 3], and sentiment, [-3, 3]
    start: float | None
    end: float | None
    text: str | None


def read_cmu_mosei(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> Dataset:
    """Read CMU-MOSEI (Zadeh et al. 2018; the videos belong to their makers: research only), English.

    An emotion is present where the annotators' mean is above 0, the corpus's own convention; several may be;
    none of the six = neutral. Intensity is the strongest of the six over 3, valence the sentiment over 3.
    Speakers are not named. A video is a dialogue of one and a session.

    Args:
        folder: holds Labels/*.csv with a row per annotator, or per segment (video, clip, the six emotions of
            0 to 3, sentiment of -3 to 3, perhaps start, end and text); Audio/ with a WAV per video, or per
            segment (video_clip.wav); Transcript/Segmented/**/*.txt for times and words; and the SDK's
            cmu_mosei_std_folds.py.
        splits: videos of validation and test, where the file of folds is not there.
        partial: True = accept a folder that lacks audio of some segments.

    Returns:
        Rows of `FEATURES`, by video and clip.

    Raises:
        DataError: if a file or the folds are missing, or a row cannot be read.
    """
    return to_dataset(cmu_mosei_examples(folder, splits, partial=partial))


def cmu_mosei_examples(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> list[Example]:
    """Return what `read_cmu_mosei` reads, as examples."""
    segments = _segments(folder)
    parts = _parts(folder, splits, {segment.video for segment in segments})
    clips = clips_in(require_folder(folder / "Audio"), "**/*.*")
    has_audio = [s.video in clips or f"{s.video}_{s.clip}" in clips for s in segments]
    missing = [f"{s.video}_{s.clip}" for s, there in zip(segments, has_audio, strict=True) if not there]
    require_whole(missing, sum(has_audio), len(segments), "segments", folder, partial=partial)
    # A video that is in none of the folds is one that the corpus's makers left out of them.
    return [_example(s, clips, parts[s.video]) for s in segments if s.video in parts and _heard(s, clips)]


def _heard(segment: _Segment, clips: Mapping[str, Path]) -> bool:
    return segment.video in clips or f"{segment.video}_{segment.clip}" in clips


def _segments(folder: Path) -> list[_Segment]:
    files = sorted(require_folder(require_folder(folder) / "Labels").glob("*.csv"))
    if not files:
        raise DataError(f"{folder / 'Labels'} holds no CSV file of labels; unpack the corpus's Labels there")
    rated: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for path in files:
        for row in read_rows(path, ()):
            plain = _plain(row)
            rated[plain.need("video"), plain.need("clip")].append(plain)
    words = _transcripts(folder / "Transcript")
    return [_segment(key, rows, words) for key, rows in sorted(rated.items(), key=_by_clip)]


def _by_clip(item: tuple[tuple[str, str], list[Row]]) -> tuple[str, float]:
    (video, clip), rows = item
    if not clip.isdecimal():
        raise rows[0].error(f"clip is {clip!r}, which is not a whole number")
    return video, int(clip)


def _plain(row: Row) -> Row:
    """Return a row with the columns' plain names."""
    cells = {}
    for name, value in row.cells.items():
        short = name.removeprefix("Input.").removeprefix("Answer.").strip().lower()
        cells[next((plain for plain, names in _ALIASES.items() if short in names), short)] = value
    missing = [c for c in ("video", "clip", "sentiment", *MOSEI_EMOTIONS) if c not in cells]
    if missing:
        raise DataError(f"{row.path} has no column {missing[0]!r}; its header is {listing(row.cells, 30)}")
    return Row(row.path, row.line, cells)


def _segment(
    key: tuple[str, str], rows: Sequence[Row], words: Mapping[tuple[str, str], tuple[float, float, str]]
) -> _Segment:
    ratings = {name: _mean([row.number(name, 0, MAX_INTENSITY) for row in rows]) for name in MOSEI_EMOTIONS}
    ratings["sentiment"] = _mean([row.number("sentiment", -MAX_SENTIMENT, MAX_SENTIMENT) for row in rows])
    if any(map(math.isnan, ratings.values())):
        raise rows[0].error(f"the segment {key[0]} {key[1]} has no rating of one emotion or of sentiment")
    start, end, text = words.get(key, (None, None, None))
    return _Segment(
        video=key[0],
        clip=key[1],
        ratings=ratings,
        start=start if start is not None else rows[0].number("start"),
        end=end if end is not None else rows[0].number("end"),
        text=text or rows[0].text("text"),
    )


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else math.nan


def _transcripts(folder: Path) -> dict[tuple[str, str], tuple[float, float, str]]:
    """Return (video, clip) → start, end and words, from lines "video___clip___start___end___words"."""
    found: dict[tuple[str, str], tuple[float, float, str]] = {}
    for path in sorted(folder.glob("Segmented/**/*.txt")) if folder.is_dir() else []:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            cells = line.split("___", 4)
            if len(cells) != 5:
                continue  # the words of the line before, which hold a line break
            row = Row(path, number, dict(zip(("start", "end"), cells[2:4], strict=True)))
            start, end = row.number("start"), row.number("end")
            if start is not None and end is not None:
                found[cells[0], cells[1]] = max(0.0, start), end, cells[4].strip()
    return found


def _parts(folder: Path, splits: Splits | None, videos: set[str]) -> Mapping[str, Split]:
    """Return video → split, from the argument or the official folds."""
    if splits is not None:
        return assign_splits(splits, videos, "cmu_mosei")
    path = require(folder / "cmu_mosei_std_folds.py")
    found: dict[str, Split] = {}
    try:
        # The SDK gives its folds as Python: its lists are read, nothing is run.
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = (
                [t.id for t in node.targets if isinstance(t, ast.Name)]
                if isinstance(node, ast.Assign)
                else []
            )
            for split in SPLITS:
                if isinstance(node, ast.Assign) and _FOLDS[split] in names:
                    found |= dict.fromkeys(map(str, ast.literal_eval(node.value)), split)
    except (SyntaxError, ValueError) as error:
        raise DataError(f"{path} does not hold the standard folds as lists: {error}") from error
    if not found:
        raise DataError(f"{path} names none of {', '.join(_FOLDS.values())}; take the SDK's own file")
    return {video: split for video, split in found.items() if video in videos}


def _example(segment: _Segment, clips: Mapping[str, Path], split: Split) -> Example:
    present = tuple(name for name in MOSEI_EMOTIONS if segment.ratings[name] > 0)
    own = clips.get(f"{segment.video}_{segment.clip}")
    if own is None and (segment.start is None or segment.end is None):
        raise DataError(
            f"cmu_mosei: segment {segment.clip} of {segment.video} has no times; "
            "add Transcript/Segmented or the columns start and end"
        )
    return Example(
        id=f"{segment.video}_{segment.clip}",
        corpus="cmu_mosei",
        split=split,
        audio=own or clips[segment.video],
        text=segment.text,
        emotions=present or ("neutral",),
        intensity=max(segment.ratings[name] for name in MOSEI_EMOTIONS) / MAX_INTENSITY,
        valence=segment.ratings["sentiment"] / MAX_SENTIMENT,
        language="en",
        dialogue_id=f"cmu_mosei/{segment.video}",
        turn_index=int(segment.clip),
        start=None if own else segment.start,
        end=None if own else segment.end,
        session=f"cmu_mosei/{segment.video}",
    )
