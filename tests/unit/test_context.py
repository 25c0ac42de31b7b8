"""The request context: copies, rights, and what other services may send."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_context import context as oslo_context

from computed.context import RequestContext, get_admin_context


def test_an_elevated_context_is_a_copy() -> None:
    user = RequestContext(user_id="user", project_id="project", roles=["member"], is_admin=False)
    raised = user.elevated(read_deleted="yes")
    assert (raised.is_admin, "admin" in raised.roles, raised.read_deleted) == (True, True, "yes")
    assert (user.is_admin, user.roles, user.read_deleted) == (False, ["member"], "no")
    assert raised.request_id == user.request_id


def test_the_agents_own_context_does_not_replace_that_of_the_request_under_way() -> None:
    request = RequestContext(user_id="user")
    get_admin_context()
    assert oslo_context.get_current() is request


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-01-02T03:04:05.000006", "2026-01-02T03:04:05.000006"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05.000000"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000000"),
    ],
)
def test_a_time_is_read_with_and_without_microseconds_and_offset(sent: str, read: str) -> None:
    assert RequestContext.from_dict({"timestamp": sent}).to_dict()["timestamp"] == read


@pytest.mark.parametrize("values", [{}, {"unheard_of": 1, "service_catalog": None, "roles": None}])
def test_keys_that_are_missing_or_unknown_do_no_harm(values: dict[str, Any]) -> None:
    context = RequestContext.from_dict(values)
    assert (context.read_deleted, context.service_catalog, context.is_admin) == ("no", [], False)


def test_deleted_records_are_seen_in_three_ways_only() -> None:
    with pytest.raises(ValueError, match="maybe"):
        RequestContext(read_deleted="maybe")
