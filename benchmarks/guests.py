"""Real guests by libvirt: calls for a host full of them, and boots of one image at once.

Measured on libvirt's test driver and on the cache by itself, in this process: no guest runs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.table import Table, ratio

SIZES = (1, 25, 100)
ROUNDS = 20


def tables() -> Iterable[Table]:
    """Calls and time of a look at all guests; nothing where libvirt-python is not installed."""
    try:
        import libvirt  # noqa: F401
    except ImportError:
        return
    yield _looks()
    if shutil.which("qemu-img"):
        yield _flights()


def _looks() -> Table:
    """What the power sync and the audit ask of libvirt."""
    from computed.virt.libvirt.connection import Connection

    rows: list[list[object]] = []
    base = 0.0
    calls: Counter[str] = Counter()

    class Counting(Connection):
        def call(self, method: str, *args: Any) -> Any:
            calls[method] += 1
            return super().call(method, *args)

    connection = Counting("test:///default")
    connection.open()
    there = 1  # the test driver brings one
    for size in SIZES:
        for number in range(there, size):
            connection.define(_domain(number))
        there = size
        connection.guests()  # whatever is done the first time only
        calls.clear()
        began = time.perf_counter()
        for _ in range(ROUNDS):
            found = connection.guests()
        seconds = (time.perf_counter() - began) / ROUNDS
        assert len(found) == size
        base = base or seconds
        rows.append([size, calls.total() // ROUNDS, seconds * 1000, ratio(seconds, base)])
    connection.close()
    return Table("A look at every guest", ["guests", "libvirt calls", "ms", "to one"], rows)


def _domain(number: int) -> str:
    return (
        f"<domain type='test'><name>instance-{number:08x}</name><uuid>{uuid.uuid4()}</uuid>"
        "<memory unit='MiB'>128</memory><os><type>hvm</type></os></domain>"
    )


def _flights() -> Table:
    """Boots at once of one image that nobody has fetched yet: who fetches, and who waits for it."""
    from concurrent.futures import ThreadPoolExecutor

    from computed.virt.libvirt.storage.cache import ImageCache
    from computed.virt.libvirt.storage.download import ImageSource
    from computed.virt.libvirt.storage.paths import CachePaths
    from computed.virt.libvirt.storage.qemu_img import Limits, QemuImg

    rows: list[list[object]] = []
    base = 0.0
    data = os.urandom(1 << 20) * 32
    for boots in (1, 20):
        downloads = 0

        def read(offset: int) -> Iterable[bytes]:
            nonlocal downloads
            downloads += 1
            yield data[offset:]

        with tempfile.TemporaryDirectory() as directory:
            tool = QemuImg(Limits(), cache_mode="writeback")
            cache = ImageCache(CachePaths(Path(directory)), tool)
            source = ImageSource(str(uuid.uuid4()), "raw", read, len(data))  # type: ignore[arg-type]
            began = time.perf_counter()
            with ThreadPoolExecutor(boots) as pool:
                list(pool.map(cache.image, [source] * boots))
            seconds = time.perf_counter() - began
        base = base or seconds
        rows.append([boots, downloads, seconds, ratio(seconds, base)])
    return Table(
        "One image of 32 MiB that is not cached, by boots at once",
        ["boots", "downloads", "s", "to one"],
        rows,
    )
