"""Networks that a boot request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register

if TYPE_CHECKING:
    import netaddr

NETWORK_ID_AUTO = "auto"
NETWORK_ID_NONE = "none"


@register
class NetworkRequest(ComputedObject):
    """One network interface the user asked for."""

    VERSION = "1.3"
    fields = {
        "address": fields.IPAddressField(nullable=True),
        "arq_uuid": fields.UUIDField(nullable=True),
        "device_profile": fields.StringField(nullable=True),
        "network_id": fields.StringField(nullable=True),
        "pci_request_id": fields.UUIDField(nullable=True),
        "port_id": fields.UUIDField(nullable=True),
        "tag": fields.StringField(nullable=True),
    }

    address: netaddr.IPAddress | None
    arq_uuid: str | None
    device_profile: str | None
    network_id: str | None
    pci_request_id: str | None
    port_id: str | None
    tag: str | None

    LAZY_DEFAULTS = dict.fromkeys(
        ("address", "arq_uuid", "device_profile", "network_id", "pci_request_id", "port_id", "tag")
    )


@register
class NetworkRequestList(ObjectList):
    """The network interfaces the user asked for, in order."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("NetworkRequest"),
    }

    @property
    def auto_allocate(self) -> bool:
        """Whether the user asked for a network to be made for him."""
        return len(self) == 1 and self[0].network_id == NETWORK_ID_AUTO

    @property
    def no_allocate(self) -> bool:
        """Whether the user asked for no network at all."""
        return len(self) == 1 and self[0].network_id == NETWORK_ID_NONE
