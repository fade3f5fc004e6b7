"""Rev.ai: monologues of elements; punctuation, single spaces too, has no times."""

from mmser.transcripts.entries import Entry, Parsed, attach_punctuation
from mmser.transcripts.fields import (
    Json,
    confidence,
    get,
    is_object,
    language_code,
    objects,
    optional_seconds,
    string,
)
from mmser.transcripts.names import numbered
from mmser.types import Word


def sniff_revai(data: object) -> bool:
    """Tell whether JSON is a Rev.ai transcript."""
    return is_object(get(data, "monologues", 0), "elements")


def read_revai(data: object) -> Parsed:
    """Read each monologue as a turn.

    Raises:
        TranscriptError: if an element is malformed.
    """
    people = get(data, "speakers")
    names = {
        person.get("id"): person.get("name")
        for person in (people if isinstance(people, list) else [])
        if isinstance(person, dict) and isinstance(person.get("id"), int | str)
    }
    entries = []
    for index, monologue in enumerate(objects(get(data, "monologues"), "monologues")):
        where = f"monologues[{index}]"
        elements = objects(monologue.get("elements"), f"{where}.elements")
        label = monologue.get("speaker")
        named = names.get(label) if isinstance(label, int | str) else None
        info = get(monologue, "speaker_info", "display_name")
        entries.append(
            Entry(
                where=where,
                speaker=numbered(info or named or label),
                text="".join(
                    string(element, "value", f"{where}.elements[{number}]")
                    for number, element in enumerate(elements)
                ),
                words=_words(elements, where),
            )
        )
    return Parsed(
        format="revai", entries=entries, language=language_code(get(data, "language")), file_order=False
    )


def _words(elements: list[Json], where: str) -> list[Word]:
    words: list[Word] = []
    for index, element in enumerate(elements):
        text = element["value"].strip()
        place = f"{where}.elements[{index}]"
        if element.get("type") == "punct" and words:
            words[-1] = attach_punctuation(words[-1], text)
        elif text:
            words.append(
                Word(
                    text=text,
                    start=optional_seconds(element.get("ts"), f"{place}.ts"),
                    end=optional_seconds(element.get("end_ts"), f"{place}.end_ts"),
                    confidence=confidence(element.get("confidence")),
                )
            )
    return words
