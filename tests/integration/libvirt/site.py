"""Guests that speak: what is booted on the hypervisor, and what each says on its console."""

from __future__ import annotations

import base64
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integration import guest_image
from tests.integration.cloud import Cloud
from tests.integration.guest_image import Mark, marks
from tests.integration.plane import hypervisor, waiting
from tests.integration.plane.hypervisor import URI, Hypervisor
from tests.integration.verbs import Verbs

#: name, RAM in MiB, disk in GiB
SMALL, LARGE = ("guest.small", guest_image.MEMORY_MIB, 1), ("guest.large", 128, 2)
USER_DATA = "#!/bin/sh\nexit 0\n"
#: for one boot of the guest on a machine that does other things too
BOOT_SECONDS = 120


class Site:
    """Image, flavors and network for guests on one host, in the hands of ``cloud``."""

    def __init__(self, cloud: Cloud, host: Hypervisor) -> None:
        self.cloud, self.host = cloud, host
        admin = cloud.admin
        for name, ram, disk in (SMALL, LARGE):
            if name not in cloud.flavors:
                cloud.flavors[name] = admin.compute.create_flavor(name=name, ram=ram, vcpus=1, disk=disk).id
        self.network = self._network()
        self.image = self.upload("guest-plain")
        self.agent_image = self.upload("guest-agent", hw_qemu_guest_agent="yes", os_require_quiesce="yes")

    def upload(self, name: str, **properties: str) -> str:
        made = self.cloud.admin.create_image(
            name,
            filename=str(guest_image.ensure().qcow2),
            disk_format="qcow2",
            container_format="bare",
            visibility="public",
            wait=True,
            timeout=60,
            allow_duplicates=True,
            **properties,
        )
        return str(made.id)

    def _network(self) -> str:
        """Inside one host, with DHCP; of the project ``admin``, so that its DHCP port is not demo's."""
        network: Any = self.cloud.admin.network
        project = self.cloud.admin.identity.find_project("admin").id
        made = network.create_network(
            name="guests", is_shared=True, provider_network_type="local", project_id=project
        )
        network.create_subnet(
            name="guests-v4", network_id=made.id, project_id=project, cidr="10.60.0.0/24", ip_version=4
        )
        return str(made.id)

    def remove(self) -> None:
        for image in (self.image, self.agent_image):
            self.cloud.admin.image.delete_image(image)
        with contextlib.suppress(Exception):
            self.cloud.admin.network.delete_network(self.network)

    def boot(self, count: int, name: str, **extra: Any) -> list[Guest]:
        """Guests whose kernels run; wait for ``ready`` to see them up."""
        asked: dict[str, Any] = {
            "image_id": self.image,
            "config_drive": True,
            "metadata": {"colour": "green"},
        }
        asked["networks"] = [{"uuid": self.network}]
        asked["user_data"] = base64.b64encode(USER_DATA.encode()).decode()
        ids = self.cloud.boot(count, name, SMALL[0], **{**asked, **extra})
        self.cloud.wait_status(ids, "ACTIVE")
        return [Guest(self, server) for server in ids]

    def domains(self) -> list[str]:
        return hypervisor.guests(self.host.settings.guest_prefix)


class Guest:
    """One server of ``demo`` and what it says."""

    def __init__(self, site: Site, server: str) -> None:
        self.site, self.id = site, server
        self.verbs = Verbs(site.cloud, [server])
        self.demo: Any = site.cloud.demo.compute

    @property
    def record(self) -> Any:
        return self.site.cloud.servers([self.id])[self.id]

    @property
    def domain(self) -> str:
        return str(self.record.instance_name)

    def console(self) -> str:
        """All of the log of the newest QEMU process of this server."""
        return str(self.demo.get_server_console_output(self.id)["output"])

    def said(self, word: str, count: int = 1, seconds: float = BOOT_SECONDS) -> list[Mark]:
        """Until the guest said ``word`` ``count`` times."""

        def probe() -> list[Mark]:
            text = self.console()
            found = marks(text, word)
            if len(found) < count:
                hypervisor.raise_devices(self.site.host.bridge)
                raise waiting.NotYet(text[-400:])
            return found

        return waiting.until(f"{self.id} says {word}", probe, seconds, 0.5)

    def ready(self, *, boots: int | None = None) -> None:
        """Until it is up; ``boots`` says how often its root disk must have been booted by then."""
        (mark,) = self.said("ready")
        assert mark.values["uuid"] == self.id
        if boots is not None:
            assert self.boots()["vda"] == boots

    def boots(self) -> dict[str, int]:
        """Disk -> how often it was booted, as this boot found it."""
        return {disk: int(count) for disk, count in self.said("boots")[-1].values.items()}

    def lives_on(self) -> None:
        """Until the guest says that it lives once more than it has by now."""
        self.said("alive", len(marks(self.console(), "alive")) + 1, 30)

    @property
    def disks(self) -> dict[str, int]:
        """Disk -> size in bytes, as the guest sees it."""
        return {disk: int(size) for disk, size in self.said("disks")[-1].values.items()}

    @property
    def pid(self) -> int:
        """Of its QEMU process."""
        return int(Path(f"/run/libvirt/qemu/{self.domain}.pid").read_text())

    @property
    def directory(self) -> Path:
        return self.site.host.settings.root / "computes" / self.site.host.host / "instances" / self.id

    def snapshot(self, name: str) -> str:
        """Until the image is active and the server has no task."""
        image = str(self.demo.create_server_image(self.id, name).id)

        def probe() -> None:
            status = self.site.cloud.demo.image.get_image(image).status
            if status != "active":
                raise waiting.NotYet(status)

        waiting.until("snapshot", probe, 90, 0.5)
        self.site.cloud.wait_settled([self.id])
        return image

    @contextlib.contextmanager
    def second_interface(self) -> Iterator[Any]:
        """Attached on entry, detached on leaving, whatever happened; the API's record of it."""
        made = self.demo.create_server_interface(self.id, net_id=self.site.network)
        try:
            yield made
        except BaseException as error:
            error.add_note(f"{hypervisor.switch_state(self.site.host.bridge)}\n{self.console()[-2000:]}")
            raise
        finally:
            self._detach(made)

    def _detach(self, made: Any) -> None:
        self.demo.delete_server_interface(made.port_id, self.id)

        def probe() -> None:
            left = [interface.port_id for interface in self.demo.server_interfaces(self.id)]
            if made.port_id in left:
                raise waiting.NotYet(left)

        waiting.until("interface detached", probe, 90, 0.5)


def domain_xml(name: str) -> str:
    """What libvirt says of a domain."""
    command = ["virsh", "-q", "-c", URI, "dumpxml", name]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
