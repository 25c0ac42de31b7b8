"""A process with many calls of libvirt under way at once: a test lets libvirtd fall silent meanwhile.

`python -m tests.integration.libvirt.busy_client URI`, until its standard input ends; a process of its own
because what the test is about ends a process.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter

from computed import errors
from tests.integration.libvirt.spectator import Spectator

_THREADS = 8


def main(uri: str) -> None:
    connection = Spectator().connect(uri)
    guest = connection.guests()[0]
    is_over = threading.Event()
    outcomes: Counter[str] = Counter()

    def ask() -> None:
        while not is_over.is_set():
            try:
                guest.state()
                connection.guests()
                outcomes["answered"] += 1
            except errors.HypervisorUnavailable:
                outcomes["unavailable"] += 1
                is_over.wait(0.05)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    sys.stdin.read()
    is_over.set()
    for thread in threads:
        thread.join(10)
    print("answered" in outcomes, "unavailable" in outcomes, any(thread.is_alive() for thread in threads))


if __name__ == "__main__":
    main(sys.argv[1])
