"""An evacuated server's ports: bound to the new host, and waited for there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from computed import objects
from tests.functional.cloud import Cloud
from tests.functional.fleet import HOST
from tests.functional.rebuild.role import RebuildRole

SECOND = "second"


class Idle:
    """A network whose ports are down after they were bound, until somebody says that they are plugged."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.bound: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def bind_to_host(self, context: Any, instance: Any, *, host: str, **more: Any) -> Any:
        info = self._network.bind_to_host(context, instance, host=host, **more)
        self.bound.append((host, more.get("migration")))
        for vif in info:
            vif["active"] = False
        return info


@pytest.fixture
def plugged(make_pair: Callable[..., Cloud]) -> Iterator[RebuildRole]:
    options = {"fake.vif_plug_events": True, "vif_plugging_timeout": 3}
    moves = RebuildRole(make_pair(second=options))
    host = moves.cloud.agents[SECOND].host
    object.__setattr__(host, "network", Idle(host.network))
    yield moves


@contextmanager
def saying(moves: RebuildRole, uuid: str, status: str) -> Iterator[list[int | None]]:
    """While the guest is made, the network says of its port that it is plugged; to whom the API would pass
    that on is read from the record at that moment."""
    driver = moves.cloud.agents[SECOND].host.driver
    spawn, seen = driver.spawn, []

    def spawn_and_say(context: Any, spec: Any) -> None:
        row = moves.cloud.row(uuid)
        told = row["migration_context"]
        seen.append(told and told["nova_object.data"]["migration_id"])
        spawn(context, spec)
        [port] = moves.cloud.rows("Port", instance_uuid=uuid)
        event = objects.InstanceExternalEvent(
            instance_uuid=uuid, name="network-vif-plugged", status=status, tag=port["uuid"], data={}
        )
        moves.cloud.rpc.cast(
            "external_instance_event",
            version="6.0",
            server=SECOND,
            instances=[moves.cloud.instance(uuid)],
            events=[event],
        )

    driver.spawn = spawn_and_say  # type: ignore[method-assign]
    yield seen


def test_the_new_host_hears_of_the_port_by_the_migration_context(plugged: RebuildRole) -> None:
    (uuid,) = plugged.cloud.boot(host=HOST)
    with saying(plugged, uuid, "completed") as seen:
        migration = plugged.evacuate(uuid)
    assert plugged.states(uuid) == ("active", None, SECOND)
    assert seen == [plugged.migration(migration).id]
    network: Any = plugged.cloud.agents[SECOND].host.network
    [(host, told)] = network.bound
    assert (host, told.uuid) == (SECOND, migration)
    assert plugged.cloud.row(uuid)["migration_context"] is None


@pytest.mark.parametrize("status", [None, "failed"])
def test_a_port_that_is_not_plugged_ends_the_evacuation(plugged: RebuildRole, status: str | None) -> None:
    (uuid,) = plugged.cloud.boot(host=HOST)
    if status is None:
        plugged.cloud.agents[SECOND].conf.set_override("vif_plugging_timeout", 1)
        migration = plugged.evacuate(uuid)
    else:
        with saying(plugged, uuid, status):
            migration = plugged.evacuate(uuid)
    assert plugged.states(uuid) == ("error", None, HOST)
    assert plugged.migration(migration).status == "failed"
    assert plugged.guest(uuid, SECOND) is None
    assert [port["host"] for port in plugged.cloud.rows("Port", instance_uuid=uuid)] == [HOST]
    assert set(plugged.holds(uuid)) == {HOST}
    assert plugged.claims(SECOND, uuid) == 0
