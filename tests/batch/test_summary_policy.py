"""Which columns may divide calls: none that names people at work."""

import pytest

from mmser.batch.summary.columns import check_groups, date_column, groupable, is_of_workers
from mmser.errors import UsageError


@pytest.mark.parametrize(
    "name",
    [
        *(
            "agent",
            "Agent",
            "AGENT_ID",
            "agentId",
            "AgentID",
            "agent name",
            "call-agent",
            "callAgent",
            "agents",
        ),
        *("advisor", "adviser_id", "employee", "employeeNumber", "operator", "rep", "Rep_ID", "repname"),
        *("representative", "sales_rep", "staff", "staff_id", "user_id", "userId", "USER", "username"),
        *("handled_by", "handledBy", "answered by", "assigned_to", "taken_by", "worker", "supervisor"),
        *("csr", "input_agent_id", "Mitarbeiter", "conseiller_id", "ａｇｅｎｔ", "agent.id", "agentname"),
        *("login", "clerk", "consultants", "team_leader_agent"),
    ],
)
def test_people_at_work_are_known_by_many_names(name):
    assert is_of_workers(name)
    with pytest.raises(UsageError, match=r"names people at work.*Art\. 5\(1\)\(f\).*queue"):
        check_groups([name], [name])


@pytest.mark.parametrize(
    "name",
    [
        *("queue", "product", "region", "customer_id", "customer_user_id", "reply", "report", "repair"),
        *("agency", "operation", "team", "site", "shift", "channel", "priority", "served_region", "status"),
        *("language", "state", "branch", "closed", "übergabe", "用途", "", "1"),
    ],
)
def test_other_columns_divide_calls(name):
    assert not is_of_workers(name)
    assert check_groups([name, name], [name]) == (name,)


def test_an_unknown_column_is_met_with_near_names_or_all_there_are():
    with pytest.raises(UsageError, match="did you mean 'queue'"):
        check_groups(["Queu"], ["queue", "product"])
    with pytest.raises(UsageError, match="there are queue, product"):
        check_groups(["weather"], ["queue", "product"])
    with pytest.raises(UsageError, match="no columns beside its own"):
        check_groups(["queue"], [])


def test_the_column_of_dates_is_found_by_its_name():
    assert date_column(["queue", "Started At", "timestamp"], None) == "Started At"
    assert date_column(["queue", "started"], None) is None
    assert date_column(["queue", "when", "date"], "when") == "when"
    with pytest.raises(UsageError, match=r"--date 'dat'.*did you mean 'date'"):
        date_column(["queue", "date"], "dat")


def test_columns_are_offered_without_people_and_dates():
    assert groupable(["queue", "agent_id", "started_at", "region"]) == ("queue", "region")
