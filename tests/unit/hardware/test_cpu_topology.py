"""Sockets, cores and threads: which division wins, and which wishes are impossible."""

from __future__ import annotations

from typing import Any

import pytest

from computed import errors
from computed.hardware.cpu_masks import realtime_vcpus
from computed.hardware.cpu_topology import Topology, best_topology

NOTHING = Topology()


def best(vcpus: int, **wishes: Topology) -> tuple[int, int, int]:
    given: dict[str, Any] = dict.fromkeys(("flavor", "image", "flavor_limit", "image_limit"), NOTHING)
    return best_topology(vcpus, **{**given, **wishes}).parts()


@pytest.mark.parametrize(
    ("vcpus", "wishes", "expected"),
    [
        (1, {}, (1, 1, 1)),
        (8, {}, (8, 1, 1)),
        (8, {"flavor": Topology(2, 0, 0)}, (2, 4, 1)),
        (8, {"flavor": Topology(0, 2, 2)}, (2, 2, 2)),
        (8, {"flavor": Topology(threads=2)}, (4, 1, 2)),
        # The image's wishes go before the flavor's, all or nothing.
        (8, {"flavor": Topology(2, 2, 2), "image": Topology(cores=8)}, (1, 8, 1)),
        # A wish that cannot be fulfilled is fulfilled as far as it can be.
        (6, {"flavor": Topology(4, 0, 0)}, (6, 1, 1)),
        (6, {"image": Topology(4, 3, 0)}, (2, 3, 1)),
        (8, {"flavor_limit": Topology(sockets=2)}, (2, 4, 1)),
        (8, {"flavor_limit": Topology(sockets=2), "image_limit": Topology(sockets=1)}, (1, 8, 1)),
        (8, {"flavor_limit": Topology(1, 4, 0)}, (1, 4, 2)),
        # A flavor's wish beyond the limits is no wish.
        (8, {"flavor": Topology(sockets=8), "flavor_limit": Topology(sockets=2)}, (2, 4, 1)),
        (7, {"flavor_limit": Topology(sockets=2)}, (1, 7, 1)),
        (4096, {"flavor_limit": Topology(sockets=1)}, (1, 4096, 1)),
    ],
)
def test_the_best_division(vcpus: int, wishes: dict[str, Topology], expected: tuple[int, int, int]) -> None:
    assert best(vcpus, **wishes) == expected


@pytest.mark.parametrize(
    ("vcpus", "wishes", "error"),
    [
        (8, {"flavor_limit": Topology(2, 0, 0), "image_limit": Topology(4, 0, 0)},
         errors.ImageVCPULimitsRangeExceeded),
        (8, {"flavor_limit": Topology(0, 2, 0), "image": Topology(0, 4, 0)},
         errors.ImageVCPUTopologyRangeExceeded),
        (8, {"image_limit": Topology(1, 2, 2)}, errors.ImageVCPULimitsRangeImpossible),
        (7, {"flavor_limit": Topology(2, 3, 1)}, errors.ImageVCPULimitsRangeImpossible),
    ],
)  # fmt: skip
def test_what_is_impossible(vcpus: int, wishes: dict[str, Topology], error: type[Exception]) -> None:
    with pytest.raises(error):
        best(vcpus, **wishes)


@pytest.mark.parametrize("vcpus", range(1, 33))
def test_every_division_is_whole(vcpus: int) -> None:
    sockets, cores, threads = best(vcpus, flavor=Topology(3, 2, 2))
    assert sockets * cores * threads == vcpus


@pytest.mark.parametrize(
    ("mask", "elsewhere", "expected"),
    [
        ("^0", False, {1, 2, 3}),
        ("2-3", False, {2, 3}),
        ("0-3,^1", False, {0, 2, 3}),
        (None, True, {0, 1, 2, 3}),
        ("", True, {0, 1, 2, 3}),
        ("0-3", True, {0, 1, 2, 3}),
    ],
)
def test_realtime_masks(mask: str | None, elsewhere: bool, expected: set[int]) -> None:
    assert realtime_vcpus(4, mask, emulator_is_elsewhere=elsewhere) == expected


@pytest.mark.parametrize("mask", [None, "0-3", "^0-3", "4", "3-2", "a", "0-3,9"])
def test_realtime_masks_that_are_refused(mask: str | None) -> None:
    with pytest.raises(errors.RealtimeMaskNotFoundOrInvalid, match="hw_cpu_realtime_mask"):
        realtime_vcpus(4, mask, emulator_is_elsewhere=False)
