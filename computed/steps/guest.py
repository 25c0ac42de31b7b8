"""What the driver is told of a guest, made of the instance's record and its parts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps import network
from computed.steps.block_devices import disk_specs
from computed.virt.specs import GuestSpec

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

PARTS = ("flavor", "info_cache", "metadata", "system_metadata")
"""Parts of an instance that every verb on a guest reads; `instance.load(*PARTS)` fetches them in one call."""


@dataclass(frozen=True)
class FirstBoot:
    """What only the first boot of a guest needs. Secrets never show in the repr."""

    allocations: Mapping[str, Any] = field(default_factory=dict)
    injected_files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    admin_password: str | None = field(default=None, repr=False)
    accelerators: Sequence[Mapping[str, Any]] = ()


def known_guest(
    instance: Any,
    bdms: Iterable[Any],
    shares: Iterable[Any] = (),
    accelerators: Iterable[Mapping[str, Any]] = (),
) -> GuestSpec:
    """The specification of a guest that has been built before, from what its records remember.

    `shares` are mappings of file shares that are mounted on this host, `accelerators` as of GuestSpec.
    """
    instance.load(*PARTS)
    return GuestSpec(
        instance=instance,
        image_meta=instance.image_meta,
        network_info=network.cached(instance),
        disks=disk_specs(instance, bdms),
        shares=tuple(shares),
        accelerators=tuple(accelerators),
    )


def doomed_guest(instance: Any, bdms: Iterable[Any]) -> GuestSpec:
    """The specification of a guest that is to be removed: what its image was does not matter any more."""
    instance.load(*PARTS)
    return GuestSpec(
        instance=instance,
        image_meta=None,
        network_info=network.cached(instance),
        disks=disk_specs(instance, bdms),
    )


def new_guest(
    instance: Any, image_meta: Any, network_info: Any, bdms: Iterable[Any], first: FirstBoot
) -> GuestSpec:
    """The specification of a guest that is to be built."""
    return GuestSpec(
        instance=instance,
        image_meta=image_meta,
        network_info=network_info,
        disks=disk_specs(instance, bdms),
        allocations=first.allocations,
        injected_files=first.injected_files,
        admin_password=first.admin_password,
        accelerators=tuple(first.accelerators),
    )


def decode_files(injected_files: Sequence[Sequence[str]] | None) -> tuple[tuple[str, bytes], ...]:
    """Path and contents of files that came base64-encoded; raises Base64Exception naming the path."""
    return tuple((path, _decode(path, text)) for path, text in injected_files or ())


def _decode(path: str, text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (TypeError, ValueError, binascii.Error):
        raise errors.Base64Exception(path=path) from None


def settle_config_drive(host: ComputeHost, instance: Any, image_meta: Any) -> None:
    """Note that the guest has a configuration drive when the image insists on one, or this host does, which
    can insist as long as the instance has never been launched."""
    is_mandatory = image_meta.properties.get("img_config_drive") == "mandatory"
    is_forced = host.conf.force_config_drive and not instance.launched_at
    if not instance.config_drive and (is_forced or is_mandatory):
        instance.config_drive = "True"


def image_meta_of(image: Mapping[str, Any] | None) -> Any:
    """The image of a request as an object; raises ImageUnacceptable when a property makes no sense."""
    try:
        return objects.ImageMeta.from_dict(image or {})
    except ValueError as error:
        raise errors.ImageUnacceptable(image_id=(image or {}).get("id"), reason=str(error)) from error
