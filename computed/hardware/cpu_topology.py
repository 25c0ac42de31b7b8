"""How the virtual CPUs of a guest are divided into sockets, cores and threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from computed import errors

NO_LIMIT: Final = 65536


@dataclass(frozen=True, slots=True, order=True)
class Topology:
    """A division, a wish (0: no wish) or a limit, by where it stands."""

    sockets: int = 0
    cores: int = 0
    threads: int = 0

    def __str__(self) -> str:
        return f"{self.sockets}:{self.cores}:{self.threads}"

    def exceeds(self, limit: Topology) -> bool:
        """Whether any part is larger than that of a limit; parts of a limit that are 0 limit nothing."""
        pairs = zip(self.parts(), limit.parts(), strict=True)
        return any(most and mine > most for mine, most in pairs)

    def parts(self) -> tuple[int, int, int]:
        """Sockets, cores, threads."""
        return self.sockets, self.cores, self.threads


def best_topology(
    vcpus: int, *, flavor: Topology, image: Topology, flavor_limit: Topology, image_limit: Topology
) -> Topology:
    """The division of `vcpus` that fits the wishes best within the limits.

    An image may narrow the flavor's limits, not widen them, and its wishes go before the flavor's. Among
    equally good ones: the most cores and sockets, then the most sockets. Raises ImageVCPULimitsRangeExceeded,
    ImageVCPUTopologyRangeExceeded, ImageVCPULimitsRangeImpossible.
    """
    limit = _limit(flavor_limit, image_limit)
    if image.exceeds(limit):
        raise errors.ImageVCPUTopologyRangeExceeded(
            image_sockets=image.sockets,
            image_cores=image.cores,
            image_threads=image.threads,
            max_sockets=limit.sockets,
            max_cores=limit.cores,
            max_threads=limit.threads,
        )
    wish = image
    if wish == Topology():
        wish = Topology() if flavor.exceeds(limit) else flavor
    possible = list(_divisions(vcpus, limit))
    if not possible:
        raise errors.ImageVCPULimitsRangeImpossible(
            vcpus=vcpus,
            sockets=min(vcpus, limit.sockets),
            cores=min(vcpus, limit.cores),
            threads=min(vcpus, limit.threads),
        )
    return max(possible, key=lambda division: _rank(division, wish))


def _limit(flavor: Topology, image: Topology) -> Topology:
    if image.exceeds(flavor):
        raise errors.ImageVCPULimitsRangeExceeded(
            image_sockets=image.sockets,
            image_cores=image.cores,
            image_threads=image.threads,
            flavor_sockets=flavor.sockets,
            flavor_cores=flavor.cores,
            flavor_threads=flavor.threads,
        )
    pairs = zip(image.parts(), flavor.parts(), strict=True)
    return Topology(*(mine or most or NO_LIMIT for mine, most in pairs))


def _divisions(vcpus: int, limit: Topology) -> Iterator[Topology]:
    for sockets in _divisors(vcpus, limit.sockets):
        for cores in _divisors(vcpus // sockets, limit.cores):
            threads = vcpus // sockets // cores
            if threads <= limit.threads:
                yield replace(limit, sockets=sockets, cores=cores, threads=threads)


def _divisors(number: int, most: int) -> Iterator[int]:
    return (divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0)


def _rank(division: Topology, wish: Topology) -> tuple[int, int, int, int]:
    pairs = zip(division.parts(), wish.parts(), strict=True)
    fulfilled = sum(1 for mine, wished in pairs if wished and mine == wished)
    return fulfilled, division.sockets * division.cores, division.sockets, division.threads
