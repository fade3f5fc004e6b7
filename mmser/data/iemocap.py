"""IEMOCAP: dyads of actors, improvised and scripted, in five sessions."""

import re
from collections.abc import Mapping
from pathlib import Path

from datasets import Dataset

from mmser.data.changes import with_change
from mmser.data.schema import Example, Split, to_dataset
from mmser.data.splits import Splits, assign_splits
from mmser.data.tables import clips_in, nearest, require, require_folder, require_whole, scaled
from mmser.errors import DataError

# None = no class among the seven: the row stays, without a label.
IEMOCAP_EMOTIONS: Mapping[str, str | None] = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "happiness",
    "fea": "fear",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "sur": "surprise",
    "fru": None,  # frustration
    "oth": None,
    "xxx": None,  # the annotators did not agree
}
# "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]": the turns of an evaluation file.
_TURN = re.compile(
    r"\[([\d.]+) - ([\d.]+)\]\s+(Ses0[1-5][FM]_\w+_([FM])[X\d]*\d)\s+(\w{3})\s+"
    r"\[([\d.]+), ([\d.]+), ([\d.]+)\]"
)
_WORDS = re.compile(r"(Ses\S+) \[[\d.]+-[\d.]+\]:\s*(.*)")
SESSIONS = ("Session1", "Session2", "Session3", "Session4", "Session5")


def read_iemocap(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> Dataset:
    """Read IEMOCAP (Busso et al. 2008, research licence by signature), English, 10 actors, 10,039 turns.

    Excited is happiness; frustration, "other" and turns without agreement have no label but stay, as context.
    The ratings of 1 to 5 become valence in [-1, 1] (3 = 0) and, from activation, intensity in [0, 1] (1 = 0);
    the few ratings beyond 5 count as 5. `change` follows the emotions. The publisher has no split: leave one
    session out, {"test": ["Session5"], "validation": ["Session4"]}.

    Args:
        folder: holds Session1 … Session5, each with dialog/EmoEvaluation, dialog/transcriptions and
            sentences/wav (or dialog/wav, of which the turns are then parts).
        splits: sessions or speakers ("Ses01F") of test and validation; all others train.
        partial: True = accept a folder that lacks sessions or clips.

    Returns:
        Rows of `FEATURES`, by dialogue in order of start.

    Raises:
        DataError: if a file is missing, a line cannot be read, or the splits name an unknown session.
    """
    return to_dataset(iemocap_examples(folder, splits, partial=partial))


def iemocap_examples(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> list[Example]:
    """Return what `read_iemocap` reads, as examples."""
    there = [name for name in SESSIONS if (require_folder(folder) / name).is_dir()]
    absent = [name for name in SESSIONS if name not in there]
    require_whole(absent, len(there), len(SESSIONS), "sessions", folder, partial=partial)
    parts = _parts(splits, there)
    examples, missing, total = [], [], 0
    for session in there:
        clips = clips_in(folder / session / "sentences" / "wav", "*/*.*")
        dialogues = clips_in(folder / session / "dialog" / "wav")
        for path in _evaluations(folder / session):
            words = _words(folder / session / "dialog" / "transcriptions" / path.name)
            for index, turn in enumerate(_turns(path)):
                total += 1
                audio = clips.get(turn[2]) or dialogues.get(path.stem)
                if audio is None:
                    missing.append(turn[2])
                else:
                    whole = turn[2] in clips
                    examples.append(_example(turn, index, path.stem, audio, whole, words, parts))
    require_whole(missing, total - len(missing), total, "clips", folder, partial=partial)
    return with_change(examples)


def _parts(splits: Splits | None, sessions: list[str]) -> dict[str, Split]:
    """Return speaker → split, where the splits name whole sessions or speakers."""
    named: dict[str, list[str]] = {}
    for split, members in (splits or {}).items():
        named[split] = []
        for member in members:
            number = member.removeprefix("Session")
            whole = member in SESSIONS
            named[split] += [f"Ses0{number}F", f"Ses0{number}M"] if whole else [member]
    speakers = [f"Ses0{name[-1]}{sex}" for name in sessions for sex in "FM"]
    return assign_splits(named, speakers, "iemocap")


def _evaluations(session: Path) -> list[Path]:
    folder = require_folder(session / "dialog" / "EmoEvaluation")
    found = sorted(p for p in folder.glob("Ses*.txt"))  # beside them lie hidden copies, "._Ses…"
    if not found:
        raise DataError(f"{folder} holds no evaluation such as Ses01F_impro01.txt; unpack it again")
    return found


def _turns(path: Path) -> list[tuple[str, ...]]:
    """Return (start, end, name, sex, emotion, valence, activation, dominance) of each turn by start."""
    turns: list[tuple[str, ...]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("[") or line.startswith("[START"):  # "% [START_TIME - …" in some copies
            continue
        match = _TURN.fullmatch(line.strip())
        if match is None:
            raise DataError(f"{path}, line {number}: {line[:80]!r} is not a turn with its ratings")
        if match[5] not in IEMOCAP_EMOTIONS:
            raise DataError(
                f"{path}, line {number}: emotion {match[5]!r}; {nearest(match[5], IEMOCAP_EMOTIONS)}"
            )
        turns.append(match.groups())
    return sorted(turns, key=lambda turn: float(turn[0]))


def _words(path: Path) -> dict[str, str]:
    """Return turn → what is said; lines of other shapes are stage directions."""
    lines = require(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return {match[1]: match[2].strip() for match in map(_WORDS.match, lines) if match}


def _example(
    turn: tuple[str, ...],
    index: int,
    dialogue: str,
    audio: Path,
    whole: bool,
    words: Mapping[str, str],
    parts: Mapping[str, Split],
) -> Example:
    start, end, name, sex, emotion, valence, activation, _ = turn
    label = IEMOCAP_EMOTIONS[emotion]
    speaker = f"{name[:5]}{sex}"  # the letter after Ses01 tells who wore the markers, not who speaks
    return Example(
        id=name,
        corpus="iemocap",
        split=parts[speaker],
        audio=audio,
        text=words.get(name) or None,
        emotions=() if label is None else (label,),
        intensity=scaled(float(activation), 1, 5),
        valence=2 * scaled(float(valence), 1, 5) - 1,
        speaker=f"iemocap/{speaker}",
        gender="female" if sex == "F" else "male",
        language="en",
        dialogue_id=f"iemocap/{dialogue}",
        turn_index=index,
        start=None if whole else float(start),
        end=None if whole else float(end),
        # Every session plays the same scripts, cut into turns of its own: the script is what they share.
        sentence=f"iemocap/{dialogue[7:]}" if "script" in dialogue else None,
        session=f"iemocap/{name[:5]}",
    )
