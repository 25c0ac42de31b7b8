"""Guests that want CPUs, pages or memory of their own: refused while nobody places them on the cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from computed import errors

_IMAGE_PREFIX: Final = "image_"  # how the system metadata remembers an image's properties
_PCPUS: Final = re.compile(r"resources[a-zA-Z0-9_-]*:PCPU\Z")
_PINNING: Final = frozenset({"dedicated", "mixed"})
_ASKING: Final = ("numa_nodes", "cpu_policy", "mem_page_size", "pmem")
"""What makes nova-api give an instance a NUMA topology, as a flavor's `hw:` or an image's `hw_`; a CPU policy
does when it pins, and there is no such property of images for persistent memory."""


def refuse(instance: Any, flavor: Any, topology: Any) -> None:
    """Raise ComputeResourcesUnavailable, with what was asked for, unless the guest may float over the host.

    `topology` is the `objects.InstanceNUMATopology` that comes with this very flavor, or None. Asks nobody:
    what is not loaded is not looked at.
    """
    asked = [*_by_flavor(flavor), *_by_image(instance)]
    if not asked and topology is not None:
        asked.append(f"a NUMA topology of {len(topology.cells)} cells")
    if asked:
        raise errors.ComputeResourcesUnavailable(
            reason=f"this host does not place guests on NUMA cells or CPUs of their own; {', '.join(asked)} "
            "asked for"
        )


def _by_flavor(flavor: Any) -> Iterator[str]:
    if not flavor.obj_attr_is_set("extra_specs"):
        return
    for name, value in sorted((flavor.extra_specs or {}).items()):
        if _is_asking(name, "hw:", value) or (_PCPUS.match(name) and value != "0"):
            yield f"{name}={value}"


def _by_image(instance: Any) -> Iterator[str]:
    if not instance.obj_attr_is_set("system_metadata"):
        return
    for name, value in sorted(instance.system_metadata.items()):
        if _is_asking(name, f"{_IMAGE_PREFIX}hw_", value):
            yield f"{name.removeprefix(_IMAGE_PREFIX)}={value}"


def _is_asking(name: str, prefix: str, value: str) -> bool:
    word = name.removeprefix(prefix)
    if word == name or word not in _ASKING:
        return False
    return word != "cpu_policy" or value in _PINNING
