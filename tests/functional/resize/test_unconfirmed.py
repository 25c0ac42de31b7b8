"""Resizes that nobody confirms."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND, states_of

TASK = "_poll_unconfirmed_resizes"


def resized(pair: Cloud, *, ago: str = "2001-01-01T00:00:00Z") -> tuple[ConductorRole, str, str]:
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
