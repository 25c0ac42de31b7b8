"""The life of a guest in a process with green threads: prints, as JSON, how long the hub stood still at most.

    python -m tests.integration.libvirt.green_life DIRECTORY LIBVIRT_URI
"""

from __future__ import annotations

import sys
from pathlib import Path

from computed.cmd import concurrency

if __name__ == "__main__":
    concurrency.patch(concurrency.EVENTLET)


def main(directory: Path, uri: str) -> None:
    """One verb after the other, and beside them a thread that only looks at the clock."""
    import json
    import threading
    import time

    from tests.integration.libvirt.bench import Bench

    worst: dict[str, float] = {}
    took: dict[str, float] = {}
    now = ["start"]

    def watch() -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.01)
            this = time.monotonic()
            worst[now[0]] = max(worst.get(now[0], 0), this - last)
            last = this

    threading.Thread(target=watch, daemon=True).start()
    bench = Bench(directory, None, **{"libvirt.connection_uri": uri})
    spec = bench.spec()
    driver, context, instance = bench.driver, bench.context, spec.instance
    try:
        for name, verb in (
            ("spawn", lambda: driver.spawn(context, spec)),
            ("states", lambda: driver.states()),
            ("suspend", lambda: driver.suspend(context, instance)),
            ("resume", lambda: driver.resume(context, spec)),
            ("reboot", lambda: driver.reboot(context, spec, hard=True)),
            ("power_off", lambda: driver.power_off(instance, timeout_seconds=1)),
            ("destroy", lambda: driver.destroy(context, spec)),
        ):
            now[0], begun = name, time.monotonic()
            verb()
            took[name] = time.monotonic() - begun
    finally:
        bench.close()
    print(json.dumps({name: [took[name], worst.get(name, 0)] for name in took}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
