"""What a rebuild announces, against what a stock agent was recorded to announce."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.cloud import Cloud
from tests.functional.fleet import HOST
from tests.functional.notices import TOLD, Notices
from tests.functional.rebuild.role import RebuildRole

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "contract" / "facts" / "rebuild_notifications.json").read_text()
)


@pytest.mark.parametrize("topic", ["notifications", "versioned_notifications"])
@pytest.mark.parametrize("kind", ["rebuild", "evacuate"])
def test_events_publisher_and_keys_are_those_of_stock(
    make_cloud: Callable[..., Cloud], topic: str, kind: str
) -> None:
    cloud = make_cloud(TOLD)
    cloud.add_host("second", TOLD)
    (uuid,) = cloud.boot(host=HOST)
    role = RebuildRole(cloud)
    heard = Notices(cloud.bus, topic)
    if kind == "rebuild":
        role.rebuild(uuid)
    else:
        role.evacuate(uuid)
    host = HOST if kind == "rebuild" else "second"
    recorded = [fact for fact in FACTS if fact["to"] == topic]
    told = [notice for notice in heard.all() if "instance" in notice.event_type]
    assert [notice.event_type for notice in told] == [fact["event_type"] for fact in recorded]
    publisher = f"compute.{host}" if topic == "notifications" else f"nova-compute:{host}"
    assert {notice.publisher for notice in told} == {publisher}
    for notice, fact in zip(told, recorded, strict=True):
        assert sorted(notice.payload) == fact["keys"], notice.event_type
        if topic == "versioned_notifications":
            # No option asks for block devices: only a rebuild itself tells those that it has at hand.
            expected = [] if "rebuild" in notice.event_type else None
            assert notice.payload["block_devices"] == expected, notice.event_type


def test_a_failure_is_announced_as_an_error(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({**TOLD, "fake.fail": ["spawn:broken*:NovaException"]})
    (uuid,) = cloud.boot(name="server")
    cloud.set_fields(uuid, display_name="broken")
    role = RebuildRole(cloud)
    heard = Notices(cloud.bus)
    role.rebuild(uuid)
    told = {notice.event_type: notice.payload for notice in heard.all()}
    fault = told["instance.rebuild.error"]["fault"]["nova_object.data"]
    assert fault["exception"] == "NovaException"
    assert "compute.exception" in told
