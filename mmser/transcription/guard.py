"""What a recogniser of the Whisper family makes up, told from what was said.

Trained on subtitles, Whisper fills silence and noise with phrases of their makers, and falls into loops
(Koenecke et al. 2024, "Careless Whisper"); its own confidence is often high there.
"""

import itertools
import re
import unicodedata
import zlib
from collections.abc import Sequence

from mmser.speech import Speech
from mmser.transcription.segments import Segment

MAX_COMPRESSION = 2.4  # Whisper's own threshold (Radford et al. 2022, section 4.5)
MIN_LOG_PROBABILITY = -1.0  # likewise, together with `MAX_NO_SPEECH`
MAX_NO_SPEECH = 0.6
HOPELESS = -1.6  # mean log-probability under which words are guesses, whoever speaks
MIN_VOICED = 0.2  # share of a segment in which voice activity heard somebody
QUIET = 0.5  # share under which a stock phrase is not believed
MAX_RATE = 40.0  # characters a second; the fastest talkers make about 25
MIN_LOOP = 4  # times that a phrase of several words follows itself
MIN_WORD_LOOP = 9  # times that one word does: "no, no, no, no" is what an angry caller says
LOOP_SHARE = 0.5  # of the words

_DIGITS = (
    "zero oh one two three four five six seven eight nine "
    "null eins zwei zwo drei vier funf sechs sieben acht neun "
    "cero uno dos tres cuatro cinco seis siete ocho nueve "
    "un deux trois quatre cinq sept huit neuf"
)
DIGIT_WORDS = frozenset(_DIGITS.split())

# Phrases that subtitles end with, as Whisper writes them over silence; compared as `plain` makes them.
_STOCK = (
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "thanks for watching and dont forget to like and subscribe",
    "please subscribe",
    "please subscribe to my channel",
    "like and subscribe",
    "dont forget to subscribe",
    "see you in the next video",
    "see you next time",
    "subtitles by the amara org community",
    "subtitles by amara org",
    "transcription by castingwords",
    "transcribed by https otter ai",
    "thank you",
    "thanks",
    "bye",
    "bye bye",
    "you",
    "music",
    "applause",
    "silence",
    "blank audio",
    "untertitel der amara org community",
    "untertitel im auftrag des zdf fur funk 2017",
    "untertitelung des zdf 2020",
    "vielen dank furs zuschauen",
    "vielen dank",
    "sous titres realises para la communaute d amara org",
    "sous titrage st 501",
    "sous titrage societe radio canada",
    "merci d avoir regarde cette video",
    "subtitulos realizados por la comunidad de amara org",
    "gracias por ver el video",
    "sottotitoli creati dalla comunita amara org",
    "sottotitoli e revisione a cura di qtss",
    "grazie per la visione",
    "napisy stworzone przez spolecznosc amara org",
    "dziekuje za uwage",
    "dziekuje",
    "legendas pela comunidade amara org",
    "obrigado por assistir",
    "ご視聴ありがとうございました",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    "продолжение следует",
    "субтитры сделал dimatorzok",
)


def disbelieve(segments: Sequence[Segment], speech: Speech) -> list[str | None]:
    """Return for each segment of a chunk, in order, why its words are not believed; None if they are.

    A loop may go on over segments, each of which says its phrase once. It does so without a pause: the same
    answer to one question after another is none.

    Args:
        segments: with times on the same clock as `speech`.
        speech: stretches of the chunk in which voice activity heard somebody, in seconds.
    """
    reasons = [why_unbelievable(segment, speech) for segment in segments]
    first = 0
    for _, group in itertools.groupby(
        segments, lambda segment: (_stretch(segment, speech), plain(segment.text))
    ):
        count = len(list(group))
        if count >= MIN_LOOP:
            reasons[first : first + count] = [reason or "loop" for reason in reasons[first : first + count]]
        first += count
    return reasons


def _stretch(segment: Segment, speech: Speech) -> int:
    """Return the number of the stretch of speech that a segment's middle lies in, or that is before it."""
    middle = (segment.start + segment.end) / 2
    return sum(start <= middle for start, _ in speech)


def why_unbelievable(segment: Segment, speech: Speech) -> str | None:
    """Return why the words of a segment are not believed, in a word or two; None if they are.

    Args:
        segment: with times on the same clock as `speech`.
        speech: stretches of its channel in which voice activity heard somebody, in seconds.
    """
    text = plain(segment.text)
    if not text:
        return "no words"
    voiced = _voiced_share(segment, speech)
    silent = segment.no_speech is not None and segment.no_speech > MAX_NO_SPEECH
    unsure = segment.log_probability is not None and segment.log_probability < MIN_LOG_PROBABILITY
    if voiced < MIN_VOICED:
        return "no speech"
    if silent and unsure:
        return "no speech"
    if text in STOCK and (voiced < QUIET or silent):
        return "stock phrase"
    if _is_loop(text.split()) or compression_ratio(segment.text) > MAX_COMPRESSION:
        return "loop"
    if segment.log_probability is not None and segment.log_probability < HOPELESS:
        return "low confidence"
    if len(text) > MAX_RATE * max(0.1, segment.end - segment.start):
        return "too fast"
    return None


def plain(text: str) -> str:
    """Return a text in lower case, letters and digits alone, single blanks between words, no accents."""
    without = unicodedata.normalize("NFKD", text.replace("'", "").replace("’", "").casefold())
    kept = "".join(c for c in without if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", kept)))


STOCK = frozenset(map(plain, _STOCK))


def _voiced_share(segment: Segment, speech: Speech) -> float:
    length = segment.end - segment.start
    if length <= 0:
        return 0.0
    heard = sum(max(0.0, min(end, segment.end) - max(start, segment.start)) for start, end in speech)
    return heard / length


def compression_ratio(text: str) -> float:
    """Return how many times shorter zlib makes the bytes of a text; a loop is above 2.4."""
    data = text.strip().encode("utf-8", "replace")
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _is_loop(words: Sequence[str]) -> bool:
    """Tell whether a phrase of up to eight words follows itself over most of the text.

    Numbers are read out digit by digit, and may repeat.
    """
    for size in range(1, 9):
        enough = MIN_WORD_LOOP if size == 1 else MIN_LOOP
        for first in range(size):
            run = longest = 1
            for i in range(first + size, len(words) - size + 1, size):
                phrase = words[i : i + size]
                # Several times the same word is a loop of one word, of which more is asked.
                loops = phrase == words[i - size : i] and (size == 1 or len(set(phrase)) > 1)
                run = run + 1 if loops and not _are_numbers(phrase) else 1
                longest = max(longest, run)
            if longest >= enough and longest * size >= LOOP_SHARE * len(words):
                return True
    return False


def _are_numbers(words: Sequence[str]) -> bool:
    return all(word.isdigit() or word in DIGIT_WORDS for word in words)
