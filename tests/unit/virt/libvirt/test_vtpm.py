"""Guests to which a stock agent has given a TPM: they keep its state, and nothing that ends them is begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("libvirt")
pytest.importorskip("lxml")

from computed import errors
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.guest import Guest
from computed.virt.libvirt.migration import LibvirtMigration
from computed.virt.libvirt.reboots import Renewal
from computed.virt.libvirt.rescue import LibvirtRescue
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.specs import GuestSpec, RescueSpec
from tests.unit.virt.libvirt.design.orders import ROOT, UUID, VOLUME_ID, flavor, image, instance, order
from tests.unit.virt.libvirt.recorded_host import conf_of
from tests.unit.virt.libvirt.test_host import host_of

NVRAM = 4
KEEP_NVRAM = 8
KEEP_TPM = 64  # virDomainUndefineFlagsValues, as the others
TPM_TRAITS = "COMPUTE_SECURITY_TPM_"


class Definition:
    """A virDomain that knows some flags of undefining, and the connection that leads to it."""

    def __init__(self, known: int) -> None:
        self.known = known
        self.done: list[int | None] = []

    def connect(self) -> Any:
        return self

    def UUIDString(self) -> str:
        return UUID

    def name(self) -> str:
        return "instance-1"

    def perform(self, about: str, work: Callable[[Any], Any]) -> Any:
        return work(self)

    def undefineFlags(self, flags: int) -> None:
        if flags & ~self.known:
            raise errors.LibvirtFailed("unsupported flags", Failure.INVALID_ARG)
        self.done.append(flags)

    def undefine(self) -> None:
        self.done.append(None)


@pytest.mark.parametrize(
    ("known", "keep", "wanted", "unwanted"),
    [
        (0xFF, True, KEEP_NVRAM | KEEP_TPM, NVRAM),
        (0x1F, True, KEEP_NVRAM, NVRAM),
        (0xFF, False, NVRAM, KEEP_NVRAM | KEEP_TPM),
    ],
    ids=["kept", "an old libvirt", "removed"],
)
def test_the_state_of_a_tpm_stays_with_that_of_the_firmware(
    known: int, keep: bool, wanted: int, unwanted: int
) -> None:
    domain: Any = Definition(known)
    Guest(domain, domain).undefine(keep_nvram=keep)
    (flags,) = domain.done
    assert (flags & wanted, flags & unwanted) == (wanted, 0)


def test_what_knows_no_flags_is_undefined_without_them() -> None:
    domain: Any = Definition(0)
    Guest(domain, domain).undefine(keep_nvram=True)
    assert domain.done == [None]


class Running:
    """A guest that runs; whatever would end it is written down."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def xml(self, **how: bool) -> str:
        return guest_domain(order()).to_xml()

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: self.ended.append(name)


def reboot(engine: Any, spec: GuestSpec) -> None:
    Renewal(engine, None, spec).run()


def rescue(engine: Any, spec: GuestSpec) -> None:
    driver = LibvirtRescue()
    driver._engine = engine
    driver.rescue(None, RescueSpec(guest=spec, image_meta=image(), admin_password="x"))


def resize(engine: Any, spec: GuestSpec) -> None:
    driver = LibvirtMigration()
    driver._engine = engine
    driver.migrate_disk_and_power_off(None, spec, None, flavor(root_gb=20), timeout_seconds=0)


@pytest.mark.parametrize("end", [reboot, rescue, resize])
def test_what_would_end_the_guest_is_refused_while_it_runs(
    end: Callable[[Any, GuestSpec], None], tmp_path: Path
) -> None:
    guest = Running()
    engine = SimpleNamespace(
        connection=SimpleNamespace(guest=lambda uuid: guest),
        options=SimpleNamespace(virt_type="qemu"),
        paths=lambda instance: InstancePaths(tmp_path, UUID),
    )
    with_tpm = instance(system_metadata={"vtpm_secret_uuid": VOLUME_ID})
    spec = GuestSpec(instance=with_tpm, image_meta=image(), network_info=None, disks=(ROOT,))
    with pytest.raises((errors.Invalid, errors.InstanceFaultRollback)) as refused:
        end(engine, spec)
    reason = getattr(refused.value, "inner_exception", refused.value)
    assert "TPM" in str(reason)
    assert guest.ended == []


def test_no_guest_with_a_tpm_is_sent_here(tmp_path: Path) -> None:
    assert conf_of(tmp_path, libvirt__swtpm_enabled=True).libvirt.swtpm_enabled
    host = host_of(tmp_path, libvirt__swtpm_enabled=True)
    said = {name: is_there for name, is_there in host.traits().items() if name.startswith(TPM_TRAITS)}
    assert f"{TPM_TRAITS}2_0" in said and not any(said.values())
    assert not host.flags["supports_vtpm"]
