"""Interfaces of guests that only exist in memory."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.virt.fake.memory import Memory
from computed.virt.port.interfaces import InterfacePort


class FakeInterfaces(Memory, InterfacePort):
    """A guest remembers the ports that its interfaces are plugged into."""

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        with self._changing("attach_interface", instance) as guest:
            if vif["id"] in guest.vifs:
                raise errors.InterfaceAttachFailed(instance_uuid=instance.uuid)
            guest.vifs.append(vif["id"])

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        with self._changing("detach_interface", instance) as guest:
            guest.vifs = [port_id for port_id in guest.vifs if port_id != vif["id"]]

    def inject_network_info(self, instance: Any, network_info: Any) -> None:
        with self._changing("inject_network_info", instance) as guest:
            guest.say(f"ADDRESSES {' '.join(ip['address'] for ip in network_info.fixed_ips())}")
