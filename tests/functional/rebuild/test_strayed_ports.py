"""Ports that name the destination of a move that came to nothing: the healer binds them at home again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import objects
from computed.context import get_admin_context
from computed.periodic.network_cache import Healer
from computed.states import MigrationStatus, MigrationType
from tests.functional.fleet import HOST
from tests.functional.rebuild.role import RebuildRole

SECOND = "second"


@pytest.fixture
def strayed(moves: RebuildRole) -> str:
    """A server of the first host; the second had bound its ports to itself and then died for good."""
    (uuid,) = moves.cloud.boot(host=HOST)
    second = moves.cloud.agents[SECOND]
    second.host.network.bind_to_host(None, moves.cloud.instance(uuid), host=SECOND)
    second.stop()
    assert bound_to(moves, uuid) == [SECOND]
    return uuid


def bound_to(moves: RebuildRole, uuid: str) -> list[str | None]:
    return [port["host"] for port in moves.cloud.rows("Port", instance_uuid=uuid)]


def heal(moves: RebuildRole) -> Any:
    """One round of the first host; what it asked."""
    network = moves.cloud.embedded.network
    before = network.by_method.copy()
    Healer()(moves.cloud.agents[HOST].host, get_admin_context())
    return network.by_method - before


def test_they_come_home(moves: RebuildRole, strayed: str) -> None:
    heal(moves)
    assert bound_to(moves, strayed) == [HOST]
    assert heal(moves) == {"network_info": 1}
    assert moves.states(strayed) == ("active", None, HOST)


def test_those_at_home_cost_one_question(moves: RebuildRole) -> None:
    moves.cloud.boot(host=HOST)
    with moves.cloud.counting() as counts:
        assert heal(moves) == {"network_info": 1}
    # The list of instances, the instance, its cache.
    assert counts.conductor_calls == 3


def is_worked_on(moves: RebuildRole, uuid: str) -> None:
    moves.cloud.set_fields(uuid, task_state="rebuilding")


def lives_elsewhere(moves: RebuildRole, uuid: str) -> None:
    moves.cloud.set_fields(uuid, host=SECOND)


def is_tried_out_in_another_cell(moves: RebuildRole, uuid: str) -> None:
    moves.cloud.set_fields(uuid, hidden=True)


def is_on_its_way(moves: RebuildRole, uuid: str) -> None:
    moves.make_migration(
        uuid, MigrationType.LIVE_MIGRATION, status=MigrationStatus.RUNNING, dest_compute=SECOND
    )


def has_no_guest_here(moves: RebuildRole, uuid: str) -> None:
    moves.cloud.agents[HOST].host.driver._store.remove(uuid, keep_disks=True)  # type: ignore[attr-defined]


def cannot_be_read(moves: RebuildRole, uuid: str) -> None:
    moves.cloud.agents[HOST].conf.set_override("fail", ["state:*:HypervisorUnavailable"], group="fake")


@pytest.mark.parametrize(
    "happens",
    [
        is_worked_on,
        lives_elsewhere,
        is_tried_out_in_another_cell,
        is_on_its_way,
        has_no_guest_here,
        cannot_be_read,
    ],
)
def test_who_may_be_there_keeps_them_there(
    moves: RebuildRole, strayed: str, happens: Callable[[RebuildRole, str], None]
) -> None:
    happens(moves, strayed)
    heal(moves)
    assert bound_to(moves, strayed) == [SECOND]


@pytest.mark.parametrize("happens", [is_worked_on, lives_elsewhere])
def test_what_begins_while_it_is_looked_at_keeps_them_too(
    moves: RebuildRole,
    strayed: str,
    happens: Callable[[RebuildRole, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = moves.cloud.agents[HOST].host.network
    locate = network.locate

    def look(context: Any, instance: objects.Instance) -> Any:
        happens(moves, strayed)
        return locate(context, instance)

    monkeypatch.setattr(network, "locate", look)
    heal(moves)
    assert bound_to(moves, strayed) == [SECOND]
