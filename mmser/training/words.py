"""Words cut to what the text encoder takes at once."""

from collections.abc import Callable, Sequence


def fitting(words: Sequence[str], most: int, count_tokens: Callable[[str], int]) -> list[str]:
    """Return the first words that make at most `most` tokens; of one that is too long alone, its beginning.

    A row of symbols, a web address or a text without spaces is one word of any number of tokens.

    Args:
        words: of one text.
        most: tokens, special ones included.
        count_tokens: how many tokens the tokenizer makes of a text.
    """
    if not words or count_tokens(" ".join(words)) <= most:
        return list(words)
    # The token count is asked for each length that is tried: what is returned was seen to fit.
    count = _longest(len(words), lambda length: count_tokens(" ".join(words[:length])) <= most)
    if count:
        return list(words[:count])
    length = _longest(len(words[0]), lambda length: count_tokens(words[0][:length]) <= most)
    return [words[0][:length]] if length else []


def _longest(size: int, fits: Callable[[int], bool]) -> int:
    """Return a length below `size` that fits where one more does not; 0 where not even 1 does."""
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
