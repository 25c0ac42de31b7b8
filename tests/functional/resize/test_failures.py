"""Resizes that do not go as they should: each leg failing, messages that come twice or too late."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import (
    MICRO,
    NANO,
    SECOND,
    THIRD,
    audit,
    fail,
    flavor_of,
    guests,
    port_hosts,
    states_of,
    used_mib,
)

KEPT = ("held", "used", "there")
LOST = errors.InternalError(err="lost")


class Replay:
    """Keeps what the agents, and with `role` the conductor, send the agents, to send it once more."""

    def __init__(self, cloud: Cloud, role: ConductorRole | None = None) -> None:
        self.sent: dict[str, Callable[[], None]] = {}
        self.orders: list[Callable[[], None]] = []
        if role is not None:
            self._tap_conductor(role)
        for agent in cloud.agents.values():
            self._tap(agent.host.computes)

    def _tap(self, client: Any) -> None:
        send = client._cast

        def cast(context: Any, host: str, name: str, **given: Any) -> None:
            kept = {key: copy.deepcopy(value) for key, value in given.items()}
            self.sent[name] = lambda: send(context, host, name, **kept)
            send(context, host, name, **given)

        client._cast = cast

    def _tap_conductor(self, role: ConductorRole) -> None:
        send = role._cast

        def cast(context: Any, server: str, method: str, **given: Any) -> None:
            kept = {key: copy.deepcopy(value) for key, value in given.items()}
            self.orders.append(lambda: send(context, server, method, **kept))
            send(context, server, method, **given)

        role._cast = cast  # type: ignore[method-assign]


def whole(cloud: Cloud, uuid: str) -> dict[str, Any]:
    """Everything about a server that a message which comes again must leave alone."""
    role = ConductorRole(cloud)
    row = {name: value for name, value in cloud.row(uuid).items() if name != "updated_at"}
    moves = [{**move, "updated_at": None} for move in role.migrations(uuid)]
    held = {move["uuid"]: role.holds(move["uuid"]) for move in moves}
    used = {host: used_mib(cloud, host) for host in cloud.agents}
    there = {host: guests(cloud, host) for host in cloud.agents}
    seen = (port_hosts(cloud, uuid), cloud.faults(uuid))
    return {"row": row, "moves": moves, "held": held, "used": used, "there": there, "seen": seen}


def test_resize_is_tried_on_the_next_host(pair: Cloud) -> None:
    pair.add_host(THIRD)
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    pair.trouble("Migration", "save", LOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND, alternates=[THIRD])
    assert states_of(pair, uuid) == ("resized", None, THIRD, THIRD)
    assert role.holds(uuid) == {THIRD: MICRO} and role.holds(migration) == {HOST: NANO}
    assert [used_mib(pair, host) for host in (HOST, SECOND, THIRD)] == [128, 0, 256]
    (handed,) = role.handed_back
    retry = handed["scheduler_hint"]["filter_properties"]["retry"]
    assert (retry["num_attempts"], retry["hosts"]) == (1, [[SECOND, SECOND]]) and "lost" in retry["exc"][0]
    assert [name for name, _ in pair.events(uuid)[1:]].count("compute_prep_resize") == 2
    assert len(pair.faults(uuid)) == 1
    role.confirm(uuid)
    assert states_of(pair, uuid) == ("active", None, THIRD, THIRD)


def test_no_other_host_leaves_the_server_as_it_was(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, to=HOST)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert role.holds(uuid) == {HOST: NANO} and role.holds(migration) == {}
    assert used_mib(pair, HOST) == 128 and guests(pair, HOST) == {uuid: 1}
    row = pair.row(uuid)
    assert (row["new_flavor"], row["migration_context"]) == (None, None)
    assert "is on host alone already" in pair.faults(uuid)[0]


def test_first_leg_fails_and_may_not_be_tried_again(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    pair.trouble("Migration", "save", LOST)
    pair.embedded.compute_tasks.on_migrate = None
    migration = role.resize(uuid, "m1.micro", to=SECOND, retry=False)
    assert states_of(pair, uuid) == ("error", None, HOST, HOST)
    assert role.holds(uuid) == {HOST: NANO} and role.holds(migration) == {}
    assert role.migrations(uuid)[0]["status"] == "error"
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [128, 0]
    assert pair.events(uuid)[-1] == ("compute_prep_resize", "Error")
    assert guests(pair, HOST) == {uuid: 1}


def test_source_fails(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    fail(pair, HOST, "migrate_disk_and_power_off:*")
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid) == ("error", None, HOST, HOST)
    assert flavor_of(pair, uuid) == "m1.nano"
    assert role.holds(uuid) == {HOST: NANO} and role.holds(migration) == {}
    assert role.migrations(uuid)[0]["status"] == "error"
    assert pair.events(uuid)[1:] == [("compute_prep_resize", "Success"), ("compute_resize_instance", "Error")]
    assert len(pair.faults(uuid)) == 1
    audit(pair)
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [128, 0]
    assert port_hosts(pair, uuid) == {HOST}


def test_driver_that_refuses_leaves_the_server_as_it_was(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST, flavor="m1.small")
    migration = role.resize(uuid, "m1.nano", to=SECOND)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert guests(pair, HOST) == {uuid: 1}
    assert role.migrations(uuid)[0]["status"] == "error"
    assert role.holds(uuid)[HOST]["DISK_GB"] == 20 and role.holds(migration) == {}
    assert pair.faults(uuid) == ["Resize failed: disks cannot be made smaller"]
    role.resize(uuid, "m1.medium", to=SECOND)
    assert states_of(pair, uuid)[:2] == ("resized", None)


def test_destination_cannot_start_the_guest(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    fail(pair, SECOND, "finish_migration:*")
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid) == ("error", None, SECOND, SECOND)
    assert role.migrations(uuid)[0]["status"] == "error"
    assert role.holds(uuid) == {SECOND: MICRO} and role.holds(migration) == {}
    assert pair.events(uuid)[-1] == ("compute_finish_resize", "Error")
    assert len(pair.faults(uuid)) == 1
    audit(pair)
    assert used_mib(pair, HOST) == 0
    # Its owner may try a hard reboot, or delete it; what the source kept goes then.
    instance = pair.instance(uuid)
    pair.delete(uuid)
    pair.run_periodic("_cleanup_incomplete_migrations")
    assert not pair.host.driver.has_disks_of(instance)
    assert role.migrations(uuid)[0]["status"] == "failed"


def test_confirmation_fails(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    fail(pair, HOST, "confirm_migration:*")
    role.confirm(uuid)
    assert states_of(pair, uuid) == ("error", None, SECOND, SECOND)
    assert role.migrations(uuid)[0]["status"] == "error"
    assert role.holds(uuid) == {SECOND: MICRO} and role.holds(migration) == {}
    assert (pair.row(uuid)["old_flavor"], pair.row(uuid)["new_flavor"]) == (None, None)
    assert pair.events(uuid)[-1] == ("compute_confirm_resize", "Error")
    audit(pair)
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [0, 256]
    assert guests(pair, SECOND) == {uuid: 1}


def test_destination_cannot_remove_the_guest(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    fail(pair, SECOND, "destroy:*")
    role.revert(uuid)
    assert states_of(pair, uuid) == ("error", None, SECOND, SECOND)
    assert role.migrations(uuid)[0]["status"] == "error"
    assert role.holds(uuid) == {SECOND: MICRO} and role.holds(migration) == {}
    assert pair.events(uuid)[-1] == ("compute_revert_resize", "Error")


def test_source_cannot_start_the_guest_again(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    fail(pair, HOST, "finish_revert_migration:*")
    role.revert(uuid)
    assert states_of(pair, uuid) == ("error", None, HOST, HOST)
    assert role.migrations(uuid)[0]["status"] == "error"
    assert role.holds(uuid) == {HOST: NANO} and role.holds(migration) == {}
    assert flavor_of(pair, uuid) == "m1.nano" and pair.row(uuid)["old_flavor"] is None
    assert pair.events(uuid)[-1] == ("compute_finish_revert_resize", "Error")
    audit(pair)
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [128, 0]
    assert port_hosts(pair, uuid) == {HOST}


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_server_goes_in_the_middle(pair: Cloud, nth: int) -> None:
    """Its record is deleted before the nth save of it."""
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)

    def delete(proceed: Callable[[], Any]) -> Any:
        with pair.embedded.store.transaction() as records:
            records.soft_delete("Instance", uuid=uuid)
            records.soft_delete("Migration", instance_uuid=uuid)
        return proceed()

    pair.trouble("Instance", "save", delete, nth=nth)
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait(lambda: pair.row(uuid)["deleted"], "the deletion")
    pair.settle()
    assert pair.events(uuid)[-1][1] == "Error"
    assert pair.faults(uuid) == []
    audit(pair)
    audit(pair)
    assert role.holds(uuid) == {} and role.holds(migration) == {}
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [0, 0]


def test_messages_that_come_twice_change_nothing(pair: Cloud) -> None:
    role, replay = ConductorRole(pair), Replay(pair)
    (uuid,) = pair.boot(host=HOST)
    context, size = user_context(), find_flavor("m1.micro")
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    audit(pair)
    before = whole(pair, uuid)
    for name in ("resize_instance", "finish_resize"):
        replay.sent[name]()
        pair.settle()
        assert whole(pair, uuid) == before, name
    role.confirm(uuid)
    before = whole(pair, uuid)
    for name in ("resize_instance", "finish_resize"):
        replay.sent[name]()
        pair.settle()
        assert whole(pair, uuid) == before, name
    role.set_migration(migration, status="confirming")
    role.send_confirm(context, uuid, migration)
    role.set_migration(migration, status="confirmed")
    pair.settle()
    assert whole(pair, uuid) == before
    assert size.name == flavor_of(pair, uuid)


def test_orders_that_come_twice(pair: Cloud) -> None:
    role, replay = ConductorRole(pair), Replay(pair)
    (uuid,) = pair.boot(host=HOST)
    role.twice = True
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)
    assert role.migrations(uuid)[0]["status"] == "finished"
    assert role.holds(uuid) == {SECOND: MICRO} and role.holds(migration) == {HOST: NANO}
    role.revert(uuid)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    before = whole(pair, uuid)
    replay.sent["finish_revert_resize"]()
    replay.sent["finish_resize"]()
    pair.settle()
    assert whole(pair, uuid) == before
    assert guests(pair, HOST) == {uuid: 1} and guests(pair, SECOND) == {}
    assert pair.faults(uuid) == []


@pytest.mark.parametrize("is_restarted", [False, True])
def test_order_that_comes_again_when_all_is_done(pair: Cloud, is_restarted: bool) -> None:
    """Also at a destination whose agent of now has not had it the first time."""
    role = ConductorRole(pair)
    replay = Replay(pair, role)
    (uuid,) = pair.boot(host=HOST)

    def again(number: int) -> None:
        if is_restarted:
            # An order is older than the agent when it is of an earlier second.
            time.sleep(1.0)
            pair.agents[SECOND].stop()
            pair.agents[SECOND].start()
            pair.settle()
        audit(pair)
        before = whole(pair, uuid)
        replay.orders[number]()
        pair.settle()
        assert whole(pair, uuid) == before

    role.resize(uuid, "m1.micro", to=SECOND)
    again(0)
    role.revert(uuid)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    again(0)
    second = len(replay.orders)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    again(0)
    again(second)
    role.confirm(uuid)
    assert states_of(pair, uuid) == ("active", None, SECOND, SECOND)
    assert role.holds(uuid) == {SECOND: MICRO} and role.holds(migration) == {}
    again(second)


def test_order_that_comes_again_where_it_has_failed(pair: Cloud) -> None:
    """The next host of the list has it meanwhile."""
    pair.add_host(THIRD)
    role = ConductorRole(pair)
    replay = Replay(pair, role)
    (uuid,) = pair.boot(host=HOST)
    pair.trouble("Migration", "save", LOST)
    role.resize(uuid, "m1.micro", to=SECOND, alternates=[THIRD])
    assert states_of(pair, uuid) == ("resized", None, THIRD, THIRD)
    before = whole(pair, uuid)
    replay.orders[0]()
    pair.settle()
    assert whole(pair, uuid) == before


def test_messages_after_the_deletion(pair: Cloud) -> None:
    role, replay = ConductorRole(pair), Replay(pair)
    (uuid,) = pair.boot(host=HOST)
    role.resize(uuid, "m1.micro", to=SECOND)
    role.revert(uuid)
    role.resize(uuid, "m1.micro", to=SECOND)
    role.confirm(uuid)
    pair.delete(uuid)
    before = whole(pair, uuid)
    for name, send in replay.sent.items():
        send()
        pair.settle()
        after = whole(pair, uuid)
        assert (after["held"], after["used"], after["there"]) == (
            before["held"],
            before["used"],
            before["there"],
        ), name
    assert pair.row(uuid)["vm_state"] == "deleted"


@pytest.mark.parametrize(
    ("host", "operation"), [(HOST, "migrate_disk_and_power_off"), (SECOND, "finish_migration")]
)
def test_server_is_deleted_in_the_middle(pair: Cloud, host: str, operation: str) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    pair.agents[host].conf.set_override("delays", {operation: "0.5"}, group="fake")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    state = "resize_migrating" if host == HOST else "resize_finish"
    pair.wait_for(uuid, task_state=state)
    pair.delete(uuid)
    pair.settle()
    for agent in pair.agents.values():
        agent.run_periodic("_cleanup_incomplete_migrations")
    audit(pair)
    assert role.holds(uuid) == {} and role.holds(migration) == {}
    assert [used_mib(pair, where) for where in (HOST, SECOND)] == [0, 0]
    assert guests(pair, HOST) == {} and guests(pair, SECOND) == {}
    assert pair.rows("Port", instance_uuid=uuid) == []
    instance = role.instance(uuid, user_context())
    assert not any(agent.host.driver.has_disks_of(instance) for agent in pair.agents.values())


def test_resized_server_is_deleted(pair: Cloud) -> None:
    """The API has it confirmed first, and waits for that."""
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    pair.set_fields(uuid, task_state="deleting")
    context = user_context()
    pair.rpc.call(
        "confirm_resize",
        context=context,
        version="6.0",
        instance=role.instance(uuid, context),
        migration=role.migration(migration, context),
    )
    assert states_of(pair, uuid)[:2] == ("active", None)
    pair.delete(uuid)
    assert role.holds(uuid) == {} and role.holds(migration) == {}
    assert guests(pair, HOST) == {} and guests(pair, SECOND) == {}
    assert [used_mib(pair, where) for where in (HOST, SECOND)] == [0, 0]
