"""Verbs of the table on servers whose root disk is a volume, on snapshots of volumes; what nobody orders."""

from __future__ import annotations

import threading
from typing import Any, Final

from computed import objects
from tests.functional.failures.stage import SECOND, Stage
from tests.functional.failures.verb import Step, Verb, cast, states
from tests.functional.failures.verbs import HARD_REBOOT, RESIZE_AWAY
from tests.functional.rebuild.test_volumes import OTHER_IMAGE, give_volume


def _boot_on_volume(stage: Stage, uuid: str) -> str:
    """The volume is made of the image, and goes with the server."""
    image = stage.cloud.embedded.images.find("guest")
    root = {"source_type": "image", "image_id": image["id"], "volume_size": 2, "delete_on_termination": True}
    return stage.boot(disk={**root, "boot_index": 0})


# The root disk is written anew


def _put_root_on_volume(stage: Stage, uuid: str) -> None:
    give_volume(stage.rebuilder, uuid, root=True)


def _reimage(stage: Stage, uuid: str) -> None:
    images, volumes = stage.cloud.embedded.images, stage.cloud.embedded.volumes
    (images._directory / f"{OTHER_IMAGE}.raw").write_bytes(b"\0" * 4096)
    (root,) = [row for row in _mappings(stage, uuid) if row["boot_index"] == 0]

    def done(method: str) -> None:
        if method == "reimage":
            _tell(stage, uuid, "volume-reimaged", root["volume_id"])

    volumes.on_request = done
    try:
        wanted = {"image_ref": images.find(OTHER_IMAGE)["id"], "reimage_boot_volume": True}
        stage.rebuilder.rebuild(uuid, wait=False, **wanted)
        stage.owner.settle()
    finally:
        volumes.on_request = None


def _mappings(stage: Stage, uuid: str) -> list[Any]:
    rows = stage.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
    return [row for row in rows if row["volume_id"] and not row["deleted"]]


def _tell(stage: Stage, uuid: str, name: str, volume_id: str) -> None:
    event = objects.InstanceExternalEvent(
        instance_uuid=uuid, name=name, status="completed", tag=volume_id, data={}
    )
    wanted = {"instances": [stage.cloud.instance(uuid)], "events": [event]}
    stage.cloud.rpc.cast("external_instance_event", version="6.0", topic="compute-alt", **wanted)


# Snapshots of volumes


def _snapshot_volume(method: str) -> Step:
    def step(stage: Stage, uuid: str) -> None:
        (row,) = _mappings(stage, uuid)
        snapshot_id = stage.cloud.embedded.volumes.add_snapshot(row["volume_id"])
        info = {"snapshot_id": snapshot_id, "type": "qcow2", "new_file": "x"}
        wanted: dict[str, Any] = {"create_info": info}
        if method == "volume_snapshot_delete":
            wanted = {"snapshot_id": snapshot_id, "delete_info": {"volume_id": row["volume_id"]}}
        stage.send(uuid, method, None, volume_id=row["volume_id"], **wanted)

    return step


# What an agent does by itself


def _nobody_confirms(stage: Stage, uuid: str) -> None:
    with stage.cloud.embedded.store.transaction() as records:
        for row in records.find("Migration", instance_uuid=uuid):
            records.update("Migration", row, {"updated_at": "2001-01-01T00:00:00Z"})


def _confirm_by_itself(stage: Stage, uuid: str) -> None:
    agent = stage.cloud.agents[SECOND]
    agent.conf.set_override("resize_confirm_window", 60)
    try:
        # In a thread of its own: what the main one asks is the test's.
        looking = threading.Thread(target=agent.run_periodic, args=("_poll_unconfirmed_resizes",))
        looking.start()
        looking.join()
        stage.rest(uuid)
    finally:
        agent.conf.clear_override("resize_confirm_window")


VOLUME_VERBS: Final = (
    Verb("boot-on-volume", _boot_on_volume, states("active"), before=None),
    Verb("reimage", _reimage, states("active"), before=(_put_root_on_volume, HARD_REBOOT)),
    Verb("volume-snapshot", _snapshot_volume("volume_snapshot_create"), states("active")),
    Verb("volume-snapshot-delete", _snapshot_volume("volume_snapshot_delete"), states("active")),
    Verb("crash-dump", cast("trigger_crash_dump", None), states("active")),
    Verb(
        "confirm-by-itself",
        _confirm_by_itself,
        states("active", "resized"),
        before=(RESIZE_AWAY, _nobody_confirms),
    ),
)
