"""Ports that ask for bandwidth: wherever a resize takes them, or back, they name who serves them there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from computed import errors
from computed.embedded.servers import user_context
from tests.functional.bandwidth import BANDWIDTH, GROUP, BandwidthRole
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.cross_cell import CrossCell
from tests.functional.resize.looking import SECOND, states_of
from tests.functional.resize.test_restart import die_in, lose, restart


class Mover(BandwidthRole, ConductorRole):
    """Resizes servers with such a port."""

    def revert(self, uuid: str, *, wait: bool = True) -> None:
        self.chosen = None
        super().revert(uuid, wait=wait)


class BetweenCells(BandwidthRole, CrossCell):
    """Resizes them between cells; a stock API does not allow that."""


def test_there_and_back(pair: Cloud) -> None:
    role = Mover(pair)
    uuid, port = role.boot()
    role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid)[:3] == ("resized", None, SECOND), pair.faults(uuid)
    assert role.serving(port) == (SECOND, role.agents[SECOND])
    role.revert(uuid)
    assert states_of(pair, uuid)[:3] == ("active", None, HOST), pair.faults(uuid)
    assert role.serving(port) == (HOST, role.agents[HOST])
    assert role.bandwidth(uuid) == {role.agents[HOST]: 300}


def dies_before_the_order(pair: Cloud) -> None:
    lose(pair, HOST, "finish_resize")


def dies_with_the_guest(pair: Cloud) -> None:
    die_in(pair, SECOND, "finish_migration", "before")


@pytest.mark.parametrize("dies", [dies_before_the_order, dies_with_the_guest])
def test_a_destination_that_goes_on_after_a_restart(pair: Cloud, dies: Callable[[Cloud], None]) -> None:
    role = Mover(pair)
    uuid, port = role.boot()
    dies(pair)
    role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait(lambda: pair.row(uuid)["task_state"] in ("resize_migrated", "resize_finish"), "the source")
    restart(pair, SECOND)
    role.rest(uuid)
    assert states_of(pair, uuid)[:3] == ("resized", None, SECOND), pair.faults(uuid)
    assert role.serving(port) == (SECOND, role.agents[SECOND])


def test_a_source_that_goes_on_with_a_revert_after_a_restart(pair: Cloud) -> None:
    role = Mover(pair)
    uuid, port = role.boot()
    role.resize(uuid, "m1.micro", to=SECOND)
    die_in(pair, HOST, "finish_revert_migration", "before")
    role.revert(uuid, wait=False)
    pair.wait(lambda: pair.row(uuid)["host"] == HOST, "the way back")
    restart(pair, HOST)
    assert states_of(pair, uuid)[:3] == ("active", None, HOST), pair.faults(uuid)
    assert role.serving(port) == (HOST, role.agents[HOST])


def test_nothing_is_bound_to_where_nobody_serves_it(pair: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("computed.steps.patience.FIRST_PAUSE_SECONDS", 0.01)
    role = Mover(pair)
    uuid, port = role.boot()
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    with pair.uncounted():
        lost = {role.agents[HOST]: {"resources": {BANDWIDTH: 1}}}
        pair.embedded.placement.remove_resources(user_context(), migration, lost)
    role.revert(uuid)
    assert states_of(pair, uuid)[:3] == ("error", None, HOST)
    assert port in pair.faults(uuid)[0] and GROUP in pair.faults(uuid)[0]
    assert role.serving(port) == (SECOND, role.agents[SECOND])


def test_a_guest_that_does_not_start_has_its_port_where_it_is(
    pair: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("computed.steps.patience.FIRST_PAUSE_SECONDS", 0.01)
    role = Mover(pair)
    uuid, port = role.boot()
    away = errors.NetworkServiceUnavailable("away")
    pair.embedded.network.fail("bind_to_host", away, times=3)
    role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid)[:3] == ("error", None, SECOND)
    assert role.serving(port) == (SECOND, role.agents[SECOND])


def test_between_cells_and_back(pair: Cloud) -> None:
    role = BetweenCells(pair)
    uuid, port = role.boot()
    role.there(uuid)
    assert role.serving(port) == (SECOND, role.agents[SECOND])
    pair.set_fields(uuid, task_state="resize_reverting")
    role.leg("revert_snapshot_based_resize_at_dest", SECOND)
    role.leg("finish_revert_snapshot_based_resize_at_source", HOST)
    assert states_of(pair, uuid)[:3] == ("active", None, HOST)
    assert role.serving(port) == (HOST, role.agents[HOST])


def test_placement_is_not_asked_about_ports_that_ask_nothing_of_it(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    role.resize(uuid, "m1.micro", to=SECOND)
    with pair.counting() as counts:
        role.revert(uuid)
    assert counts.placement_requests <= 3, counts.placement
