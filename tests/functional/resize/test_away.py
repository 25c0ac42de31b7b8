"""Resize, confirm and revert while placement or the network is away for as long as anybody is patient.

What becomes of a single call that fails is held in tests/functional/failures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from computed import errors
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND, audit, guests, port_hosts, used_mib

LEGAL = ("active", "resized", "error")


class Away:
    """Lets the nth call of a kind fail, and as many as `times` says from there on."""

    def __init__(self, nth: int, error: Exception, *, times: int) -> None:
        self.failing = range(nth, nth + times)
        self.error = error
        self.met = 0

    def step(self) -> None:
        self.met += 1
        if self.met in self.failing:
            raise self.error


@contextmanager
def method_fails(service: Any, method: str, away: Away) -> Iterator[None]:
    do = getattr(service, method)

    def failing(*arguments: Any, **more: Any) -> Any:
        away.step()
        return do(*arguments, **more)

    setattr(service, method, failing)
    try:
        yield
    finally:
        delattr(service, method)


def prepared(pair: Cloud, verb: str) -> tuple[ConductorRole, str]:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    if verb != "resize":
        role.resize(uuid, "m1.micro", to=SECOND)
    return role, uuid


def do(role: ConductorRole, verb: str, uuid: str) -> None:
    """The verb until nothing moves any more."""
    if verb == "resize":
        role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    else:
        getattr(role, verb)(uuid, wait=False)
    role.cloud.settle()


def is_consistent(pair: Cloud, role: ConductorRole, uuid: str) -> None:
    """The server is in a legal state, and holds what its record says and nothing else."""
    row = pair.row(uuid)
    (migration,) = role.migrations(uuid)
    assert row["task_state"] is None and row["vm_state"] in LEGAL
    assert set(role.holds(uuid)) == {row["host"]}
    assert port_hosts(pair, uuid) == {row["host"]}
    if row["vm_state"] == "resized":
        assert migration["status"] == "finished" and set(role.holds(migration["uuid"])) == {HOST}
    else:
        assert role.holds(migration["uuid"]) == {}
        assert migration["status"] in ("error", "confirmed", "reverted")
    if row["vm_state"] == "active":
        assert guests(pair, row["host"]) == {uuid: 1}
        assert row["old_flavor"] is None and row["new_flavor"] is None
    if row["vm_state"] == "error":
        assert pair.faults(uuid)
    audit(pair)
    audit(pair)
    mib = row["flavor"]["nova_object.data"]["memory_mb"]
    held = {host: used_mib(pair, host) for host in (HOST, SECOND)}
    if row["vm_state"] == "resized":
        assert held == {HOST: 128, SECOND: 256}
    else:
        assert {host: used for host, used in held.items() if used} == {row["host"]: mib}


PATIENCE = 3
"""How often what must be done is tried."""

PLACEMENT_CALLS = [
    # The three before are the conductor's own.
    ("resize", "get_allocations", 4, 1),
    ("confirm", "delete_allocations", 1, 1),
    ("revert", "move_allocations", 1, PATIENCE),
    ("revert", "get_allocations", 1, PATIENCE),
]

NETWORK_ERRORS = pytest.mark.parametrize(
    "error",
    [errors.PortBindingFailed(port_id="p"), errors.NetworkServiceUnavailable("no answer")],
    ids=["409", "timeout"],
)


@pytest.mark.parametrize(("verb", "method", "nth", "times"), PLACEMENT_CALLS)
def test_placement_is_away(pair: Cloud, verb: str, method: str, nth: int, times: int) -> None:
    role, uuid = prepared(pair, verb)
    failing = Away(nth, errors.PlacementAPIConnectFailure(), times=times)
    with method_fails(pair.embedded.placement, method, failing):
        do(role, verb, uuid)
    assert pair.row(uuid)["vm_state"] == "error"
    is_consistent(pair, role, uuid)


@pytest.mark.parametrize("verb", ["resize", "revert"])
@NETWORK_ERRORS
def test_the_network_is_away(pair: Cloud, verb: str, error: Exception) -> None:
    role, uuid = prepared(pair, verb)
    with method_fails(pair.embedded.network, "bind_to_host", Away(1, error, times=PATIENCE)):
        do(role, verb, uuid)
    assert pair.row(uuid)["vm_state"] == "error"
    is_consistent(pair, role, uuid)
