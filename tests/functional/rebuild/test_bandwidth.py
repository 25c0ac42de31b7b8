"""Ports that ask for bandwidth: an evacuation takes them to who serves them, and a failed one back."""

from __future__ import annotations

import pytest

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
