"""From what was ordered to the disks that a guest sees; table rows, no file is touched."""

from types import SimpleNamespace

import pytest

from computed import errors, objects
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.plan import StorageOptions, letters, plan
from computed.virt.specs import DiskSpec, GuestSpec

IMAGE_ID = "00000031-0000-4000-8000-000000000031"
UUID = "11111111-2222-4333-8444-555555555555"
IMAGE = DiskSpec("image", None, 10, boot_index=0, image_id=IMAGE_ID)
GIB = 1 << 30


def planned(
    tmp_path, *disks, properties=None, disk_format="raw", config_drive="", launched_at=None, **options
):
    image_meta = objects.ImageMeta.from_dict(
        {"id": IMAGE_ID, "disk_format": disk_format, "properties": properties or {}}
    )
    instance = SimpleNamespace(uuid=UUID, config_drive=config_drive, launched_at=launched_at)
    spec = GuestSpec(instance=instance, image_meta=image_meta, network_info=[], disks=disks)
    return plan(spec, StorageOptions(**options), InstancePaths(tmp_path, UUID))


def seen(plans):
    return [(p.kind, p.bus, p.target, p.device, p.boot_order) for p in plans]


def test_a_plain_guest(tmp_path):
    (root,) = planned(tmp_path, IMAGE)
    assert seen([root]) == [("root", "virtio", "vda", "disk", 1)]
    assert root.path == tmp_path / UUID / "disk"
    assert root.format == "qcow2"
    assert root.size_bytes == 10 * GIB
    assert root.image_id == IMAGE_ID
    assert root.cache == "none"


def test_everything_at_once(tmp_path):
    plans = planned(
        tmp_path,
        DiskSpec("volume", None, 5, volume_id="v1", disk_bus="scsi"),
        DiskSpec("swap", None, None, swap_mib=512),
        DiskSpec("blank", None, 2, guest_format="ext3"),
        DiskSpec("blank", None, 3),
        IMAGE,
        config_drive="True",
        local_format="raw",
    )
    assert seen(plans) == [
        ("root", "virtio", "vda", "disk", 1),
        ("ephemeral", "virtio", "vdb", "disk", None),
        ("ephemeral", "virtio", "vdc", "disk", None),
        ("swap", "virtio", "vdd", "disk", None),
        ("volume", "scsi", "sda", "disk", None),
        ("config_drive", "ide", "hda", "cdrom", None),
    ]
    names = [p.path and p.path.name for p in plans]
    assert names == ["disk", "disk.eph0", "disk.eph1", "disk.swap", None, "disk.config"]
    assert [p.size_bytes for p in plans] == [10 * GIB, 2 * GIB, 3 * GIB, 512 << 20, None, None]
    assert plans[1].guest_format == "ext3"
    assert plans[4].serial == "v1"
    assert {p.format for p in plans} == {"raw"}
    assert [p.is_readonly for p in plans] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, False),
        ({"config_drive": "True", "launched_at": "earlier"}, True),
        ({"forces_config_drive": True}, True),
        ({"forces_config_drive": True, "launched_at": "earlier"}, False),
        ({"properties": {"img_config_drive": "mandatory"}, "launched_at": "earlier"}, True),
    ],
)
def test_who_has_a_config_drive(tmp_path, order, expected):
    plans = planned(tmp_path, IMAGE, **order)
    assert any(disk.kind == "config_drive" for disk in plans) is expected


@pytest.mark.parametrize(
    ("disk", "options", "properties", "bus", "target"),
    [
        ({"device_name": "/dev/vdc"}, {}, {}, "virtio", "vdc"),
        ({}, {}, {"hw_disk_bus": "scsi"}, "scsi", "sda"),
        ({}, {}, {"hw_disk_bus": "ide"}, "ide", "hda"),
        ({"disk_bus": "sata"}, {}, {"hw_disk_bus": "scsi"}, "sata", "sda"),
        ({"device_type": "cdrom"}, {"cdrom_bus": "sata"}, {}, "sata", "sda"),
        ({"device_type": "cdrom"}, {}, {"hw_cdrom_bus": "scsi"}, "scsi", "sda"),
        ({"device_type": "floppy"}, {}, {}, "fdc", "fda"),
        ({"device_type": "lun"}, {}, {"hw_disk_bus": "scsi"}, "scsi", "sda"),
        ({}, {"virt_type": "lxc"}, {}, "lxc", None),
        ({}, {"prefix": "sd"}, {}, "virtio", "sda"),
        ({"disk_bus": "xen"}, {}, {}, "virtio", "vda"),
    ],
)
def test_bus_and_name(disk, options, properties, bus, target, tmp_path):
    values = {"source": "image", "device_name": None, "size_gib": 1, "boot_index": 0, **disk}
    (root,) = planned(tmp_path, DiskSpec(**values), properties=properties, **options)
    assert (root.bus, root.target) == (bus, target)


@pytest.mark.parametrize(
    ("name", "bus"),
    [("/dev/vdb", "virtio"), ("/dev/sdb", "scsi"), ("/dev/hdb", "ide"), ("/dev/xvdb", "virtio")],
)
def test_the_bus_of_a_volume_follows_from_its_name(name, bus, tmp_path):
    plans = planned(tmp_path, IMAGE, DiskSpec("volume", name, 1, volume_id="v"))
    assert (plans[1].bus, plans[1].target) == (bus, name.removeprefix("/dev/"))


def test_a_promised_name_is_given_to_nobody_else(tmp_path):
    plans = planned(
        tmp_path, IMAGE, DiskSpec("blank", None, 1), DiskSpec("volume", "/dev/vdb", 1, volume_id="v")
    )
    assert [p.target for p in plans] == ["vda", "vdc", "vdb"]


def test_a_disc_image_is_a_disc(tmp_path):
    (root,) = planned(tmp_path, IMAGE, disk_format="iso")
    assert seen([root]) == [("root", "ide", "hda", "cdrom", 1)]


def test_a_guest_that_boots_from_a_volume_has_no_root_file(tmp_path):
    plans = planned(
        tmp_path, DiskSpec("blank", None, 1), DiskSpec("volume", None, 5, volume_id="v", boot_index=0)
    )
    assert seen(plans) == [
        ("volume", "virtio", "vda", "disk", 1),
        ("ephemeral", "virtio", "vdb", "disk", None),
    ]


def test_cache_modes(tmp_path):
    (root,) = planned(tmp_path, IMAGE, default_cache_mode="writeback")
    assert root.cache == "writeback"
    (root,) = planned(tmp_path, IMAGE, cache_modes=(("file", "writethrough"), ("network", "none")))
    assert root.cache == "writethrough"


def test_a_bus_that_does_not_exist_here_is_refused(tmp_path):
    with pytest.raises(errors.UnsupportedHardware, match="xen"):
        planned(tmp_path, IMAGE, properties={"hw_disk_bus": "xen"})
    with pytest.raises(errors.UnsupportedVirtType, match="xen"):
        planned(tmp_path, IMAGE, virt_type="xen")


def test_too_many_disks(tmp_path):
    disks = [DiskSpec("blank", None, 1) for _ in range(4)]
    with pytest.raises(errors.TooManyDiskDevices):
        planned(tmp_path, IMAGE, *disks, properties={"hw_disk_bus": "ide"})
    with pytest.raises(errors.TooManyDiskDevices):
        planned(tmp_path, IMAGE, *disks, most_disks=4)
    assert planned(tmp_path, IMAGE, *disks, most_disks=5)[-1].target == "vde"


def test_letters():
    assert [letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["a", "z", "aa", "az", "ba", "zz", "aaa"]
