"""What a boot and a delete cost on the broker, and that it does not grow with the servers on the host."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.wiretap import Wiretap

BOOT_CALLS, DELETE_CALLS = 9, 6


@pytest.mark.parametrize("already_there", [0, pytest.param(20, marks=pytest.mark.long)])
def test_conductor_calls_of_a_boot_and_a_delete(
    already_there: int, agents: MakeAgents, cloud: Cloud, wiretap: Wiretap
) -> None:
    (agent,) = agents(1)
    zone = f"nova:{agent.host}"
    crowd = cloud.boot(already_there, "crowd", availability_zone=zone)
    cloud.wait_status(crowd, "ACTIVE")

    ids = cloud.boot(1, "counted", availability_zone=zone)
    cloud.wait_status(ids, "ACTIVE")
    wiretap.settle()
    booted = _calls_of(wiretap, cloud, ids[0], "create")
    cloud.delete(ids)
    wiretap.settle()
    deleted = _calls_of(wiretap, cloud, ids[0], "delete")
    cloud.delete(crowd)

    assert sum(booted.values()) <= BOOT_CALLS, booted
    assert sum(deleted.values()) <= DELETE_CALLS, deleted


def _calls_of(wiretap: Wiretap, cloud: Cloud, server: str, action: str) -> Counter[str]:
    """The conductor calls made in the request that began ``action`` on ``server``."""
    listed = cloud.admin.compute.get(f"/servers/{server}/os-instance-actions").json()["instanceActions"]
    request = next(entry["request_id"] for entry in listed if entry["action"] == action)
    return wiretap.object_calls(lambda message: message.request_id == request)
