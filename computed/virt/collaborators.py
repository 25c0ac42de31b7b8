"""What a driver may ask of other rooms, as callables that cmd/ puts together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.virt.specs import GuestSpec


def _no_image(context: Any, image_id: str, offset: int = 0) -> Any:
    raise NotImplementedError("this driver was given no image service")


def _nobody(is_reachable: bool, reason: str | None) -> None:
    """Nobody wants to know."""


def _no_tags(context: Any, spec: GuestSpec) -> Mapping[str, str]:
    return {}


def _no_vendor_data(instance: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Collaborators:
    """The rooms above and beside the driver, seen from it.

    `show_image` and `download_image` (from an offset on) are those of clients.images.ImageService.
    `reachable` is told when the hypervisor is lost (with a reason) and when it is back. `vendor_data` asks
    the services of [api]vendordata_dynamic_targets what a guest is to be told. `interface_tags` are what
    users called the ports of a guest, by MAC address.
    """

    show_image: Callable[[Any, str], dict[str, Any]] = _no_image
    download_image: Callable[[Any, str, int], Iterator[bytes]] = _no_image
    reachable: Callable[[bool, str | None], None] = _nobody
    interface_tags: Callable[[Any, GuestSpec], Mapping[str, str]] = _no_tags
    vendor_data: Callable[[Any], Mapping[str, Any]] = _no_vendor_data


NOBODY = Collaborators()
"""For a driver that needs nobody."""
