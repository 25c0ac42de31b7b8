"""The sizes of servers that the one-host cloud offers."""

from __future__ import annotations

from computed import errors, objects

# id, flavorid, name, vCPUs, memory in MiB, root disk in GiB
_SIZES = (
    (1, "42", "m1.nano", 1, 128, 1),
    (2, "84", "m1.micro", 1, 256, 1),
    (3, "1", "m1.tiny", 1, 512, 1),
    (4, "2", "m1.small", 1, 2048, 20),
    (5, "3", "m1.medium", 2, 4096, 40),
    (6, "4", "m1.large", 4, 8192, 80),
    (7, "5", "m1.xlarge", 8, 16384, 160),
)


def all_flavors() -> list[objects.Flavor]:
    """Every flavor, small ones first."""
    return [
        objects.Flavor(
            id=number,
            flavorid=flavorid,
            name=name,
            vcpus=vcpus,
            memory_mb=memory_mib,
            root_gb=root_gib,
            ephemeral_gb=0,
            swap=0,
            rxtx_factor=1.0,
            vcpu_weight=0,
            disabled=False,
            is_public=True,
            extra_specs={},
            projects=[],
            description=None,
        )
        for number, flavorid, name, vcpus, memory_mib, root_gib in _SIZES
    ]


def find_flavor(wanted: str) -> objects.Flavor:
    """The flavor of that name or flavor id; raises FlavorNotFound."""
    for flavor in all_flavors():
        if wanted in (flavor.name, flavor.flavorid):
            return flavor
    raise errors.FlavorNotFound(flavor_id=wanted)
