"""Names and kinds of disks."""

from itertools import islice

import pytest

from computed import errors, objects
from computed.steps.block_devices import (
    disk_specs,
    free_letters,
    free_name,
    name_devices,
    nameless_disks,
    take_names,
)

UUID = "00000001-0000-4000-8000-000000000001"
KINDS = {
    "image": {"source_type": "image", "destination_type": "local"},
    "ephemeral": {"source_type": "blank", "destination_type": "local"},
    "swap": {"source_type": "blank", "destination_type": "local", "guest_format": "swap"},
    "volume": {"source_type": "volume", "destination_type": "volume", "volume_id": "v"},
}
UNSET = dict.fromkeys(
    ("guest_format", "device_name", "volume_id", "volume_size", "disk_bus", "device_type", "image_id", "tag")
)


def bdm(kind, **values):
    fields = UNSET | KINDS[kind] | {"boot_index": 0 if kind == "image" else -1, "no_device": False} | values
    return objects.BlockDeviceMapping(instance_uuid=UUID, **fields)


def instance(root_device_name=None, root_gb=5, swap=256):
    flavor = objects.Flavor(root_gb=root_gb, swap=swap)
    return objects.Instance(uuid=UUID, root_device_name=root_device_name, flavor=flavor)


@pytest.mark.parametrize(
    ("prefix", "given", "root_name", "expected"),
    [
        ("sd", [("image", None)], None, ["/dev/sda"]),
        ("vd", [("image", None)], None, ["/dev/vda"]),
        ("sd", [("image", "/dev/vda")], None, ["/dev/vda"]),
        ("sd", [("image", None)], "/dev/vda", ["/dev/vda"]),
        (
            "sd",
            [("swap", None), ("ephemeral", None), ("image", None)],
            None,
            ["/dev/sdc", "/dev/sdb", "/dev/sda"],
        ),
        ("sd", [("image", None), ("swap", "/dev/sdb"), ("ephemeral", None)], None,
         ["/dev/sda", "/dev/sdb", "/dev/sdc"]),
        ("vd", [("image", "/dev/sda1"), ("ephemeral", None)], None, ["/dev/sda1", "/dev/sdb"]),
        ("sd", [("image", "/dev/xvda"), ("swap", None)], None, ["/dev/xvda", "/dev/xvdb"]),
        ("sd", [("image", None), ("volume", "/dev/nvme0n1"), ("swap", None)], None,
         ["/dev/sda", "/dev/nvme0n1", "/dev/sdb"]),
    ],
)  # fmt: skip
def test_names(prefix, given, root_name, expected):
    target = instance(root_name)
    bdms = [bdm(kind, device_name=name) for kind, name in given]
    before = [device.device_name for device in bdms]
    named = name_devices(target, bdms, prefix, -1)
    assert [device.device_name for device in bdms] == expected
    assert target.root_device_name == next(device.device_name for device in bdms if device.is_root)
    assert len(named) == before.count(None)


def test_without_a_root_device_nothing_is_named():
    bdms = [bdm("ephemeral")]
    assert name_devices(instance(), bdms, "sd", -1) == []
    assert bdms[0].device_name is None


def test_too_many_disks():
    with pytest.raises(errors.TooManyDiskDevices):
        name_devices(instance(), [bdm("image"), bdm("swap"), bdm("ephemeral")], "sd", 2)


@pytest.mark.parametrize("name", ["/dev/", "/dev/sda-1", "../../etc/passwd", "/dev/SDA"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(errors.InvalidDevicePath):
        name_devices(instance(), [bdm("image", device_name=name), bdm("swap")], "sd", -1)


def test_letters_go_on_after_z():
    letters = list(islice(free_letters({"a", "c"}), 27))
    assert letters[:2] == ["b", "d"]
    assert letters[23:] == ["z", "aa", "ab", "ac"]


def test_what_a_driver_is_told():
    bdms = [
        bdm("image", device_name="/dev/sda", image_id="i"),
        bdm("ephemeral", device_name="/dev/sdb", volume_size=7, guest_format="ext4"),
        bdm("swap", device_name="/dev/sdc", volume_size=64),
    ]
    root, ephemeral, swap = disk_specs(instance(), bdms)
    assert (root.source, root.size_gib, root.boot_index, root.image_id) == ("image", 5, 0, "i")
    assert (ephemeral.source, ephemeral.size_gib, ephemeral.guest_format) == ("blank", 7, "ext4")
    assert ephemeral.boot_index is None
    assert (swap.source, swap.size_gib, swap.swap_mib) == ("swap", None, 64)


def test_a_root_disk_of_no_size_is_as_large_as_its_image():
    assert disk_specs(instance(root_gb=0), [bdm("image")])[0].size_gib is None


@pytest.mark.parametrize(
    ("root", "used", "wanted", "expected"),
    [
        ("/dev/sda", ["/dev/sda"], None, "/dev/sdb"),
        ("/dev/sda", ["/dev/sda", "/dev/sdb", "/dev/sdd"], None, "/dev/sdc"),
        ("/dev/vda", ["/dev/vda"], "/dev/sdf", "/dev/vdf"),
        ("/dev/vda", ["/dev/vda"], "vdc", "/dev/vdc"),
        (None, [], None, "/dev/vdb"),
        ("/dev/vda", [None, "/dev/vdb1"], None, "/dev/vdc"),
        ("/dev/vda", ["/dev/vda", "/dev/disk/by-id/x", "/dev/vdb"], None, "/dev/vdc"),
    ],
)
def test_one_more_device(root, used, wanted, expected):
    bdms = [bdm("volume", device_name=name) for name in used]
    assert free_name(instance(root_device_name=root), bdms, wanted, -1) == expected


def test_one_more_device_that_cannot_be():
    bdms = [bdm("volume", device_name="/dev/vdb")]
    server = instance(root_device_name="/dev/vda")
    with pytest.raises(errors.DevicePathInUse):
        free_name(server, bdms, "/dev/vdb", -1)
    with pytest.raises(errors.DevicePathInUse):
        free_name(server, bdms, "/dev/sda", -1)
    with pytest.raises(errors.InvalidDevicePath):
        free_name(server, bdms, "/dev/vd-", -1)
    with pytest.raises(errors.TooManyDiskDevices):
        free_name(server, bdms, None, 2)
    assert free_name(server, bdms, None, 3) == "/dev/vdc"
    with pytest.raises(errors.TooManyDiskDevices):
        free_name(server, [*bdms, bdm("volume", device_name="/dev/nvme0n1")], None, 3)


def test_a_connected_volume_is_told_and_one_that_is_not_is_left_out():
    there = bdm("volume", device_name="/dev/sdb", volume_id="v", connection_info='{"data": {"x": 1}}')
    (told,) = disk_specs(instance(), [there, bdm("volume", connection_info=None)])
    assert (told.source, told.volume_id, told.connection_info) == ("volume", "v", {"data": {"x": 1}})
    assert told.boot_index is None


def test_names_that_a_driver_has_chosen_win():
    bdms = [bdm("image", device_name="/dev/sda"), bdm("swap"), bdm("ephemeral", device_name="/dev/vdc")]
    server = instance()
    assert take_names(server, bdms, ["/dev/vda", "/dev/vdb", "/dev/vdc"]) == bdms[:2]
    assert [device.device_name for device in bdms] == ["/dev/vda", "/dev/vdb", "/dev/vdc"]
    assert server.root_device_name == "/dev/vda"


def test_a_driver_that_chooses_is_told_of_volumes_before_they_are_connected():
    disks = nameless_disks(instance(), [bdm("image", device_name="/dev/sda"), bdm("volume", boot_index=-1)])
    assert [(disk.source, disk.device_name, disk.boot_index) for disk in disks] == [
        ("image", None, 0),
        ("volume", None, None),
    ]
