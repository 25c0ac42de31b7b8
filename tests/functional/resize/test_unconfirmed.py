"""Resizes that nobody confirms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from oslo_utils import timeutils

from computed import errors
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND, states_of

TASK = "_poll_unconfirmed_resizes"
LONG_AGO = "2001-01-01T00:00:00Z"


def resized(pair: Cloud, *, ago: str = LONG_AGO) -> tuple[ConductorRole, str, str]:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    pair.agents[SECOND].conf.set_override("resize_confirm_window", 60)
    with pair.embedded.store.transaction() as records:
        row = records.first("Migration", uuid=migration)
        assert row is not None
        records.update("Migration", row, {"updated_at": ago})
    return role, uuid, migration


def test_it_is_confirmed_when_its_time_is_over(pair: Cloud) -> None:
    role, uuid, migration = resized(pair)
    pair.run_periodic(TASK)
    assert states_of(pair, uuid)[0] == "resized", "only the destination looks after it"
    pair.agents[SECOND].run_periodic(TASK)
    pair.wait_for(uuid, vm_state="active")
    pair.settle()
    assert role.migrations(uuid)[0]["status"] == "confirmed"
    assert role.holds(migration) == {}
    actions = [row["action"] for row in pair.rows("InstanceAction", instance_uuid=uuid)]
    assert actions[-1] == "confirmResize"
    assert pair.events(uuid)[-1] == ("compute_confirm_resize", "Success")


def nobody(*arguments: Any, **more: Any) -> Any:
    raise errors.ComputeUnavailable("the bus is lost")


def lost(proceed: Callable[[], Any]) -> Any:
    proceed()
    raise errors.InternalError(err="lost on the way back")


def breaks_action(pair: Cloud, patch: pytest.MonkeyPatch) -> None:
    pair.trouble("InstanceAction", "action_start", errors.InternalError(err="no"))


def breaks_cast(pair: Cloud, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pair.agents[SECOND].host.computes, "_cast", nobody)


def loses_save(pair: Cloud, patch: pytest.MonkeyPatch) -> None:
    pair.trouble("Migration", "save", lost)


@pytest.mark.parametrize("breaks", [breaks_action, breaks_cast, loses_save])
def test_what_could_not_be_ordered_may_be_confirmed_later(
    pair: Cloud, breaks: Callable[[Cloud, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("computed.periodic.unconfirmed_resizes.SHORT_PATIENCE_SECONDS", 0.0)
    role, uuid, _ = resized(pair)
    with monkeypatch.context() as patch:
        breaks(pair, patch)
        pair.agents[SECOND].run_periodic(TASK)
        pair.settle()
    assert role.migrations(uuid)[0]["status"] == "finished"
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)
    role.confirm(uuid)
    assert states_of(pair, uuid)[:2] == ("active", None)


def test_a_bus_that_is_lost_for_a_moment_is_waited_for(pair: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("computed.steps.patience.FIRST_PAUSE_SECONDS", 0.01)
    role, uuid, _ = resized(pair)
    computes, refused = pair.agents[SECOND].host.computes, []
    send = computes._cast

    def cast(*arguments: Any, **more: Any) -> None:
        if not refused:
            refused.append(arguments)
            nobody()
        send(*arguments, **more)

    monkeypatch.setattr(computes, "_cast", cast)
    pair.agents[SECOND].run_periodic(TASK)
    pair.wait_for(uuid, vm_state="active")
    pair.settle()
    assert len(refused) == 1 and role.migrations(uuid)[0]["status"] == "confirmed"


def test_an_order_that_arrived_all_the_same_is_not_taken_back(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("computed.periodic.unconfirmed_resizes.SHORT_PATIENCE_SECONDS", 0.0)
    role, uuid, _ = resized(pair)
    computes = pair.agents[SECOND].host.computes
    send = computes._cast

    def cast(*arguments: Any, **more: Any) -> None:
        send(*arguments, **more)
        pair.wait_for(uuid, vm_state="active", task_state=None)
        nobody()

    monkeypatch.setattr(computes, "_cast", cast)
    pair.agents[SECOND].run_periodic(TASK)
    pair.settle()
    assert role.migrations(uuid)[0]["status"] == "confirmed"


def set_service(pair: Cloud, host: str, **fields: Any) -> None:
    with pair.embedded.store.transaction() as records:
        row = records.first("Service", host=host)
        assert row is not None
        records.update("Service", row, fields)


@pytest.mark.parametrize(
    "down",
    [{"forced_down": True}, {"last_seen_up": LONG_AGO}, {"last_seen_up": None, "created_at": LONG_AGO}],
    ids=["forced down", "silent", "never heard of"],
)
def test_it_waits_for_a_source_that_is_down(pair: Cloud, down: dict[str, Any]) -> None:
    role, uuid, _ = resized(pair)
    pair.agents[HOST].kill()
    set_service(pair, HOST, **down)
    pair.agents[SECOND].run_periodic(TASK)
    pair.agents[SECOND].wait_idle(10)
    assert role.migrations(uuid)[0]["status"] == "finished"
    assert "confirmResize" not in [row["action"] for row in pair.rows("InstanceAction", instance_uuid=uuid)]
    pair.start_agent()
    set_service(pair, HOST, forced_down=False, last_seen_up=timeutils.utcnow().isoformat() + "Z")
    pair.agents[SECOND].run_periodic(TASK)
    pair.wait_for(uuid, vm_state="active")
    pair.settle()
    assert role.migrations(uuid)[0]["status"] == "confirmed"


def test_it_waits_while_nobody_can_say_whether_the_source_is_up(pair: Cloud) -> None:
    role, uuid, _ = resized(pair)
    pair.trouble("Service", "get_by_compute_host", errors.InternalError(err="no"))
    pair.agents[SECOND].run_periodic(TASK)
    pair.settle()
    assert role.migrations(uuid)[0]["status"] == "finished"


def test_between_cells_the_conductor_finds_the_source(pair: Cloud) -> None:
    """The record of its service is in the other cell, which this one cannot read."""
    role, uuid, migration = resized(pair)
    with pair.embedded.store.transaction() as records:
        row = records.first("Migration", uuid=migration)
        assert row is not None
        records.update("Migration", row, {"cross_cell_move": True, "updated_at": LONG_AGO})
    with pair.counting() as counts:
        pair.agents[SECOND].run_periodic(TASK)
    assert counts.conductor["Service", "get_by_compute_host"] == 0
    assert role.migrations(uuid)[0]["status"] == "confirming"


def test_not_before_its_time(pair: Cloud) -> None:
    role, uuid, _ = resized(pair, ago="2999-01-01T00:00:00Z")
    pair.agents[SECOND].run_periodic(TASK)
    pair.settle()
    assert role.migrations(uuid)[0]["status"] == "finished"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"vm_state": "error"}, "error"),
        ({"vm_state": "active"}, "error"),
        ({"task_state": "rebooting"}, "error"),
        ({"task_state": "deleting"}, "finished"),
        ({"task_state": "resize_finish"}, "finished"),
    ],
)
def test_states_that_forbid_it(pair: Cloud, fields: dict[str, Any], status: str) -> None:
    role, uuid, _ = resized(pair)
    pair.set_fields(uuid, **fields)
    pair.agents[SECOND].run_periodic(TASK)
    pair.settle()
    assert role.migrations(uuid)[0]["status"] == status
    assert len(pair.events(uuid)) == 4
