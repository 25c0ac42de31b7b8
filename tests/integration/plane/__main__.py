"""A control plane by hand, for working on the agent or on the tests.

    python -m tests.integration.plane up DIR       start one and leave it running
    python -m tests.integration.plane down DIR     end it and remove DIR
    python -m tests.integration.plane openrc DIR   print the environment of the openstack client

`pytest tests/integration --plane DIR` then runs the tests on it and leaves it running.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.integration.openstack_client import environment
from tests.integration.plane.plane import Plane
from tests.integration.plane.processes import kill_recorded
from tests.integration.plane.settings import Settings


def openrc(s: Settings) -> str:
    values = environment(s)
    return "\n".join(
        [
            *(f"export {name}={value}" for name, value in values.items()),
            f"export no_proxy='*' PATH={s.venv}/bin:$PATH",
        ]
    )


def main(arguments: list[str]) -> int:
    match arguments:
        case ["up", directory]:
            plane = Plane.create(Path(directory).absolute(), reaped=False)
            try:
                plane.up()
            except BaseException:
                plane.down(keep_logs=True)
                raise
        case ["down", directory]:
            print("ended:", *kill_recorded(Path(directory) / "run"))
            shutil.rmtree(directory)
        case ["openrc", directory]:
            print(openrc(Settings.load(Path(directory).absolute())))
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
