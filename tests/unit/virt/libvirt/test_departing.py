"""Resizes on their source: which are refused at once, and what becomes of the files when one fails."""

from types import SimpleNamespace

import pytest

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt import departing
from computed.virt.libvirt.departing import Departure, refuse_shrinking
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.specs import DiskSpec, GuestSpec, GuestState

ROOT = DiskSpec("image", None, 10, boot_index=0)
UUID = "11111111-2222-4333-8444-555555555555"
HERE = SimpleNamespace(source_compute="here", dest_compute="here", dest_host="192.0.2.1")
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


class StoppableGuest:
    """Libvirt's side of a running guest; `trouble` is what it answers to the order to stop."""

    def __init__(self, trouble=None):
        self.trouble, self.runs = trouble, True

    def state(self):
        return GuestState(UUID, PowerState.RUNNING, None)

    def is_active(self):
        return self.runs

    def destroy(self):
        if self.trouble is not None:
            raise self.trouble
        self.runs = False

    def drop_managed_save(self):
        pass

    def start(self, *, paused):
        self.runs = True


@pytest.fixture
def paths(tmp_path):
    """A guest's directory, and beside it what an earlier resize has left."""
    made = InstancePaths(tmp_path, UUID)
    made.create()
    made.disk().write_text("of the guest")
    made.resize_directory.mkdir()
    (made.resize_directory / "disk").write_text("of last year")
    return made


def leave(paths, guest):
    engine = SimpleNamespace(
        connection=SimpleNamespace(guest=lambda uuid: guest),
        paths=lambda instance: paths,
        conf=SimpleNamespace(
            my_ip="192.0.2.1",
            compute=SimpleNamespace(shutdown_retry_interval=1),
            libvirt=SimpleNamespace(migration_inbound_addr="192.0.2.1"),
        ),
    )
    spec = GuestSpec(SimpleNamespace(uuid=UUID), None, [], disks=(ROOT,))
    Departure(engine, spec, HERE).run(0)


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [
        (errors.HypervisorUnavailable(), errors.HypervisorUnavailable),
        (errors.InstancePowerOffFailure(reason="it hangs"), errors.InstanceFaultRollback),
    ],
)
def test_a_guest_that_could_not_be_stopped_keeps_its_disks(paths, trouble, raised):
    guest = StoppableGuest(trouble)
    with pytest.raises(raised):
        leave(paths, guest)
    assert paths.disk().read_text() == "of the guest"
    assert guest.runs


def test_disks_that_cannot_be_described_stay(paths):
    paths.disk_info.write_text("no record")
    guest = StoppableGuest()
    with pytest.raises(errors.InstanceFaultRollback):
        leave(paths, guest)
    assert paths.disk().read_text() == "of the guest"
    assert guest.runs


def test_what_an_earlier_resize_has_left_cannot_be_removed(paths):
    (paths.resize_directory / "disk").unlink()
    paths.resize_directory.rmdir()
    paths.resize_directory.write_text("no directory, so it cannot be removed as one")
    guest = StoppableGuest()
    with pytest.raises(errors.InstanceFaultRollback):
        leave(paths, guest)
    assert paths.disk().read_text() == "of the guest"
    assert guest.runs


def test_disks_that_could_not_be_copied_are_given_back(paths, monkeypatch):
    def fail(base, target):
        target.write_text("half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(departing, "copy_file", fail)
    guest = StoppableGuest()
    with pytest.raises(errors.InstanceFaultRollback):
        leave(paths, guest)
    assert paths.disk().read_text() == "of the guest"
    assert not paths.resize_directory.exists()
    assert guest.runs
