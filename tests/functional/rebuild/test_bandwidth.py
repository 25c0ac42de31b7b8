"""Ports that ask for bandwidth: an evacuation takes them to who serves them, and a failed one back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from computed.context import get_admin_context
from computed.periodic.network_cache import Healer
from tests.functional.bandwidth import BandwidthRole
from tests.functional.cloud import HOST, Cloud
from tests.functional.rebuild.role import RebuildRole
from tests.functional.resize.test_restart import die_in, restart

SECOND = "second"


class Evacuator(BandwidthRole, RebuildRole):
    """Evacuates servers with such a port."""


@pytest.fixture
def role(pair: Cloud) -> Evacuator:
    return Evacuator(pair)


def test_an_evacuated_server(role: Evacuator) -> None:
    uuid, port = role.boot()
    role.evacuate(uuid)
    assert role.states(uuid) == ("active", None, SECOND), role.cloud.faults(uuid)
    assert role.serving(port) == (SECOND, role.agents[SECOND])


def heal(role: Evacuator, uuid: str) -> None:
    Healer()(role.cloud.agents[SECOND].host, get_admin_context())


def reboot(role: Evacuator, uuid: str) -> None:
    role.cloud.verb(uuid, "reboot", hard=True)


@pytest.mark.parametrize("bind_again", [heal, reboot])
def test_a_port_that_loses_its_binding_while_the_old_host_is_away(
    role: Evacuator, bind_again: Callable[[Evacuator, str], None]
) -> None:
    uuid, port = role.boot()
    role.evacuate(uuid)
    assert set(role.bandwidth(uuid)) == set(role.agents.values()), "the old host has not given it back"
    role.lose_binding(port)
    bind_again(role, uuid)
    assert role.states(uuid) == ("active", None, SECOND), role.cloud.faults(uuid)
    assert role.serving(port) == (SECOND, role.agents[SECOND])


def test_an_evacuation_that_fails(role: Evacuator) -> None:
    uuid, port = role.boot()
    role.cloud.agents[SECOND].conf.set_override("fail", ["spawn:*"], group="fake")
    role.evacuate(uuid)
    assert role.states(uuid) == ("error", None, HOST)
    assert role.serving(port) == (HOST, role.agents[HOST])
    assert role.bandwidth(uuid) == {role.agents[HOST]: 300}


def test_an_evacuation_that_a_crash_has_interrupted(role: Evacuator) -> None:
    uuid, port = role.boot()
    die_in(role.cloud, SECOND, "spawn", "before")
    role.evacuate(uuid, wait=False)
    role.cloud.wait_for(uuid, task_state="rebuild_spawning")
    assert role.serving(port) == (SECOND, role.agents[SECOND])
    restart(role.cloud, SECOND)
    assert role.states(uuid) == ("error", None, HOST)
    assert role.serving(port) == (HOST, role.agents[HOST])
    assert role.bandwidth(uuid) == {role.agents[HOST]: 300}


def test_nothing_is_bound_to_where_nobody_was_chosen_to_serve_it(role: Evacuator) -> None:
    uuid, port = role.boot()
    role.evacuate(uuid, request_spec=None)
    assert role.states(uuid) == ("error", None, HOST)
    assert port in role.cloud.faults(uuid)[0]
    assert role.serving(port) == (HOST, role.agents[HOST])
