"""Check recognisers with real weights on a call whose words are known: the bundled one, or yours.

    python scripts/verify_transcription.py whisper:small faster-whisper:small hf:openai/whisper-small
    python scripts/verify_transcription.py whisper:small --call call.wav --words call.vtt

The machines on which mmser is built cannot fetch weights, so this was never run there with real ones. For
each recogniser it prints the word error rate by role (Levenshtein over words in lower case without
punctuation), how far starts of turns lie from those of the reference, the language, the confidences of
right and of wrong words, what was not believed, and the speed.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from mmser.audio import open_recording
from mmser.cli.options import parse_roles
from mmser.labels import Role
from mmser.transcription.call import AsrRequest, transcribe_call
from mmser.transcription.guard import plain
from mmser.transcription.opening import open_recogniser
from mmser.transcripts import read_transcript
from mmser.types import Transcript

SAMPLE = Path(__file__).resolve().parent.parent / "mmser" / "assets" / "sample" / "call.wav"


def words_of(transcript: Transcript, role: Role) -> list[tuple[str, float | None]]:
    """Return the words of a role, plain, with their confidences."""
    found = []
    for turn in transcript.turns:
        if turn.role == role:
            untold = [(token, None) for token in (turn.text or "").split()]
            spoken = [(word.text, word.confidence) for word in turn.words] or untold
            found += [(part, sure) for text, sure in spoken for part in plain(text).split()]
    return found


def aligned(right: Sequence[str], heard: Sequence[str]) -> tuple[int, set[int]]:
    """Return the edit distance and which heard words are right (Levenshtein 1966)."""
    costs = [list(range(len(heard) + 1))]
    for i, word in enumerate(right, 1):
        row = [i]
        for j, other in enumerate(heard, 1):
            row.append(min(costs[-1][j] + 1, row[-1] + 1, costs[-1][j - 1] + (word != other)))
        costs.append(row)
    i, j, matched = len(right), len(heard), set()
    while i and j:
        if costs[i][j] == costs[i - 1][j - 1] + (right[i - 1] != heard[j - 1]):
            if right[i - 1] == heard[j - 1]:
                matched.add(j - 1)
            i, j = i - 1, j - 1
        elif costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return costs[-1][-1], matched


def verify(name: str, call: Path, reference: Transcript, roles: Sequence[Role]) -> None:
    recogniser = open_recogniser(name)
    with open_recording(call) as source:
        begin = time.perf_counter()
        found = transcribe_call(source, AsrRequest(recogniser=recogniser), channel_roles=roles)
        speed = source.duration / (time.perf_counter() - begin)
    known = found.recognition
    assert known is not None
    print(f"\n{name} ({recogniser.version}), {speed:.1f} × real time")
    print(f"  language {known.language} ({known.language_probability})")
    print(f"  not believed: {known.dropped or 'nothing'}")
    for role in dict.fromkeys(roles):
        right, heard = words_of(reference, role), words_of(found, role)
        distance, matched = aligned([word for word, _ in right], [word for word, _ in heard])
        means = []
        for hit in (True, False):
            some = [sure for i, (_, sure) in enumerate(heard) if sure is not None and (i in matched) == hit]
            means.append(f"{statistics.mean(some):.2f}" if some else "–")
        print(
            f"  {role}: word error rate {distance / max(1, len(right)):.1%} of {len(right)} words; "
            f"confidence of right words {means[0]}, of wrong ones {means[1]}; "
            f"starts of turns {starts(reference, found, role)}"
        )


def starts(reference: Transcript, found: Transcript, role: Role) -> str:
    """Say how far the reference's turns begin from the nearest recognised turn."""
    own = [turn.start for turn in found.turns if turn.role == role and turn.start is not None]
    off = [
        min(abs(turn.start - start) for start in own)
        for turn in reference.turns
        if turn.role == role and turn.start is not None and own
    ]
    return f"off by {statistics.median(off):.2f} s (median)" if off else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recognisers", nargs="+", help="such as whisper:small")
    parser.add_argument("--call", type=Path, default=SAMPLE)
    parser.add_argument("--words", type=Path, help="the right words, with roles; call.vtt beside the call")
    parser.add_argument("--roles", default="agent,customer")
    options = parser.parse_args()
    reference = read_transcript(options.words or options.call.with_suffix(".vtt"))
    for name in options.recognisers:
        verify(name, options.call, reference, parse_roles(options.roles) or ())


if __name__ == "__main__":
    main()
