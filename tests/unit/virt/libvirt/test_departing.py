"""Which resizes are refused before anything happens; table rows."""

from types import SimpleNamespace

import pytest

from computed import errors
from computed.virt.libvirt.departing import refuse_shrinking
from computed.virt.specs import DiskSpec, GuestSpec

ROOT = DiskSpec("image", None, 10, boot_index=0)
VOLUME = DiskSpec("volume", None, 10, boot_index=0, volume_id="v")


def flavor(root_gb, ephemeral_gb=0):
    return SimpleNamespace(root_gb=root_gb, ephemeral_gb=ephemeral_gb)


def guest(disks, old):
    return GuestSpec(SimpleNamespace(flavor=old), None, [], disks=disks)


@pytest.mark.parametrize(
    ("disks", "old", "new"),
    [
        ((ROOT,), flavor(10), flavor(10)),
        ((ROOT,), flavor(10), flavor(11, 5)),
        ((VOLUME,), flavor(10), flavor(0)),
        # The guest was given less than its flavor allows.
        ((ROOT, DiskSpec("blank", None, 2)), flavor(10, 5), flavor(10, 2)),
    ],
)
def test_what_fits(disks, old, new):
    refuse_shrinking(guest(disks, old), new)


@pytest.mark.parametrize(
    ("disks", "old", "new"),
    [
        ((ROOT,), flavor(10), flavor(9)),
        ((ROOT,), flavor(10), flavor(0)),
        ((VOLUME,), flavor(10, 3), flavor(10, 2)),
        ((ROOT, DiskSpec("blank", None, 2), DiskSpec("blank", None, 2)), flavor(10, 4), flavor(10, 3)),
    ],
)
def test_what_would_shrink(disks, old, new):
    with pytest.raises(errors.InstanceFaultRollback) as caught:
        refuse_shrinking(guest(disks, old), new)
    assert isinstance(caught.value.inner_exception, errors.ResizeError)
