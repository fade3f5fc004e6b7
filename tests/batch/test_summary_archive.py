"""What is said of a batch's calls together: hand-worked archives, and odd ones."""

import datetime
import json

import pytest

from mmser.batch.records import CallRow
from mmser.batch.store import report_folder
from mmser.batch.summary.reading import open_archive
from mmser.batch.summary.records import ArchiveSummary
from mmser.batch.summary.summarizing import SummaryOptions, summarize_archive
from mmser.batch.tables import call_schema, call_table_row
from mmser.errors import DataError, UsageError
from mmser.pipeline import EmotionPipeline
from mmser.report.palette import UNCERTAIN
from tests.batch.made_archive import MODEL, call_of, made_rows, write_archive


def summary_of(folder, rows=None, *, user=None, **options):
    if rows is not None:
        write_archive(folder, rows, user=user)
    return summarize_archive(open_archive(folder), folder / "summary", SummaryOptions(**options))


def share(summary, label, role="customer"):
    (shares,) = (one for one in summary.shares if one.role == role)
    return next(one.share for one in shares.labels if one.label == label)


def test_shares_are_weighted_by_scored_talk_by_hand(tmp_path):
    rows = [
        call_of("a", shares={"anger": 0.5, "neutral": 0.5}, scored_time=10.0, duration=100.0),
        call_of(
            "b", shares={"happiness": 0.2, "sadness": 0.2, UNCERTAIN: 0.6}, scored_time=30.0, duration=260.0
        ),
        call_of("c", shares={}, scored_time=None, first=None, last=None, duration=None),
    ]
    found = summary_of(tmp_path, rows)
    (customers,) = found.shares
    assert share(found, "anger").value == 0.125  # 5 of 40 seconds
    assert share(found, UNCERTAIN).value == 0.45
    assert (customers.negative.value, customers.positive.value) == (0.275, 0.15)
    assert (customers.calls, customers.hours) == (2, round(40 / 3600, 3))
    assert (found.calls, found.without_sound, found.hours) == (3, 1, 0.1)
    assert customers.negative.low is None
    assert any("no interval is given under 5" in text for text in found.warnings)


def test_turns_are_counted_by_role_and_why_they_have_no_emotion(tmp_path):
    rows = [
        call_of(
            "a", customer_num_turns=5, customer_num_scored=4, customer_num_abstained=2, unknown_num_turns=3
        ),
        call_of("b", agent_num_turns=7, agent_num_scored=6, agent_reason="safety", system_num_turns=2),
    ]
    roles = {one.role: one for one in summary_of(tmp_path, rows).roles}
    assert (roles["customer"].turns, roles["customer"].scored, roles["customer"].abstained) == (17, 15, 3)
    assert (roles["customer"].withheld, roles["customer"].unanswered) == (0, 2)
    assert (roles["agent"].withheld, roles["agent"].unanswered) == (12, 1)
    assert (roles["unknown"].withheld, roles["system"].withheld) == (3, 2)
    assert roles["unknown"].words_per_minute is None  # and no 0


def test_agents_shares_are_told_together_and_only_of_calls_with_a_reason(tmp_path):
    scored = {"agent_scored_time": 10.0, "agent_share_anger": 1.0}
    rows = [call_of(f"c{n}", queue="q", **scored) for n in range(6)]
    assert [one.role for one in summary_of(tmp_path / "without", rows).shares] == ["customer"]
    rows[0] |= {"agent_reason": "safety"}
    found = summary_of(tmp_path / "one", rows, by=("queue",))
    assert {one.role: one.calls for one in found.shares} == {"customer": 6, "agent": 1}
    assert share(found, "anger", "agent").value == 1.0
    assert "agent" not in json.dumps([table.to_dict() for table in found.tables])


def test_a_recording_under_several_ids_counts_once_under_the_smallest(tmp_path):
    rows = [call_of(name, audio_sha256=sound) for name, sound in (("b", "x"), ("a", "x"), ("c", "y"))]
    rows += [call_of("d", audio_sha256=None), call_of("e", audio_sha256=None)]
    rows[0] |= {"rules": '["of b"]'}
    rows[1] |= {"rules": '["of a"]'}
    found = summary_of(tmp_path, rows)
    assert (found.calls, found.duplicates) == (4, 1)
    assert [one.rule for one in found.rules] == ["of a"]
    assert any("1 call left out: the same recording" in text for text in found.warnings)


def test_recordings_are_told_apart_over_parts(tmp_path):
    write_archive(tmp_path, [call_of("b", audio_sha256="x"), call_of("z")])
    write_archive(tmp_path, [call_of("a", audio_sha256="x"), call_of("y")])
    assert summary_of(tmp_path).duplicates == 1


def test_untimed_calls_are_in_no_share_and_are_told(tmp_path):
    rows = [call_of(f"c{n}", shares={"anger": 1.0}, scored_time=None) for n in range(3)]
    found = summary_of(tmp_path, [*rows, call_of("timed")])
    assert share(found, "anger").value == 0.0
    assert found.shares[0].untimed == 3
    assert any("3 calls without times" in text for text in found.warnings)
    alone = summary_of(tmp_path / "alone", rows)
    assert alone.shares[0].negative.value is None


def test_weeks_run_over_new_year_with_gaps(tmp_path):
    days = ["2025-12-22"] * 5 + ["2025-12-31"] * 2 + ["2026-01-01"] * 3 + ["2026-01-12"]
    rows = [
        call_of(f"c{n}", shares={"anger": 0.1 * (n % 5), "neutral": 0.5}, date=day)
        for n, day in enumerate(days)
    ]
    weeks = summary_of(tmp_path, rows).trend.weeks
    assert [(one.week, one.calls) for one in weeks] == [
        ("2025-W52", 5),
        ("2026-W01", 5),
        ("2026-W02", 0),
        ("2026-W03", 1),
    ]
    assert weeks[0].negative.low is not None and weeks[3].negative.low is None
    assert weeks[2].negative.value is None and weeks[2].escalation.value is None
    assert weeks[0].anger.value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("dates", "why"),
    [
        (["2026-01-05", "2026-01-11"], "all dates lie in one week, 2026-W02"),
        (["soon", "later"], "no date in 'date' is understood"),
        ([None, ""], "no date in 'date' is understood"),
    ],
)
def test_where_there_is_no_trend_one_sentence_says_why(tmp_path, dates, why):
    rows = [call_of(f"c{n}", date=date) for n, date in enumerate(dates)]
    trend = summary_of(tmp_path, rows).trend
    assert why in trend.why_none


def test_without_a_column_of_dates_one_is_asked_for_and_any_can_be_named(tmp_path):
    rows = [call_of("a", when="2026-01-05"), call_of("b", when="1769903999"), call_of("c", when="soon")]
    assert "--date" in summary_of(tmp_path, rows).trend.why_none
    trend = summary_of(tmp_path, date="when").trend
    assert (len(trend.weeks), trend.unreadable, trend.unreadable_example) == (4, 1, "soon")


def test_a_clock_that_was_never_set_does_not_stretch_the_trend(tmp_path):
    rows = [call_of(f"c{n}", date=f"2026-01-{n + 5:02d}") for n in range(10)]
    found = summary_of(
        tmp_path, [*rows, call_of("old", date="1970-01-01"), call_of("new", date="2099-01-01")]
    )
    assert len(found.trend.weeks) == 2
    assert found.trend.outside == 2
    assert any("2 calls dated more than three years" in text for text in found.warnings)


def test_the_most_escalated_come_first_and_falling_ones_never(tmp_path):
    rows = [
        call_of("b", first=0.1, last=0.5, anger=(0.2, 0.1, 0.3)),
        call_of("a", first=0.1, last=0.5, anger=(0.2, -0.1, 0.5)),
        call_of("c", first=0.1, last=0.7),
        call_of("d", first=0.5, last=0.1, anger=(-0.2, -0.3, -0.1)),
        call_of("e", first=None, last=None),
    ]
    found = summary_of(tmp_path, rows).escalation
    assert [(one.id, one.escalation, one.clear) for one in found.top] == [
        ("c", 0.6, None),
        ("a", 0.4, False),
        ("b", 0.4, True),
    ]
    assert (found.mean.value, found.mean.calls, found.rising, found.clear, found.with_interval) == (
        0.25,
        4,
        3,
        1,
        3,
    )
    assert [one.id for one in summary_of(tmp_path, top=1).escalation.top] == ["c"]


def test_links_lead_to_reports_that_are_there(tmp_path):
    rows = [call_of(name, first=0.1, last=0.5) for name in ("a b&c", "none", "../up")]
    folder = tmp_path / report_folder("a b&c")
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("x")
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "report.html").write_text("x")
    links = {one.id: one.link for one in summary_of(tmp_path, rows).escalation.top}
    assert links == {"a b&c": f"./../reports/{folder.name}/report.html", "none": None, "../up": None}


def test_rules_are_counted_with_their_calls(tmp_path):
    rules = [["shout"], ["shout", "wait"], [], ["wait"], [], ["shout"], [], [], [], []]
    rows = [call_of(f"c{n}", rules=rule, first=0.1, last=0.1 + n / 100) for n, rule in enumerate(rules)]
    found = summary_of(tmp_path, rows)
    assert [(one.rule, one.calls, one.ids) for one in found.rules] == [
        ("shout", 3, ("c5", "c1", "c0")),
        ("wait", 2, ("c3", "c1")),
    ]
    assert (found.rules[0].share.value, found.any_rule.value) == (0.3, 0.4)
    assert found.rules[1].share.low == pytest.approx(0.0567, abs=1e-4)


def test_small_groups_are_pooled_and_empty_values_named(tmp_path):
    queues = ["big"] * 7 + ["small"] * 3 + ["tiny"] * 2 + [None] * 4 + [""] + ["  "]
    rows = [call_of(f"c{n:02d}", queue=queue) for n, queue in enumerate(queues)]
    (table,) = summary_of(tmp_path, rows, by=("queue",)).tables
    assert [(one.name, one.calls, one.pooled) for one in table.groups] == [
        ("big", 7, 0),
        ("(none)", 6, 0),
        ("others", 5, 2),
    ]
    assert table.distinct == 4
    (strict,) = summary_of(tmp_path, by=("queue",), min_calls=6).tables
    others = strict.groups[-1]
    assert (others.name, others.calls, others.negative.value, others.hours) == ("others", 5, None, None)
    assert others.any_rule.value is None and others.rule_calls == {}


def test_at_most_fifty_groups_are_shown_and_a_value_a_call_makes_no_groups(tmp_path):
    rows = [call_of(f"c{n:04d}", queue=f"q{n % 60}", ticket=f"t{n}") for n in range(360)]
    queue, ticket = summary_of(tmp_path, rows, by=("queue", "ticket")).tables
    assert (len(queue.groups), queue.groups[-1].pooled, queue.groups[-1].calls) == (51, 10, 60)
    assert [(one.name, one.pooled, one.calls) for one in ticket.groups] == [("others", 360, 360)]


def test_groups_are_in_order_of_calls_and_never_of_emotions(tmp_path):
    rows = made_rows(1500)
    (table,) = summary_of(tmp_path, rows, by=("queue",)).tables
    assert [one.calls for one in table.groups] == sorted((one.calls for one in table.groups), reverse=True)
    assert {one.name: one.differs for one in table.groups}["billing"] == "higher"


def test_the_document_comes_back_as_it_was(tmp_path):
    found = summary_of(tmp_path, made_rows(120, weeks=4), by=("queue", "region"))
    assert ArchiveSummary.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert found.models == (f"{MODEL.id} {MODEL.revision}",)
    assert found.schema == "mmser.summary/1"
    assert (found.first, found.trend.weeks[0].week) >= ("2026-01-05", "2026-W02")


def test_the_order_of_parts_and_rows_changes_nothing(tmp_path):
    rows = made_rows(90, weeks=3)
    one = summary_of(tmp_path / "a" / "out", rows, by=("queue",))
    write_archive(tmp_path / "b" / "out", rows[40:])
    write_archive(tmp_path / "b" / "out", rows[:40])
    other = summary_of(tmp_path / "b" / "out", by=("queue",))
    assert one.escalation.top == other.escalation.top
    assert [(g.name, g.negative.value) for g in one.tables[0].groups] == [
        (g.name, g.negative.value) for g in other.tables[0].groups
    ]
    assert one.rules == other.rules


def test_parts_may_differ_in_columns_types_and_metadata(tmp_path):
    write_archive(tmp_path, [call_of(f"a{n}", code=7) for n in range(5)], user={"code": "int"})
    write_archive(
        tmp_path,
        [call_of(f"b{n}", code=7.0, queue="q") for n in range(5)],
        user={"queue": "string", "code": "float"},
    )
    write_archive(tmp_path, [call_of("c", code="7")], user={"code": "string"}, metadata={})
    code, queue = summary_of(tmp_path, by=("code", "queue")).tables
    assert [(one.name, one.calls) for one in code.groups] == [("7", 11)]
    assert [(one.name, one.calls) for one in queue.groups] == [("(none)", 6), ("q", 5)]


def test_one_call_is_enough(tmp_path):
    found = summary_of(tmp_path, [call_of("a", date="2026-01-05", queue="q")], by=("queue",))
    assert (found.calls, found.tables[0].groups[0].name) == (1, "others")


def test_a_real_call_in_a_real_row(tmp_path, call, pipeline: EmotionPipeline):
    import pyarrow.parquet

    report = pipeline(call[0], transcript=call[1], roles=("agent", "customer"))
    row = CallRow(id="real", audio=(str(call[0]),), columns={"queue": "billing"})
    schema = call_schema(report.model, {"queue": "string"})
    (tmp_path / "calls").mkdir()
    table = pyarrow.Table.from_pylist([call_table_row(report, row)], schema=schema)
    pyarrow.parquet.write_table(table, tmp_path / "calls" / "part-00000.parquet")
    found = summary_of(tmp_path, by=("queue",))
    (customer,) = (one for one in report.roles if one.role == "customer")
    assert {one.label: one.share.value for one in found.shares[0].labels} == pytest.approx(
        customer.shares, abs=1e-3
    )
    assert sum(one.turns for one in found.roles) == len(report.turns)
    assert found.models == (f"{report.model.id} {report.model.revision}",)
    assert found.notices == (report.policy.notice,)


def test_calls_that_failed_are_told_and_count_in_nothing(tmp_path):
    write_archive(tmp_path, [call_of("a")])
    lines = [{"id": "b", "status": "failed"}, {"id": "c", "status": "failed"}, {"id": "c", "status": "done"}]
    (tmp_path / "manifest.jsonl").write_text(
        "".join(f"{json.dumps(one)}\n" for one in lines) + '{"id": "d", "sta'
    )
    found = summary_of(tmp_path)
    assert (found.failed, found.calls) == (1, 1)
    assert any("1 call could not be analysed" in text for text in found.warnings)


def test_folders_that_are_no_batch_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        open_archive(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is not a folder"):
        open_archive(tmp_path / "file")
    with pytest.raises(DataError, match="is not a folder of mmser batch"):
        open_archive(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"id": "a", "status": "failed"}\n')
    with pytest.raises(DataError, match="no finished call, and 1 that failed"):
        open_archive(tmp_path)


def test_parts_without_rows_hold_no_call(tmp_path):
    write_archive(tmp_path, [], user={})
    with pytest.raises(DataError, match="hold no call"):
        summary_of(tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 0.5, 0.95])
def test_a_damaged_part_is_named(tmp_path, kept):
    write_archive(tmp_path, made_rows(30), per_part=15)
    part = tmp_path / "calls" / "part-00001.parquet"
    data = part.read_bytes()
    part.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(DataError, match=r"part-00001\.parquet cannot be read as Parquet"):
        open_archive(tmp_path)


def test_a_part_with_damaged_pages_is_named(tmp_path):
    write_archive(tmp_path, made_rows(200))
    part = tmp_path / "calls" / "part-00000.parquet"
    data = bytearray(part.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    part.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"part-00000\.parquet cannot be read as Parquet"):
        summary_of(tmp_path)


def test_a_foreign_table_is_refused(tmp_path):
    import pyarrow.parquet

    (tmp_path / "calls").mkdir()
    part = tmp_path / "calls" / "part-00000.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"name": ["a"]}), part)
    with pytest.raises(DataError, match="has no column 'id'"):
        open_archive(tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"id": ["a"], "duration": ["long"]}), part)
    with pytest.raises(DataError, match="column 'duration' holds string"):
        summary_of(tmp_path)


def test_agents_are_never_grouped(tmp_path):
    write_archive(tmp_path, [call_of("a", agent_name="Ada")])
    with pytest.raises(UsageError, match="names people at work"):
        summary_of(tmp_path, by=("agent_name",))


def test_a_month_of_calls_has_a_plausible_summary(tmp_path):
    found = summary_of(tmp_path, made_rows(300, weeks=5, first=datetime.date(2026, 3, 2)), by=("queue",))
    assert sum(one.share.value for one in found.shares[0].labels) == pytest.approx(1, abs=2e-3)
    assert all(one.share.low < one.share.value < one.share.high for one in found.shares[0].labels)
    assert sum(week.calls for week in found.trend.weeks) == found.calls == 300
    assert 0.1 < found.talk.non_talk.value < 0.5
    assert found.warnings == ()
