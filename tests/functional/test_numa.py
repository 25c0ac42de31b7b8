"""Moves of servers that ask for pinned CPUs: they stay where a stock agent has put them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from computed import errors, objects
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.rebuild.role import RebuildRole
from tests.functional.resize.looking import NANO, SECOND, guests, states_of, used_mib

PINNED = {"hw:cpu_policy": "dedicated"}
REFUSED = "does not place guests on NUMA cells"


def topology() -> objects.InstanceNUMATopology:
    """What nova-api makes of hw:cpu_policy=dedicated and a flavor of one CPU."""
    cell = objects.InstanceNUMACell(
        id=0, cpuset=set(), pcpuset={0}, cpuset_reserved=None, memory=128, pagesize=None,
        cpu_topology=None, cpu_pinning_raw=None, cpu_policy="dedicated", cpu_thread_policy=None,
    )  # fmt: skip
    asked = objects.InstanceNUMATopology(cells=[cell], emulator_threads_policy=None)
    asked.obj_reset_changes(recursive=True)
    return asked


def pin(cloud: Cloud, uuid: str) -> Any:
    """Let a server be one that a stock agent has pinned; answers its stored topology."""
    flavor = objects.Flavor.obj_from_primitive(cloud.row(uuid)["flavor"])
    flavor.extra_specs = dict(PINNED)
    stored = json.loads(json.dumps(topology().obj_to_primitive()))
    cloud.set_fields(uuid, flavor=flavor.obj_to_primitive(), numa_topology=stored)
    return stored


def stayed(cloud: Cloud, uuid: str, stored: Any) -> None:
    """It runs where it was, with what it has there, and the second host holds nothing."""
    assert states_of(cloud, uuid) == ("active", None, HOST, HOST)
    assert cloud.row(uuid)["numa_topology"] == stored and cloud.row(uuid)["migration_context"] is None
    assert guests(cloud, HOST) == {uuid: 1} and guests(cloud, SECOND) == {}
    assert [used_mib(cloud, host) for host in (HOST, SECOND)] == [128, 0]
    assert ConductorRole(cloud).holds(uuid) == {HOST: NANO}


def test_a_resize_to_a_pinned_size_leaves_the_server_what_it_was(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    size = find_flavor("m1.micro")
    size.extra_specs = {"hw:numa_nodes": "2"}
    monkeypatch.setattr("tests.functional.conductor_role.find_flavor", lambda name: size)
    role.resize(uuid, "m1.micro", to=SECOND)
    stayed(pair, uuid, None)
    [fault] = pair.faults(uuid)
    assert REFUSED in fault and "hw:numa_nodes=2 asked for" in fault


def test_a_pinned_server_is_not_moved(pair: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    stored = pin(pair, uuid)
    size = find_flavor("m1.nano")
    size.extra_specs = dict(PINNED)
    monkeypatch.setattr("tests.functional.conductor_role.find_flavor", lambda name: size)
    role.resize(uuid, to=SECOND)
    stayed(pair, uuid, stored)
    assert "hw:cpu_policy=dedicated asked for" in pair.faults(uuid)[0]


def test_a_pinned_server_may_be_resized_to_a_size_that_floats(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    stored = pin(pair, uuid)
    role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)
    assert pair.row(uuid)["numa_topology"] is None
    role.revert(uuid)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert pair.row(uuid)["numa_topology"] == stored


def test_a_pinned_server_is_not_resized_to_another_cell(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    context, size = user_context(), find_flavor("m1.micro")
    size.extra_specs = dict(PINNED)
    role.begin(context, uuid, Action.RESIZE, TaskState.RESIZE_PREP)
    migration = role.make_migration(
        uuid, MigrationType.RESIZE, status=MigrationStatus.PRE_MIGRATING, flavor=size, cross_cell_move=True
    )
    with pytest.raises(errors.MigrationPreCheckError, match="hw:cpu_policy=dedicated asked for"):
        pair.rpc.call(
            "prep_snapshot_based_resize_at_dest",
            context=context,
            version="6.0",
            server=SECOND,
            instance=role.instance(uuid, context),
            migration=role.migration(migration, context),
            flavor=size,
            nodename=SECOND,
            limits=None,
        )
    assert used_mib(pair, SECOND) == 0


def test_a_pinned_server_is_not_migrated_live(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    stored = pin(pair, uuid)
    with pytest.raises(errors.MigrationPreCheckError, match="hw:cpu_policy=dedicated asked for"):
        role.live_migrate(uuid, to=SECOND)
    stayed(pair, uuid, stored)


def test_a_pinned_server_is_not_evacuated_and_goes_on_where_it_is(pair: Cloud) -> None:
    role = RebuildRole(pair)
    (uuid,) = pair.boot(host=HOST)
    stored = pin(pair, uuid)
    migration = role.evacuate(uuid)
    stayed(pair, uuid, stored)
    assert role.migration(migration).status == "failed"
    assert REFUSED in pair.faults(uuid)[0]


def test_a_pinned_server_that_is_here_is_served(cloud: Cloud) -> None:
    role = RebuildRole(cloud)
    (uuid,) = cloud.boot()
    stored = pin(cloud, uuid)
    cloud.verb(uuid, "reboot", hard=True)
    role.rebuild(uuid)
    cloud.verb(uuid, "stop")
    cloud.verb(uuid, "start")
    assert states_of(cloud, uuid)[:2] == ("active", None)
    assert cloud.row(uuid)["numa_topology"] == stored
    cloud.delete(uuid)
