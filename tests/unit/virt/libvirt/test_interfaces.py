"""Interfaces given to and taken from guests, with a guest that answers as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("lxml")

from computed import errors
from computed.objects import ImageMeta
from computed.objects.network_model import VIF
from computed.states import PowerState
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.interfaces import LibvirtInterfaces
from computed.virt.libvirt.network.interface import interface
from computed.virt.libvirt.network.wishes import InterfaceWishes
from computed.virt.libvirt.xml.devices.interface import Interface
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.libvirt.xml.metadata import InstanceMetadata, MetaPort

UUID = "5d0a2f3c-6c2e-4f0a-9d5e-1b2c3d4e5f62"
PORT = "00000072-0000-4000-8000-000000000072"
OTHER = "00000073-0000-4000-8000-000000000073"
REMOVED, REFUSED = 0, 1


def a_vif(port: str = PORT) -> VIF:
    subnet = {"cidr": "192.0.2.0/24", "ips": [{"address": "192.0.2.10"}]}
    return VIF.hydrate(
        {
            "id": port,
            "address": f"fa:16:3e:00:00:{port[6:8]}",
            "network": {"id": OTHER, "bridge": "br-int", "subnets": [subnet]},
            "type": "ovs",
            "devname": f"tap{port}"[:14],
            "delegate_create": True,
        }
    )


class FakeGuest:
    """Two definitions, and a plan of what a running guest does when it is asked for a device."""

    uuid = UUID

    def __init__(self, power_state: int, *ports: str) -> None:
        self.power_state = power_state
        self.saved = self._domain(*ports)
        self.running = self._domain(*ports) if self.is_running else None
        self.answers: list[Any] = []
        self.refuses_attach: Exception | None = None
        self.asked: list[tuple[str, bool, bool]] = []

    @staticmethod
    def _domain(*ports: str) -> Domain:
        made = [interface(a_vif(port), InterfaceWishes()) for port in ports]
        for number, each in enumerate(made):
            each.alias = f"net{number}"
        told = InstanceMetadata(name="x", ports=[MetaPort(uuid=port) for port in ports])
        return Domain(type="qemu", uuid=UUID, interfaces=made, metadata=told)

    @property
    def is_running(self) -> bool:
        return self.power_state in (PowerState.RUNNING, PowerState.PAUSED)

    def state(self) -> Any:
        return SimpleNamespace(power_state=self.power_state)

    def is_persistent(self) -> bool:
        return True

    def domain(self, *, inactive: bool = False) -> Domain:
        chosen = self.saved if inactive or self.running is None else self.running
        return Domain.from_xml(chosen.to_xml())

    def attach(self, device_xml: str, *, live: bool, persistent: bool) -> None:
        if self.refuses_attach:
            raise self.refuses_attach
        for domain, wanted in ((self.running, live), (self.saved, persistent)):
            if wanted:
                assert domain is not None
                made = Interface.from_xml(device_xml)
                made.alias = "net0"
                domain.interfaces.append(made)

    def detach(self, device_xml: str, *, live: bool, persistent: bool) -> None:
        self.asked.append((str(Interface.from_xml(device_xml).target_dev), live, persistent))
        if persistent:
            self._drop(self.saved, device_xml)
        if live:
            answer = self.answers.pop(0) if self.answers else REMOVED
            if isinstance(answer, Exception):
                raise answer
            self.answer = answer
            if answer == REMOVED:
                assert self.running is not None
                self._drop(self.running, device_xml)

    @staticmethod
    def _drop(domain: Domain, device_xml: str) -> None:
        mac = Interface.from_xml(device_xml).mac
        domain.interfaces = [each for each in domain.interfaces if each.mac != mac]

    def set_metadata(self, xml: str, *, live: bool, persistent: bool) -> None:
        self.told = InstanceMetadata.from_xml(xml)


class FakePlugger:
    """Remembers what is plugged."""

    def __init__(self) -> None:
        self.plugged: set[str] = set()
        self.fails: Exception | None = None
        self.tags: Any = {}

    def interface(self, instance: Any, image_meta: Any, vif: Any) -> Interface:
        return interface(vif, InterfaceWishes())

    def plug(self, instance: Any, vif: Any) -> None:
        if self.fails:
            raise self.fails
        self.plugged.add(vif["id"])

    def unplug(self, instance: Any, vif: Any) -> None:
        self.plugged.discard(vif["id"])


@pytest.fixture
def make() -> Callable[..., tuple[LibvirtInterfaces, FakeGuest, FakePlugger]]:
    def made(
        power_state: int = PowerState.RUNNING, *ports: str
    ) -> tuple[LibvirtInterfaces, FakeGuest, FakePlugger]:
        guest, plugger = FakeGuest(power_state, *ports), FakePlugger()
        plugger.plugged.update(ports)

        @contextmanager
        def device_removal(uuid: str, alias: str) -> Iterator[Any]:
            assert (uuid, alias) == (UUID, "net0")
            yield SimpleNamespace(result=lambda seconds: guest.answer)

        libvirt = SimpleNamespace(device_detach_attempts=3, device_detach_timeout=1)
        driver = LibvirtInterfaces()
        driver._engine = SimpleNamespace(  # type: ignore[assignment]
            connection=SimpleNamespace(guest=lambda uuid: guest),
            plugger=plugger,
            events=SimpleNamespace(device_removal=device_removal),
            conf=SimpleNamespace(libvirt=libvirt),
            collaborators=SimpleNamespace(interface_tags=lambda context, spec: plugger.tags),
        )
        return driver, guest, plugger

    return made


INSTANCE = SimpleNamespace(uuid=UUID, image_meta=ImageMeta.from_dict({}))
BOTH = pytest.mark.parametrize("power_state", [PowerState.RUNNING, PowerState.SHUTDOWN])


def ports(domain: Domain | None) -> list[str | None]:
    return [each.target_dev for each in domain.interfaces] if domain is not None else []


@BOTH
def test_a_guest_gets_an_interface(make: Any, power_state: int) -> None:
    driver, guest, plugger = make(power_state, OTHER)
    driver.attach_interface(None, INSTANCE, INSTANCE.image_meta, a_vif())
    assert plugger.plugged == {OTHER, PORT}
    assert ports(guest.saved) == ["tap00000073-00", "tap00000072-00"]
    assert ports(guest.running) == (ports(guest.saved) if guest.is_running else [])
    assert [port.uuid for port in guest.told.ports] == [OTHER, PORT]
    assert guest.told.ports[1].addresses[0].address == "192.0.2.10"


def test_what_libvirt_refuses_is_not_left_plugged(make: Any) -> None:
    driver, guest, plugger = make()
    guest.refuses_attach = errors.LibvirtFailed("no more PCI slots", Failure.INTERNAL_ERROR)
    with pytest.raises(errors.InterfaceAttachFailed):
        driver.attach_interface(None, INSTANCE, INSTANCE.image_meta, a_vif())
    assert (plugger.plugged, ports(guest.saved), ports(guest.running)) == (set(), [], [])


def test_what_cannot_be_plugged_is_not_attached(make: Any) -> None:
    driver, guest, plugger = make()
    plugger.fails = errors.VirtualInterfacePlugException("no switch")
    with pytest.raises(errors.InterfaceAttachFailed):
        driver.attach_interface(None, INSTANCE, INSTANCE.image_meta, a_vif())
    assert ports(guest.saved) == []


def test_an_interface_that_is_there_stays_plugged(make: Any) -> None:
    driver, guest, plugger = make(PowerState.RUNNING, PORT)
    with pytest.raises(errors.InterfaceAttachFailed):
        driver.attach_interface(None, INSTANCE, INSTANCE.image_meta, a_vif())
    assert (plugger.plugged, ports(guest.saved)) == ({PORT}, ["tap00000072-00"])


def tagged(**more: Any) -> Any:
    return SimpleNamespace(
        uuid=UUID, image_meta=INSTANCE.image_meta, device_metadata=None, load=lambda *names: None, **more
    )


def test_a_tagged_interface_is_told(make: Any) -> None:
    driver, _, plugger = make(PowerState.RUNNING, OTHER)
    plugger.tags = {a_vif()["address"]: "front", a_vif(OTHER)["address"]: "back"}
    instance = tagged()
    for _ in range(2):
        driver.attach_interface(None, instance, instance.image_meta, a_vif())
        (told,) = instance.device_metadata.devices
        assert (told.mac, told.tags) == (a_vif()["address"], ["front"])
        driver.detach_interface(None, instance, a_vif())


def test_an_interface_that_cannot_be_described_is_given_back(make: Any) -> None:
    driver, guest, plugger = make(PowerState.RUNNING)
    plugger.tags = None
    with pytest.raises(errors.InterfaceAttachFailed):
        driver.attach_interface(None, tagged(), INSTANCE.image_meta, a_vif())
    assert (plugger.plugged, ports(guest.saved), ports(guest.running)) == (set(), [], [])


@BOTH
def test_a_guest_gives_an_interface_back(make: Any, power_state: int) -> None:
    driver, guest, plugger = make(power_state, PORT, OTHER)
    driver.detach_interface(None, INSTANCE, a_vif())
    assert plugger.plugged == {OTHER}
    assert ports(guest.saved) == ["tap00000073-00"]
    assert ports(guest.running) == (["tap00000073-00"] if guest.is_running else [])
    assert [port.uuid for port in guest.told.ports] == [OTHER]


GOES_AT_LAST = {
    "the second time": [None, REMOVED],
    "while an earlier request stands": [
        None,
        errors.LibvirtFailed("net0 is already in the process of unplug", Failure.INTERNAL_ERROR),
        REMOVED,
    ],
    "it is gone already": [errors.LibvirtFailed("no net0", Failure.DEVICE_MISSING)],
    "it is gone already, says an older one": [
        errors.LibvirtFailed("device net0 not found", Failure.OPERATION_FAILED)
    ],
}


@pytest.mark.parametrize("answers", GOES_AT_LAST.values(), ids=GOES_AT_LAST.keys())
def test_a_slow_guest_is_asked_again(make: Any, answers: list[Any]) -> None:
    driver, guest, plugger = make(PowerState.RUNNING, PORT)
    guest.answers = list(answers)
    driver.detach_interface(None, INSTANCE, a_vif())
    assert (plugger.plugged, ports(guest.saved), guest.answers) == (set(), [], [])


KEEPS_IT = {
    "refused": ([REFUSED], 1),
    "never answers": ([None, None, None, REMOVED], 3),
    "libvirt fails": ([errors.LibvirtFailed("monitor", Failure.OPERATION_INVALID)], 1),
}


@pytest.mark.parametrize(("answers", "requests"), KEEPS_IT.values(), ids=KEEPS_IT.keys())
def test_a_guest_that_keeps_it_stays_as_it_was(make: Any, answers: list[Any], requests: int) -> None:
    driver, guest, plugger = make(PowerState.RUNNING, PORT)
    guest.answers = list(answers)
    with pytest.raises(errors.InterfaceDetachFailed):
        driver.detach_interface(None, INSTANCE, a_vif())
    assert (plugger.plugged, ports(guest.saved)) == ({PORT}, ["tap00000072-00"])
    assert guest.asked == [("tap00000072-00", True, False)] * requests


def test_an_interface_that_the_guest_has_not_is_no_error(make: Any) -> None:
    driver, guest, plugger = make(PowerState.RUNNING, OTHER)
    plugger.plugged.add(PORT)
    driver.detach_interface(None, INSTANCE, a_vif())
    assert (plugger.plugged, guest.asked) == ({OTHER}, [])
