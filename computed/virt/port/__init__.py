"""The driver interface: small abstract classes, one per concern, and the whole driver made of them."""

from computed.virt.port.driver import Driver

__all__ = ["Driver"]
