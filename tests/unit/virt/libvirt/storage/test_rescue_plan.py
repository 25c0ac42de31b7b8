"""The disks of a guest while it is rescued; table rows, no file is touched."""

from types import SimpleNamespace

import pytest

from computed import errors, objects
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.plan import StorageOptions, local_disks, rescue_plan
from computed.virt.specs import DiskSpec, GuestSpec, RescueSpec

IMAGE_ID = "00000031-0000-4000-8000-000000000031"
RESCUE_ID = "00000032-0000-4000-8000-000000000032"
UUID = "11111111-2222-4333-8444-555555555555"
IMAGE = DiskSpec("image", "/dev/vda", 10, boot_index=0, image_id=IMAGE_ID)
BLANK = DiskSpec("blank", None, 2)
VOLUME = DiskSpec("volume", "/dev/vdc", 5, volume_id="v1", boot_index=1)


def rescued(tmp_path, *disks, properties=None, own=None, config_drive="", options=None, **rescue):
    def meta(image_id, said):
        return objects.ImageMeta.from_dict({"id": image_id, "disk_format": "raw", "properties": said or {}})

    instance = SimpleNamespace(uuid=UUID, config_drive=config_drive)
    guest = GuestSpec(instance=instance, image_meta=meta(IMAGE_ID, own), network_info=[], disks=disks)
    spec = RescueSpec(guest, meta(RESCUE_ID, properties), "secret", **rescue)
    return rescue_plan(spec, StorageOptions(**(options or {})), InstancePaths(tmp_path, UUID))


def seen(plans):
    return [(p.kind, p.path and p.path.name, p.bus, p.target, p.device, p.boot_order) for p in plans]


def test_the_rescue_disk_takes_the_place_of_the_root_disk(tmp_path):
    plans = rescued(tmp_path, IMAGE, BLANK, VOLUME, config_drive="True")
    assert seen(plans) == [
        ("rescue", "disk.rescue", "virtio", "vda", "disk", 1),
        ("root", "disk", "virtio", "vdb", "disk", None),
        ("config_drive", "disk.config.rescue", "ide", "hda", "cdrom", None),
    ]
    assert (plans[0].image_id, plans[0].size_bytes, plans[0].format) == (RESCUE_ID, None, "qcow2")
    assert plans[1].image_id == IMAGE_ID


def test_the_rescue_image_names_the_bus(tmp_path):
    plans = rescued(tmp_path, IMAGE, properties={"hw_disk_bus": "scsi"}, own={"hw_disk_bus": "ide"})
    assert [(p.bus, p.target) for p in plans] == [("scsi", "sda"), ("scsi", "sdb")]


def test_stable_devices_stay_and_the_rescue_disk_comes_last_and_boots_first(tmp_path):
    plans = rescued(tmp_path, IMAGE, BLANK, VOLUME, config_drive="True", is_stable=True, disk_bus="virtio")
    assert seen(plans) == [
        ("root", "disk", "virtio", "vda", "disk", 2),
        ("ephemeral", "disk.eph0", "virtio", "vdb", "disk", None),
        ("volume", None, "virtio", "vdc", "disk", 3),
        ("config_drive", "disk.config", "ide", "hda", "cdrom", None),
        ("rescue", "disk.rescue", "virtio", "vdd", "disk", 1),
    ]
    assert [p.kind for p in local_disks(plans)] == ["root", "ephemeral", "rescue"]


@pytest.mark.parametrize(
    ("rescue", "properties", "expected"),
    [
        ({"device_type": "cdrom"}, {}, ("ide", "hda", "cdrom", True)),
        ({"device_type": "cdrom"}, {"hw_cdrom_bus": "sata"}, ("sata", "sda", "cdrom", True)),
        ({"device_type": "cdrom", "disk_bus": "usb"}, {}, ("usb", "sda", "cdrom", True)),
        ({"device_type": "disk"}, {"hw_disk_bus": "scsi"}, ("scsi", "sda", "disk", False)),
        ({"device_type": "floppy"}, {}, ("fdc", "fda", "floppy", False)),
    ],
)
def test_a_stable_rescue_device(rescue, properties, expected, tmp_path):
    plans = rescued(tmp_path, IMAGE, properties=properties, is_stable=True, **rescue)
    last = plans[-1]
    assert (last.bus, last.target, last.device, last.is_readonly) == expected


def test_a_server_on_a_volume_is_rescued_with_stable_devices(tmp_path):
    root = DiskSpec("volume", "/dev/vda", 5, volume_id="v1", boot_index=0)
    plans = rescued(tmp_path, root, is_stable=True, disk_bus="virtio")
    assert [(p.kind, p.target, p.boot_order) for p in plans] == [("volume", "vda", 2), ("rescue", "vdb", 1)]


def test_what_does_not_exist_is_refused(tmp_path):
    with pytest.raises(errors.UnsupportedRescueDevice, match="fs"):
        rescued(tmp_path, IMAGE, is_stable=True, device_type="fs")
    with pytest.raises(errors.UnsupportedRescueBus, match="xen"):
        rescued(tmp_path, IMAGE, is_stable=True, disk_bus="xen")
