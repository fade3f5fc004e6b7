"""Views are judged where they take something away, and nowhere else; marks are told once."""

from pathlib import Path

from mmser.evaluation.telling import joined
from mmser.evaluation.views import is_of_one_kind, views_of
from tests.data.audit_fixtures import made

CLIP = Path("a.wav")
HEARD = made(id="heard", audio=CLIP)
READ = made(id="read", text="hello")
BOTH = made(id="both", audio=CLIP, text="hello")


def test_rows_of_one_modality_have_no_view_of_it():
    assert views_of([HEARD, READ]) == [] and is_of_one_kind([HEARD, READ])
    assert not is_of_one_kind([HEARD]) and not is_of_one_kind([HEARD, READ, BOTH])


def test_each_modality_is_judged_alone_on_the_rows_that_have_both():
    sound, words = views_of([HEARD, READ, BOTH])
    assert (sound.name, words.name) == ("audio only", "text only")
    assert sound.told == words.told == {"made/both"}
    assert sound.rows == (HEARD, BOTH) and words.rows == (READ, BOTH)  # the others are what is around them


def test_context_is_taken_from_turns_that_have_some():
    first, second = (made(id=str(i), text="hi", dialogue_id="made/call", turn_index=i) for i in (0, 1))
    alone = made(id="2", text="hi", dialogue_id="made/other")
    (view,) = views_of([first, READ, second, alone])
    assert (view.name, view.context) == ("without context", False)
    assert view.rows == (first, second) and view.told == {"made/0", "made/1"}


def test_unlabelled_turns_are_no_reason_for_a_view():
    silent = [made(id=str(i), text="hi", emotions=(), dialogue_id="made/call") for i in (0, 1)]
    assert views_of([READ, *silent]) == []


def test_a_mark_is_told_once_however_many_say_it():
    assert joined("a: x; b: y", None, "b: y", "c: z") == "a: x; b: y; c: z"
    assert joined("unknown", "unknown") == "unknown" and joined(None, "") is None
    # What follows a corpus's clause without a name of its own belongs to it.
    assert joined("a: x; 6 of 12; b: y; 6 of 12", "b: y; 6 of 12") == "a: x; 6 of 12; b: y; 6 of 12"
