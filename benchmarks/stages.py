"""Boots of real guests by libvirt, from the claim to the started domain, by stage: as the agent logs them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from statistics import mean

from benchmarks.agent import BACKENDS, agent, order, until
from benchmarks.table import Table, ratio

BOOTS = 10
_TIMES = re.compile(r"(has a guest after|built in) [\d.]+ s \((.*?)\)")


def tables() -> Iterable[Table]:
    """Nothing where libvirt-python is missing or no libvirt answers."""
    try:
        import libvirt
    except ImportError:
        return
    try:
        libvirt.open(None).close()
    except libvirt.libvirtError:
        return
    for backend in BACKENDS:
        yield _stages(backend)


def _stages(backend: str) -> Table:
    """The first boot has the image fetched, the others find it in the cache."""
    with agent(backend, "libvirt.LibvirtDriver") as running:
        cloud = running.cloud
        for _ in range(BOOTS):
            cloud.create(order("boot"))
            until(lambda: cloud.server("boot")["status"] in ("ACTIVE", "ERROR"))
            cloud.delete("boot")
            until(lambda: not cloud.servers())
        boots = list(_boots(running.log.read_text()))
    if len(boots) != BOOTS:
        raise RuntimeError(f"{len(boots)} of {BOOTS} guests were built")
    first, others = boots[0], boots[1:]
    total = sum(mean(boot[name] for boot in others) for name in first)
    rows: list[list[object]] = []
    for name in first:
        usual = mean(boot[name] for boot in others)
        rows.append([name, first[name], usual, ratio(usual, total)])
    return Table(f"From claim to started domain, {backend}", ["stage", "first s", "others s", "of all"], rows)


def _boots(log: str) -> Iterator[dict[str, float]]:
    """Seconds by stage of each boot; in place of the stage `spawn` are the parts of it that libvirt's driver
    tells just before."""
    within: dict[str, float] = {}
    for what, times in _TIMES.findall(log):
        if what.startswith("has"):
            within = {f"spawn: {name}": seconds for name, seconds in _parts(times).items()}
            continue
        boot = _parts(times)
        rest = boot.pop("spawn") - sum(within.values())
        yield {**boot, **within, "spawn: rest": max(rest, 0.0)}


def _parts(text: str) -> dict[str, float]:
    """`claim 0.05, spawn 1.20` by name."""
    return {name: float(seconds) for name, seconds in (part.rsplit(" ", 1) for part in text.split(", "))}
