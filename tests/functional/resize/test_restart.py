"""Agents that die in the middle of a resize and come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.clients.compute import ComputeClient
from computed.operations import recover
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import (
    MICRO,
    NANO,
    SECOND,
    audit,
    flavor_of,
    guests,
    port_hosts,
    states_of,
    used_mib,
)

BEFORE_OR_AFTER = pytest.mark.parametrize("moment", ["before", "after"])


class Death(BaseException):
    """Ends a verb where it is: nobody handles it, as nobody handles kill -9."""


def die_in(cloud: Cloud, host: str, method: str, moment: str) -> None:
    """Let the agent die before or after its driver has done something."""
    driver = cloud.agents[host].host.driver
    do = getattr(driver, method)

    def die(*arguments: Any, **more: Any) -> Any:
        if moment == "after":
            do(*arguments, **more)
        raise Death

    setattr(driver, method, die)


def die_at(patch: pytest.MonkeyPatch, function: str) -> list[Any]:
    """Let an agent die before it calls a function; what it was called with is there when it has died."""
    died: list[Any] = []

    def die(*arguments: Any, **more: Any) -> Any:
        died.append(arguments)
        raise Death

    patch.setattr(function, die)
    return died


def lose(cloud: Cloud, host: str, method: str) -> list[Callable[[], None]]:
    """Let an agent die before it has sent a message; what it would have sent can be sent later."""
    client = cloud.agents[host].host.computes
    lost: list[Callable[[], None]] = []

    def send(*order: Any, **given: Any) -> None:
        ComputeClient._cast(cloud.agents[host].host.computes, *order, **given)

    def cast(context: Any, to: str, name: str, **given: Any) -> None:
        if name != method:
            send(context, to, name, **given)
            return
        lost.append(lambda: send(context, to, name, **given))
        raise Death

    client._cast = cast  # type: ignore[method-assign]
    return lost


def restart(cloud: Cloud, host: str) -> None:
    """Kill an agent, if it is not dead in all but name already, and start it again."""
    cloud.settle()
    if host == HOST:
        cloud.kill_agent()
        cloud.start_agent()
    else:
        cloud.agents[host].kill()
        cloud.agents[host].start()
    cloud.settle()


def is_as_before(cloud: Cloud, role: ConductorRole, uuid: str, migration: str) -> None:
    """The server is where and what it was before it was resized, and nothing of the resize is left."""
    assert states_of(cloud, uuid)[1:] == (None, HOST, HOST)
    row = cloud.row(uuid)
    assert (row["old_flavor"], row["new_flavor"], row["migration_context"]) == (None, None, None)
    assert flavor_of(cloud, uuid) == "m1.nano" and "old_vm_state" not in row["system_metadata"]
    assert role.holds(uuid) == {HOST: NANO} and role.holds(migration) == {}
    assert port_hosts(cloud, uuid) == {HOST} and guests(cloud, SECOND) == {}
    audit(cloud)
    assert [used_mib(cloud, host) for host in (HOST, SECOND)] == [128, 0]


def is_resized(cloud: Cloud, role: ConductorRole, uuid: str, migration: str) -> None:
    """The resize has been finished, and can be confirmed."""
    assert states_of(cloud, uuid) == ("resized", None, SECOND, SECOND)
    assert role.migration(migration).status == "finished"
    assert (flavor_of(cloud, uuid), flavor_of(cloud, uuid, "old_flavor")) == ("m1.micro", "m1.nano")
    assert role.holds(uuid) == {SECOND: MICRO} and role.holds(migration) == {HOST: NANO}
    assert guests(cloud, SECOND) == {uuid: 1} and port_hosts(cloud, uuid) == {SECOND}
    audit(cloud)
    assert [used_mib(cloud, host) for host in (HOST, SECOND)] == [128, 256]
    role.confirm(uuid)
    assert states_of(cloud, uuid) == ("active", None, SECOND, SECOND)
    assert cloud.faults(uuid) == []


def test_destination_dies_before_the_source_is_told(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    lost = lose(pair, SECOND, "resize_instance")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait(lambda: lost, "the message")
    restart(pair, SECOND)
    restart(pair, HOST)
    assert states_of(pair, uuid)[0] == "active"
    is_as_before(pair, role, uuid, migration)
    assert role.migration(migration).status == "error"
    lost[0]()
    pair.settle()
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 1} and pair.faults(uuid) == []


def test_destination_ends_what_the_source_never_heard_of(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    lost = lose(pair, SECOND, "resize_instance")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait(lambda: lost, "the message")
    monkeypatch.setattr(recover, "SECOND_LOOK_SECONDS", 0.1)
    restart(pair, SECOND)
    pair.wait_for(uuid, task_state=None)
    pair.settle()
    assert states_of(pair, uuid)[0] == "active" and role.migration(migration).status == "error"
    is_as_before(pair, role, uuid, migration)


def test_destination_leaves_alone_what_the_source_has_heard_of(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    lost = lose(pair, SECOND, "resize_instance")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait(lambda: lost, "the message")
    monkeypatch.setattr(recover, "SECOND_LOOK_SECONDS", 1.0)
    restart(pair, SECOND)
    lost[0]()
    pair.wait_for(uuid, vm_state="resized", task_state=None)
    time.sleep(1.2)
    pair.settle()
    is_resized(pair, role, uuid, migration)


def test_source_forgets_a_resize_before_its_order_comes(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    lost = lose(pair, SECOND, "resize_instance")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait(lambda: lost, "the message")
    pair.settle()
    pair.set_fields(uuid, task_state=None)
    lost[0]()
    pair.settle()
    assert role.migration(migration).status == "error"
    is_as_before(pair, role, uuid, migration)


@BEFORE_OR_AFTER
@pytest.mark.parametrize("is_stopped", [False, True])
def test_source_dies_with_the_disks(pair: Cloud, moment: str, is_stopped: bool) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    if is_stopped:
        pair.verb(uuid, "stop")
    die_in(pair, HOST, "migrate_disk_and_power_off", moment)
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait_for(uuid, task_state="resize_migrating")
    pair.settle()
    restart(pair, HOST)
    assert states_of(pair, uuid)[0] == ("stopped" if is_stopped else "active")
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 4 if is_stopped else 1}
    assert role.migration(migration).status == "error"
    role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid)[0] == "resized"


def test_guest_that_cannot_be_made_again_is_an_error(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    die_in(pair, HOST, "migrate_disk_and_power_off", "after")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait_for(uuid, task_state="resize_migrating")
    pair.conf.set_override("fail", ["finish_revert_migration:*"], group="fake")
    restart(pair, HOST)
    assert states_of(pair, uuid) == ("error", None, HOST, HOST)
    assert role.holds(uuid) == {HOST: NANO} and role.holds(migration) == {}
    assert role.migration(migration).status == "error"
    assert len(pair.faults(uuid)) == 1


def test_destination_goes_on_when_the_order_was_lost(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    lost = lose(pair, HOST, "finish_resize")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait_for(uuid, task_state="resize_migrated")
    restart(pair, SECOND)
    lost[0]()
    pair.settle()
    is_resized(pair, role, uuid, migration)


@BEFORE_OR_AFTER
def test_destination_dies_with_the_guest(pair: Cloud, moment: str) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    die_in(pair, SECOND, "finish_migration", moment)
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait_for(uuid, task_state="resize_finish")
    restart(pair, SECOND)
    is_resized(pair, role, uuid, migration)


@BEFORE_OR_AFTER
def test_destination_dies_in_a_revert(pair: Cloud, moment: str) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    die_in(pair, SECOND, "destroy", moment)
    role.revert(uuid, wait=False)
    pair.settle()
    restart(pair, SECOND)
    role.rest(uuid)
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 1} and role.migration(migration).status == "reverted"


def test_destination_dies_before_the_source_takes_it_back(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    lost = lose(pair, SECOND, "finish_revert_resize")
    role.revert(uuid, wait=False)
    pair.wait(lambda: lost, "the message")
    restart(pair, SECOND)
    role.rest(uuid)
    lost[0]()
    pair.settle()
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 1}


@BEFORE_OR_AFTER
def test_source_dies_taking_it_back(pair: Cloud, moment: str) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    die_in(pair, HOST, "finish_revert_migration", moment)
    role.revert(uuid, wait=False)
    pair.wait(lambda: pair.row(uuid)["host"] == HOST, "the way back")
    restart(pair, HOST)
    assert states_of(pair, uuid)[0] == "active"
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 1}


@BEFORE_OR_AFTER
def test_source_dies_in_a_confirmation(pair: Cloud, moment: str) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    die_in(pair, HOST, "confirm_migration", moment)
    role.confirm(uuid, wait=False)
    pair.settle()
    assert states_of(pair, uuid)[0] == "resized"
    restart(pair, HOST)
    pair.wait_for(uuid, vm_state="active")
    pair.settle()
    assert role.migration(migration).status == "confirmed" and role.holds(migration) == {}
    assert not pair.host.driver.has_disks_of(pair.instance(uuid))
    audit(pair)
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [0, 256]


LATE_IN_A_CONFIRMATION = {
    "before it drops the allocation": "computed.steps.resizing.drop_allocation",
    "before the server is active": "computed.operations.resize.confirm.advance",
    "before it gives its place back": "computed.resources.tracker.ResourceTracker.release",
    "before the migration is confirmed": "computed.operations.resize.confirm.set_migration_status",
}


@pytest.mark.parametrize("moment", LATE_IN_A_CONFIRMATION)
@pytest.mark.parametrize("is_deleted", [False, True])
def test_source_dies_late_in_a_confirmation(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch, moment: str, is_deleted: bool
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    with monkeypatch.context() as patch:
        died = die_at(patch, LATE_IN_A_CONFIRMATION[moment])
        role.confirm(uuid, wait=False)
        pair.wait(lambda: died, "death")
        pair.settle()
    if is_deleted:
        pair.delete(uuid)
    restart(pair, HOST)
    assert role.holds(migration) == {}
    if is_deleted:
        assert role.holds(uuid) == {} and guests(pair, SECOND) == {}
    else:
        assert states_of(pair, uuid) == ("active", None, SECOND, SECOND)
        assert role.migration(migration).status == "confirmed" and role.holds(uuid) == {SECOND: MICRO}
        row = pair.row(uuid)
        assert (row["old_flavor"], row["new_flavor"], row["migration_context"]) == (None, None, None)
        assert not pair.host.driver.has_disks_of(pair.instance(uuid)) and pair.faults(uuid) == []
    audit(pair)
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [0, 0 if is_deleted else 256]


def test_a_server_that_is_confirmed_stays_so_whatever_becomes_of_the_last_record(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)

    def refuse(*arguments: Any, **more: Any) -> None:
        raise errors.NovaException("deadlock")

    with monkeypatch.context() as patch:
        patch.setattr("computed.operations.resize.confirm.set_migration_status", refuse)
        role.confirm(uuid)
    assert states_of(pair, uuid) == ("active", None, SECOND, SECOND) and pair.faults(uuid) == []
    assert role.migration(migration).status == "confirming"
    restart(pair, HOST)
    assert role.migration(migration).status == "confirmed" and role.holds(migration) == {}
    assert states_of(pair, uuid) == ("active", None, SECOND, SECOND)


def test_source_dies_after_a_confirmation_has_failed(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    role.set_migration(migration, status="confirming")
    pair.set_fields(uuid, vm_state="error")
    restart(pair, HOST)
    assert states_of(pair, uuid) == ("error", None, SECOND, SECOND)
    assert role.migration(migration).status == "error" and role.holds(migration) == {}
