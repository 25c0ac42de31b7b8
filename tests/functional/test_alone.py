"""The one-host cloud as a user meets it."""

from __future__ import annotations

from tests.functional.cloud import Cloud


def test_servers_live_and_die(cloud: Cloud) -> None:
    one, two = cloud.boot(2)
    assert cloud.row(one)["host"] == "alone"
    assert len(cloud.allocations(one)) == 1
    cloud.delete(one)
    assert cloud.uuids() == [two]
    assert cloud.allocations(one) == {}
