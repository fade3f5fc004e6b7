"""Turns → utterances: the stretches, short enough for the model, that each become one row of a batch.

Nothing is dropped: the utterances of a turn hold all its words in order and all its seconds.
"""

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mmser.types import Seconds, Turn

CountTokens = Callable[[str], int]

# A window is planned this much shorter than the limit, so that its end can move to a pause between words.
PLANNED_FILL = 0.9


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One row for the model: at most one window of sound and one text input of words."""

    start: Seconds | None
    end: Seconds | None
    text: str | None  # None = no words
    words: tuple[str, ...] = ()  # the same text in words; filled only where `confidence` is
    confidence: tuple[float, ...] = ()  # [0, 1] per word
    weight: float = 1.0  # share in its turn: seconds, or characters where there are no times


@dataclass(frozen=True, kw_only=True)
class _Token:
    text: str
    start: Seconds
    end: Seconds
    confidence: float | None


def cut_turn(
    turn: Turn,
    *,
    count_tokens: CountTokens,
    max_seconds: Seconds,
    max_tokens: int,
    sound: bool,
    words: bool,
) -> list[Utterance]:
    """Cut one turn into utterances of at most `max_seconds` of sound and `max_tokens` of text.

    Windows are near equal and end in the widest pause between words that is in reach; words without times
    are spread over the turn by their length.

    Args:
        turn: the turn to cut; without times it is cut by its words alone.
        count_tokens: how many tokens the model's tokenizer makes of a text.
        max_seconds: longest stretch of sound, in seconds.
        max_tokens: most tokens of text.
        sound: whether the sound will be used; without it only the words limit an utterance.
        words: whether the words will be used.

    Returns:
        At least one utterance, in order.
    """
    timed = turn.start is not None and turn.end is not None and turn.end > turn.start
    start, end = (turn.start, turn.end) if timed else (0.0, 1.0)
    assert start is not None and end is not None
    tokens = _tokens(turn, start, end) if words else []
    edges = _edges(start, end, tokens, max_seconds) if sound and timed else [start, end]
    pieces: list[tuple[Seconds, Seconds, list[_Token]]] = []
    for (left, right), inside in zip(itertools.pairwise(edges), _deal(tokens, edges), strict=True):
        pieces += _fit(left, right, inside, count_tokens, max_tokens)
    whole = turn.text if len(pieces) == 1 and tokens else None
    return [_utterance(piece, timed=timed, whole=whole) for piece in pieces]


def _utterance(piece: tuple[Seconds, Seconds, list[_Token]], *, timed: bool, whole: str | None) -> Utterance:
    left, right, tokens = piece
    text = whole or " ".join(token.text for token in tokens) or None
    stated = any(token.confidence is not None for token in tokens)
    return Utterance(
        start=left if timed else None,
        end=right if timed else None,
        text=text,
        words=tuple(token.text for token in tokens) if stated else (),
        confidence=tuple(1.0 if t.confidence is None else t.confidence for t in tokens) if stated else (),
        # A sliver still counts for something, so that a turn of slivers has a mean.
        weight=max(right - left, 1e-3) if timed else float(max(len(text or ""), 1)),
    )


def _tokens(turn: Turn, start: Seconds, end: Seconds) -> list[_Token]:
    """The turn's words with times inside [start, end]."""
    texts = [w.text for w in turn.words] or (turn.text or "").split()
    confidences = [w.confidence for w in turn.words] or [None] * len(texts)
    return [
        _Token(text=text, start=span[0], end=span[1], confidence=confidence)
        for text, span, confidence in zip(texts, word_spans(turn, start, end), confidences, strict=True)
    ]


def word_spans(turn: Turn, start: Seconds, end: Seconds) -> list[tuple[Seconds, Seconds]]:
    """Return (start, end) of each word of a turn inside [start, end]: its own, else spread by length.

    Words without times lie between those that have them; a turn without words has those of its text.
    """
    texts = [w.text for w in turn.words] or (turn.text or "").split()
    # min/max: a word's stated time may reach a little outside its turn.
    own = [
        None
        if w.start is None or w.end is None
        else (min(max(w.start, start), end), min(max(w.end, start), end))
        for w in turn.words
    ] or [None] * len(texts)
    spans: list[tuple[Seconds, Seconds]] = []
    while len(spans) < len(texts):
        first = len(spans)
        known = next((i for i in range(first, len(texts)) if own[i] is not None), len(texts))
        left = spans[-1][1] if spans else start
        after = own[known] if known < len(texts) else None
        right = end if after is None else after[0]
        spans += _spread(texts[first:known], left, max(left, right))
        if after is not None:
            spans.append(after)
    return spans


def _spread(texts: Sequence[str], start: Seconds, end: Seconds) -> Iterator[tuple[Seconds, Seconds]]:
    total = sum(len(text) + 1 for text in texts)
    done = 0
    for text in texts:
        left = start + (end - start) * done / total
        done += len(text) + 1
        yield left, start + (end - start) * done / total


def _edges(start: Seconds, end: Seconds, tokens: list[_Token], max_seconds: Seconds) -> list[Seconds]:
    """Window boundaries from `start` to `end`, no two further apart than `max_seconds`."""
    duration = end - start
    if duration <= max_seconds:
        return [start, end]
    count = math.ceil(duration / (PLANNED_FILL * max_seconds))
    step = duration / count
    reach = (max_seconds - step) / 2
    gaps = sorted(
        ((before.end + after.start) / 2, after.start - before.end)
        for before, after in itertools.pairwise(tokens)
    )
    middles = [middle for middle, _ in gaps]
    edges = [start]
    for number in range(1, count):
        ideal = start + number * step
        near = gaps[bisect.bisect_left(middles, ideal - reach) : bisect.bisect_right(middles, ideal + reach)]
        edges.append(max(near, key=lambda gap: (gap[1], -abs(gap[0] - ideal)))[0] if near else ideal)
    return [*edges, end]


def _deal(tokens: list[_Token], edges: list[Seconds]) -> list[list[_Token]]:
    """Give each token to the window that holds its middle; tokens stay in their order."""
    windows: list[list[_Token]] = [[] for _ in edges[1:]]
    latest = 0
    for token in tokens:
        found = bisect.bisect_right(edges, (token.start + token.end) / 2) - 1
        latest = min(max(found, latest), len(windows) - 1)
        windows[latest].append(token)
    return windows


def _fit(
    left: Seconds, right: Seconds, tokens: list[_Token], count_tokens: CountTokens, max_tokens: int
) -> list[tuple[Seconds, Seconds, list[_Token]]]:
    """Halve a window until the words of each part fit the text input."""
    if not tokens or count_tokens(" ".join(token.text for token in tokens)) <= max_tokens:
        return [(left, right, tokens)]
    if len(tokens) == 1:
        if len(tokens[0].text) < 2:  # a single character is never cut further
            return [(left, right, tokens)]
        tokens = _split(tokens[0])
    half = len(tokens) // 2
    cut = min(max((tokens[half - 1].end + tokens[half].start) / 2, left), right)
    return [
        *_fit(left, cut, tokens[:half], count_tokens, max_tokens),
        *_fit(cut, right, tokens[half:], count_tokens, max_tokens),
    ]


def _split(token: _Token) -> list[_Token]:
    """Cut one overlong word (a web address, a line of noise) in two."""
    half = len(token.text) // 2
    middle = (token.start + token.end) / 2
    return [
        _Token(text=token.text[:half], start=token.start, end=middle, confidence=token.confidence),
        _Token(text=token.text[half:], start=middle, end=token.end, confidence=token.confidence),
    ]
