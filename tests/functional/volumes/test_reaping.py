"""Volumes when the guest of a deleted server is reaped: those that were its own, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from computed import errors, objects
from computed.context import get_admin_context
from computed.periodic import running_deleted
from tests.functional.volumes.keeper import VolumeKeeper

AWAY = errors.CinderConnectionFailed(reason="HTTP 500")
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def keeper(keeper: VolumeKeeper) -> VolumeKeeper:
    keeper.cloud.conf.set_override("running_deleted_instance_action", "reap")
    return keeper


def boot(keeper: VolumeKeeper) -> tuple[str, str]:
    """A server and a volume that is to go with it."""
    uuid, volume_id = keeper.boot(root=False)
    edit_mapping(keeper, uuid, volume_id, delete_on_termination=True)
    return uuid, volume_id


def edit_mapping(keeper: VolumeKeeper, uuid: str, volume_id: str, **fields: Any) -> None:
    row = keeper.mapping(uuid, volume_id)
    with keeper.cloud.embedded.store.transaction() as records:
        records.update("BlockDeviceMapping", row, fields)


def remove_mapping(keeper: VolumeKeeper, uuid: str, volume_id: str) -> None:
    edit_mapping(keeper, uuid, volume_id, deleted=True, deleted_at=LONG_AGO)


def give_back(keeper: VolumeKeeper, volume_id: str) -> None:
    (attachment,) = keeper.volumes.attachments_of(volume_id=volume_id)
    keeper.cloud.host.volumes.attachment_delete(get_admin_context(), attachment["uuid"])
    keeper.assert_free(volume_id)


def delete_record(uuid: str) -> None:
    """What the API does to a server whose agent is away."""
    objects.Instance.get_by_uuid(get_admin_context(), uuid).destroy()


def reap(keeper: VolumeKeeper) -> None:
    running_deleted.cleanup_running_deleted_instances(keeper.cloud.host, get_admin_context())


def is_there(keeper: VolumeKeeper, volume_id: str) -> bool:
    try:
        keeper.volumes.row(volume_id)
    except errors.VolumeNotFound:
        return False
    return True


def test_a_volume_that_the_server_had_goes_with_it(keeper: VolumeKeeper) -> None:
    uuid, volume_id = boot(keeper)
    delete_record(uuid)
    reap(keeper)
    assert uuid not in keeper.cloud.host.driver.states()
    assert not is_there(keeper, volume_id)


def test_a_volume_that_was_detached_long_ago_stays(keeper: VolumeKeeper) -> None:
    uuid, volume_id = boot(keeper)
    remove_mapping(keeper, uuid, volume_id)
    give_back(keeper, volume_id)
    delete_record(uuid)
    reap(keeper)
    assert uuid not in keeper.cloud.host.driver.states()
    keeper.assert_free(volume_id)


def test_a_volume_whose_mapping_went_and_whose_attachment_did_not(keeper: VolumeKeeper) -> None:
    """When the API deletes a record alone, the mappings go first, also of volumes it cannot give back."""
    uuid, volume_id = boot(keeper)
    remove_mapping(keeper, uuid, volume_id)
    delete_record(uuid)
    reap(keeper)
    assert uuid not in keeper.cloud.host.driver.states()
    assert not is_there(keeper, volume_id)


def test_a_guest_waits_for_the_service_that_knows_its_volumes(keeper: VolumeKeeper) -> None:
    uuid, volume_id = boot(keeper)
    remove_mapping(keeper, uuid, volume_id)
    delete_record(uuid)
    keeper.volumes.fail("attachments", AWAY)
    reap(keeper)
    assert uuid in keeper.cloud.host.driver.states()
    assert is_there(keeper, volume_id)
