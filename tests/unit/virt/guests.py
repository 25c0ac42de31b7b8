"""Instances and guest specifications as the fake driver reads them."""

from types import SimpleNamespace

from computed.virt.specs import DiskSpec, GuestSpec

UUID = "00000001-0000-4000-8000-00000000000%d"


def make_instance(number=1, name="web-1"):
    return SimpleNamespace(uuid=UUID % number, name=f"instance-{number:08x}", display_name=name)


def make_spec(instance=None, **more):
    return GuestSpec(
        instance=instance or make_instance(),
        image_meta=None,
        network_info=[{"id": "port-1"}],
        disks=(DiskSpec("image", "/dev/sda", 1, boot_index=0),),
        **more,
    )
