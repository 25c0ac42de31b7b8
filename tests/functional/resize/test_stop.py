"""Agents that are stopped, as by SIGTERM, in the middle of a resize."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND, fail, guests, states_of


def test_a_destination_that_stops_waits_for_who_is_coming(pair: Cloud) -> None:
    """Contract: the last leg comes by the topic that is served until the end."""
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    pair.agents[HOST].conf.set_override("delays", {"migrate_disk_and_power_off": "1"}, group="fake")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    pair.wait_for(uuid, task_state="resize_migrating")
    pair.agents[SECOND].wait_idle(10)
    assert pair.agents[SECOND].stop()
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)
    assert pair.events(uuid)[-1] == ("compute_finish_resize", "Success")
    pair.agents[SECOND].start()
    assert guests(pair, SECOND) == {uuid: 1} and role.migration(migration).status == "finished"


def test_a_destination_that_stops_waits_for_nobody_who_stays(make_pair: Callable[..., Cloud]) -> None:
    pair = make_pair(second={"manager_shutdown_timeout": 30})
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    fail(pair, HOST, "migrate_disk_and_power_off:*")
    role.resize(uuid, "m1.micro", to=SECOND)
    assert states_of(pair, uuid)[0] == "error"
    began = time.monotonic()
    assert pair.agents[SECOND].stop()
    assert time.monotonic() - began < 20
