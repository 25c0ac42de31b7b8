"""Addresses of an instance, as notifications tell them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oslo_versionedobjects.fields import IPV4AndV6AddressField

from computed.notifications.base import Payload, payload_class
from computed.objects import fields


@payload_class
class IpPayload(Payload):
    VERSION = "1.0"
    fields = {
        "address": IPV4AndV6AddressField(),
        "device_name": fields.StringField(nullable=True),
        "label": fields.StringField(),
        "mac": fields.MACAddressField(),
        "meta": fields.DictOfStringsField(),
        "port_uuid": fields.UUIDField(nullable=True),
        "version": fields.IntegerField(),
    }

    @classmethod
    def of_network_info(cls, network_info: Iterable[Any]) -> list[IpPayload]:
        """One payload for each fixed address of each interface."""
        return [
            cls(
                address=ip["address"],
                device_name=vif["devname"],
                label=vif["network"]["label"] or "",
                mac=vif["address"],
                meta=vif["meta"],
                port_uuid=vif["id"],
                version=ip["version"],
            )
            for vif in network_info
            for ip in vif.fixed_ips()
        ]
