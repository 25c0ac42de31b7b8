"""Resize and cold migration between two hosts and within one: there, confirmed, reverted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from computed.states import MigrationStatus
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.notices import TOLD, Notices
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

MakePair = Callable[..., Cloud]


def test_resize_to_another_host_and_confirm(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)
    assert pair.row(uuid)["compute_id"] == role.node(SECOND)["id"]
    assert (flavor_of(pair, uuid), flavor_of(pair, uuid, "old_flavor")) == ("m1.micro", "m1.nano")
    assert pair.row(uuid)["memory_mb"] == 256
    assert pair.row(uuid)["system_metadata"]["old_vm_state"] == "active"
    (record,) = role.migrations(uuid)
    assert record["status"] == MigrationStatus.FINISHED
    assert (record["dest_compute"], record["dest_node"]) == (SECOND, SECOND)
    assert record["dest_host"] and record["dest_compute_id"] == role.node(SECOND)["id"]
    assert role.holds(uuid) == {SECOND: MICRO}
    assert role.holds(migration) == {HOST: NANO}
    assert guests(pair, HOST) == {} and guests(pair, SECOND) == {uuid: 1}
    assert pair.host.driver.has_disks_of(pair.instance(uuid))
    assert port_hosts(pair, uuid) == {SECOND}
    for _ in range(2):
        assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (128, 256)
        audit(pair)

    role.confirm(uuid)
    assert states_of(pair, uuid) == ("active", None, SECOND, SECOND)
    row = pair.row(uuid)
    assert (row["old_flavor"], row["new_flavor"], row["migration_context"]) == (None, None, None)
    assert "old_vm_state" not in row["system_metadata"]
    assert role.migrations(uuid)[0]["status"] == MigrationStatus.CONFIRMED
    assert role.holds(migration) == {} and role.holds(uuid) == {SECOND: MICRO}
    assert not pair.host.driver.has_disks_of(pair.instance(uuid))
    assert guests(pair, SECOND) == {uuid: 1}
    for _ in range(2):
        assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (0, 256)
        audit(pair)
    assert pair.events(uuid) == [
        ("compute__do_build_and_run_instance", "Success"),
        ("compute_prep_resize", "Success"),
        ("compute_resize_instance", "Success"),
        ("compute_finish_resize", "Success"),
        ("compute_confirm_resize", "Success"),
    ]
    assert pair.faults(uuid) == []
    pair.delete(uuid)
    assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (0, 0)
    assert pair.rows("Port", instance_uuid=uuid) == []


def test_resize_to_another_host_and_revert(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    role.revert(uuid)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    row = pair.row(uuid)
    assert (row["old_flavor"], row["new_flavor"], row["migration_context"]) == (None, None, None)
    assert flavor_of(pair, uuid) == "m1.nano" and row["memory_mb"] == 128
    assert row["compute_id"] == role.node(HOST)["id"]
    assert "old_vm_state" not in row["system_metadata"]
    assert role.migrations(uuid)[0]["status"] == MigrationStatus.REVERTED
    assert role.holds(migration) == {} and role.holds(uuid) == {HOST: NANO}
    assert guests(pair, HOST) == {uuid: 1} and guests(pair, SECOND) == {}
    assert not pair.agents[SECOND].host.driver.has_disks_of(pair.instance(uuid))
    assert port_hosts(pair, uuid) == {HOST}
    for _ in range(2):
        assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (128, 0)
        audit(pair)
    assert pair.events(uuid)[4:] == [
        ("compute_revert_resize", "Success"),
        ("compute_finish_revert_resize", "Success"),
    ]
    role.resize(uuid, "m1.micro", to=SECOND)
    role.confirm(uuid)
    assert states_of(pair, uuid) == ("active", None, SECOND, SECOND)


def test_cold_migration_keeps_the_flavor(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=SECOND)
    migration = role.resize(uuid, to=HOST)
    assert states_of(pair, uuid) == ("resized", None, HOST, HOST)
    assert role.holds(migration) == {SECOND: NANO} and role.holds(uuid) == {HOST: NANO}
    assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (128, 128)
    audit(pair)
    assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (128, 128)
    role.confirm(uuid)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert (used_mib(pair, HOST), used_mib(pair, SECOND)) == (128, 0)


@pytest.mark.parametrize("end", ["confirm", "revert"])
def test_resize_within_a_host(cloud: Cloud, end: str) -> None:
    role = ConductorRole(cloud)
    (uuid,) = cloud.boot()
    migration = role.resize(uuid, "m1.micro", to=HOST)
    assert states_of(cloud, uuid) == ("resized", None, HOST, HOST)
    assert role.holds(uuid) == {HOST: MICRO} and role.holds(migration) == {HOST: NANO}
    assert guests(cloud, HOST) == {uuid: 1}
    for _ in range(2):
        assert used_mib(cloud, HOST) == 128 + 256
        audit(cloud)
    getattr(role, end)(uuid)
    size, flavor, mib = (MICRO, "m1.micro", 256) if end == "confirm" else (NANO, "m1.nano", 128)
    assert states_of(cloud, uuid) == ("active", None, HOST, HOST)
    assert flavor_of(cloud, uuid) == flavor
    assert role.holds(migration) == {} and role.holds(uuid) == {HOST: size}
    assert guests(cloud, HOST) == {uuid: 1}
    for _ in range(2):
        assert used_mib(cloud, HOST) == mib
        audit(cloud)
    cloud.delete(uuid)
    assert used_mib(cloud, HOST) == 0


@pytest.mark.parametrize("end", ["confirm", "revert"])
def test_stopped_server_stays_stopped(pair: Cloud, end: str) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    pair.verb(uuid, "stop")
    role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid)[:2] == ("resized", None)
    assert guests(pair, SECOND) == {uuid: 4}
    getattr(role, end)(uuid)
    where = SECOND if end == "confirm" else HOST
    assert states_of(pair, uuid) == ("stopped", None, where, where)
    assert guests(pair, where) == {uuid: 4}
    assert pair.row(uuid)["power_state"] == 4


def test_ten_times_there_and_back(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    for number in range(10):
        here = pair.row(uuid)["host"]
        role.resize(uuid, ("m1.micro", "m1.nano")[number % 2], to=SECOND if here == HOST else HOST)
        (role.confirm if number % 2 else role.revert)(uuid)
        assert states_of(pair, uuid)[:2] == ("active", None)
    assert sum(len(guests(pair, host)) for host in (HOST, SECOND)) == 1
    assert {row["status"] for row in role.migrations(uuid)} == {"confirmed", "reverted"}


NOTIFIED = [
    "instance.exists",
    "instance.resize_prep.start",
    "instance.resize_prep.end",
    "instance.resize.start",
    "instance.resize.end",
    "instance.resize_finish.start",
    "instance.resize_finish.end",
]
"""As a stock agent's (contract transcripts, stock-fake-two-hosts); the ends of a leg may come after the start
of the next one, on the other host."""


def test_notifications(make_pair: MakePair) -> None:
    pair = make_pair(TOLD, TOLD)
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    versioned, legacy = Notices(pair.bus), Notices(pair.bus, "notifications")
    role.resize(uuid, "m1.micro", to=SECOND)
    told = versioned.names(uuid)
    assert sorted(told) == sorted(NOTIFIED)
    by_host = {
        publisher: [notice.event_type for notice in versioned.all() if notice.publisher == publisher]
        for publisher in ("nova-compute:alone", "nova-compute:second")
    }
    assert by_host["nova-compute:alone"] == NOTIFIED[3:5]
    assert by_host["nova-compute:second"] == NOTIFIED[:3] + NOTIFIED[5:]
    prep = next(n for n in versioned.all() if n.event_type == "instance.resize_prep.start")
    assert prep.payload["new_flavor"]["nova_object.data"]["name"] == "m1.micro"
    assert set(legacy.names(uuid)) == {
        "compute.instance.exists",
        *(
            f"compute.instance.{verb}.{end}"
            for verb in ("resize.prep", "resize", "finish_resize")
            for end in ("start", "end")
        ),
    }
    end = next(n for n in legacy.all() if n.event_type == "compute.instance.resize.prep.end")
    assert (end.payload["new_instance_type"], end.payload["new_instance_type_id"]) == ("m1.micro", 2)
    versioned.clear()
    role.confirm(uuid)
    assert versioned.names(uuid) == ["instance.resize_confirm.start", "instance.resize_confirm.end"]
    assert {notice.publisher for notice in versioned.all()} == {"nova-compute:alone"}
    role.resize(uuid, "m1.nano", to=HOST)
    versioned.clear()
    role.revert(uuid)
    assert versioned.names(uuid) == [
        "instance.exists",
        "instance.resize_revert.start",
        "instance.resize_revert.end",
    ]
