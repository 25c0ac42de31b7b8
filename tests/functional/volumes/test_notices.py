"""What is notified of volumes, on a real bus: names, publishers, payloads (contract: notifications.json)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from computed import errors
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.servers import user_context
from tests.functional.cloud import Cloud
from tests.functional.notices import TOLD, Notices
from tests.functional.volumes.keeper import VolumeKeeper

FACTS = json.loads((Path(__file__).parents[2] / "contract/facts/notifications.json").read_text())
AWAY = errors.CinderConnectionFailed(reason="HTTP 500")


class Stage:
    """A server, a volume that is to be attached to it, and listeners for both forms."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.volumes = cloud, cloud.embedded.volumes
        (self.uuid,) = cloud.boot()
        self.versioned, self.legacy = Notices(cloud.bus), Notices(cloud.bus, "notifications")
        self.volume_id = self.volumes.add()

    def attach(self, volume_id: str) -> None:
        reserved = self.cloud.rpc.call(
            "reserve_block_device_name",
            instance=self.cloud.instance(self.uuid),
            volume_id=volume_id,
            multiattach=False,
            **dict.fromkeys(("device", "disk_bus", "device_type", "tag")),
        )
        reserved.attachment_id = self.volumes.attachment_create(user_context(), volume_id, self.uuid).id
        self.send("attach_volume", bdm=reserved)

    def send(self, method: str, **arguments: Any) -> None:
        context = user_context()
        with self.cloud.embedded.store.transaction() as records:
            actions.action_start(ClassCall(context, records), self.uuid, method)
        self.cloud.rpc.cast(method, context=context, instance=self.cloud.instance(self.uuid), **arguments)
        self.cloud.rpc.call("ping", namespace="baseapi", version="1.1", arg="settle")
        self.cloud.settle()

    def names(self, uuid: str | None = None) -> list[str]:
        return self.versioned.names(self.uuid)


@pytest.fixture
def stage(make_cloud: Callable[..., Cloud]) -> Stage:
    return Stage(make_cloud({**TOLD, "volume_usage_poll_interval": 60}))


def assert_payload(payload: dict[str, Any], name: str) -> None:
    """The payload has the keys of the contract, no more and no less."""
    assert set(payload) == set(FACTS["payloads"][name]["fields"])


def test_attach_and_detach(stage: Stage) -> None:
    stage.attach(stage.volume_id)
    stage.volumes.begin_detaching(user_context(), stage.volume_id)
    stage.send("detach_volume", volume_id=stage.volume_id, attachment_id=None)
    told = [notice for notice in stage.versioned.all() if notice.event_type.startswith("instance.volume")]
    assert [notice.event_type for notice in told] == [
        "instance.volume_attach.start",
        "instance.volume_attach.end",
        "instance.volume_detach.start",
        "instance.volume_detach.end",
    ]
    for notice in told:
        assert_payload(notice.payload, "InstanceActionVolumePayload")
        assert notice.payload["volume_id"] == stage.volume_id
        assert notice.publisher == f"nova-compute:{stage.cloud.host.name}"
    old = [notice for notice in stage.legacy.all() if "volume" in notice.event_type]
    assert [notice.event_type for notice in old] == [
        "compute.instance.volume.attach",
        "volume.usage",
        "compute.instance.volume.detach",
    ]
    assert {notice.payload["volume_id"] for notice in old} == {stage.volume_id}


def test_the_usage_of_a_volume(stage: Stage) -> None:
    stage.attach(stage.volume_id)
    stage.versioned.clear()
    stage.cloud.run_periodic("_poll_volume_usage")
    (notice,) = stage.versioned.all()
    assert notice.event_type == "volume.usage"
    assert_payload(notice.payload, "VolumeUsagePayload")
    assert (notice.payload["volume_id"], notice.payload["instance_uuid"]) == (stage.volume_id, stage.uuid)
    (old,) = [notice for notice in stage.legacy.all() if notice.event_type == "volume.usage"]
    assert old.payload["instance_id"] == stage.uuid


def test_a_failed_attachment(stage: Stage) -> None:
    stage.volumes.fail("attachment_update", AWAY)
    stage.attach(stage.volume_id)
    start, error, exception = stage.versioned.all()
    assert (start.event_type, error.event_type) == (
        "instance.volume_attach.start",
        "instance.volume_attach.error",
    )
    assert error.payload["fault"]["nova_object.data"]["exception"] == "CinderConnectionFailed"
    assert exception.event_type == "compute.exception"


def test_a_swap(stage: Stage) -> None:
    stage.attach(stage.volume_id)
    new = stage.volumes.add()
    attachment = stage.volumes.attachment_create(user_context(), new, stage.uuid).id
    stage.versioned.clear()
    ids = {"old_volume_id": stage.volume_id, "new_volume_id": new}
    stage.send("swap_volume", new_attachment_id=attachment, **ids)
    told = stage.versioned.all()
    assert [notice.event_type for notice in told] == [
        "instance.volume_swap.start",
        "instance.volume_swap.end",
    ]
    for notice in told:
        assert_payload(notice.payload, "InstanceActionVolumeSwapPayload")
        assert {name: notice.payload[name] for name in ids} == ids
    assert VolumeKeeper(stage.cloud).in_guest(stage.uuid, stage.cloud.host.name) == {new}
