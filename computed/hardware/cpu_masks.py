"""Masks of virtual CPUs in flavors and images: which of them are real-time, which are dedicated."""

from __future__ import annotations

from computed import errors
from computed.lib.cpu_set import parse_cpu_set


def realtime_vcpus(vcpus: int, mask: str | None, *, emulator_is_elsewhere: bool) -> frozenset[int]:
    """The virtual CPUs that `mask` makes real-time; without one, or with only exclusions, of all of them.

    At least one has to be left for the emulator unless its threads run elsewhere. Raises
    RealtimeMaskNotFoundOrInvalid naming the mask.
    """
    everything = frozenset(range(vcpus))
    text = f"0-{vcpus - 1},{mask}" if mask is not None and mask.strip().startswith("^") else mask
    try:
        chosen = everything if not text else frozenset(parse_cpu_set(text))
    except ValueError as error:
        raise errors.RealtimeMaskNotFoundOrInvalid(
            f"hw:cpu_realtime_mask or hw_cpu_realtime_mask is {mask!r}, no set of CPUs: {error}"
        ) from error
    if not chosen or not chosen <= everything:
        raise errors.RealtimeMaskNotFoundOrInvalid(
            f"hw:cpu_realtime_mask or hw_cpu_realtime_mask is {mask!r}; it must name some of the {vcpus} "
            f"virtual CPUs and no other."
        )
    if chosen == everything and not emulator_is_elsewhere:
        raise errors.RealtimeMaskNotFoundOrInvalid(
            f"hw:cpu_realtime_mask or hw_cpu_realtime_mask is {mask!r}; it leaves no virtual CPU to the "
            f"emulator's threads (or set hw:emulator_threads_policy)."
        )
    return chosen
