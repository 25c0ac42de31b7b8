"""A conductor that is away for a moment while volumes come and go: nothing is done twice, nothing is lost."""

import pytest

from tests.functional.verbs.bench import lose_every_first
from tests.functional.verbs.test_volume_boot import ROOT_OF_IMAGE, boot, is_up
from tests.functional.verbs.test_volumes import (
    attach,
    detach,
    is_attached,
    is_given_back,
    mapping,
    order,
    reserve,
    send,
)

LOST = pytest.mark.parametrize("is_done", [False, True], ids=["lost question", "lost answer"])


@pytest.fixture
def bench(make_bench):
    return make_bench(rpc_response_timeout=1)


@LOST
def test_a_mapping_is_made_once(bench, is_done):
    server = bench.boot()
    volume_id = bench.volumes.add()
    lose_every_first(bench, "BlockDeviceMapping.create", is_done=is_done)
    reserved = reserve(bench, server, volume_id)
    (row,) = bench.rows("BlockDeviceMapping", volume_id=volume_id)
    assert (reserved.id, reserved.uuid, reserved.device_name) == (row["id"], row["uuid"], "/dev/sdb")


@LOST
def test_an_attachment_is_recorded(bench, is_done):
    server = bench.boot()
    volume_id = bench.volumes.add()
    bdm = order(bench, server, volume_id)
    lose_every_first(bench, "BlockDeviceMapping.save", is_done=is_done)
    send(bench, server, bdm)
    is_attached(bench, server, volume_id)
    assert bench.fault(server.uuid) is None


@LOST
def test_a_mapping_is_forgotten(bench, is_done):
    server = bench.boot()
    volume_id = attach(bench, server)
    lose_every_first(bench, "BlockDeviceMapping.destroy", is_done=is_done)
    detach(bench, server, volume_id)
    is_given_back(bench, server, volume_id)
    assert bench.fault(server.uuid) is None


@LOST
def test_a_new_root_volume_is_made_once(bench, is_done):
    lose_every_first(bench, "BlockDeviceMapping.save", is_done=is_done)
    server = boot(bench, [ROOT_OF_IMAGE])
    (volume_id,) = bench.volumes.volume_ids()
    is_up(bench, server, volume_id, "/dev/sda")
    assert mapping(bench, server, volume_id).source_type == "image"
