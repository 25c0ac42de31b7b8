"""`tox -e demo`: starts the agent alone, takes three servers through their lives, and says what it does."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_SECONDS = 60.0
_IMAGE_BYTES = 1 << 20


class DemoFailed(Exception):
    """Something did not go as it should."""


class Demo:
    """One agent with its state in `directory`, and the commands that are given to it."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "agent.log"
        self._socket = directory / "computed.sock"
        self._settings = directory / "computed.conf"
        self._settings.write_text(f"[alone]\nstate_dir = {directory}\n")
        images = directory / "images"
        images.mkdir()
        with (images / "demo.raw").open("wb") as image:
            image.truncate(_IMAGE_BYTES)

    @contextmanager
    def agent(self) -> Iterator[None]:
        """The agent runs inside the block and ends well after it; raises DemoFailed when it does not."""
        program = [sys.executable, "-m", "computed.cmd.agent"]
        command = [*program, "--alone", "--config-file", str(self._settings)]
        with self._log.open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                self._wait_until_it_answers(process)
                yield
                process.send_signal(signal.SIGTERM)
                status = process.wait(_PATIENCE_SECONDS)
                if status != 0:
                    raise DemoFailed(f"the agent ended with status {status}")
            except subprocess.TimeoutExpired as error:
                raise DemoFailed("the agent did not end when it was told to") from error
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self._socket.exists():
            if process.poll() is not None:
                raise DemoFailed(f"the agent ended with status {process.returncode}")
            if time.monotonic() > end:
                raise DemoFailed(f"the agent does not answer after {_PATIENCE_SECONDS:.0f} s")
            time.sleep(0.05)

    def ctl(self, *words: str) -> None:
        """Show a command, run it, show what it says; raises DemoFailed when it fails."""
        print(f"$ computedctl {' '.join(words)}", flush=True)
        command = [sys.executable, "-m", "computed.cmd.ctl", "--socket", str(self._socket), *words]
        if subprocess.run(command, stdin=subprocess.DEVNULL, timeout=2 * _PATIENCE_SECONDS).returncode != 0:
            raise DemoFailed(f"computedctl {' '.join(words)} failed")

    def say(self, text: str) -> None:
        """Tell what comes next."""
        print(f"\n{text}", flush=True)

    def last_words(self, count: int = 20) -> str:
        """The end of the agent's log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-count:])


def play(demo: Demo) -> None:
    """The story."""
    names = ("red", "green", "blue")
    demo.say("1. An agent runs alone: no cloud around it, a hypervisor that only remembers. Its host:")
    demo.ctl("host", "show")
    demo.say("2. Three servers are booted. Each request goes to the agent by RPC, as in a cloud.")
    for name in names:
        demo.ctl("server", "create", name, "--image", "demo", "--wait", "--format", "brief")
    demo.say("3. There they are:")
    demo.ctl("server", "list")
    demo.say("4. One is stopped, and started again.")
    demo.ctl("server", "stop", "green", "--wait", "--format", "brief")
    demo.ctl("server", "list")
    demo.ctl("server", "start", "green", "--wait", "--format", "brief")
    demo.say("5. What it wrote on its console says that it was booted twice:")
    demo.ctl("server", "console", "green")
    demo.say("6. One is deleted; two are left, and what it held of the host is free again.")
    demo.ctl("server", "delete", "blue", "--wait")
    demo.ctl("server", "list")
    demo.ctl("host", "show")


def main(argv: Sequence[str] | None = None) -> int:
    """Play the story once; exit status 0 when every step of it went well."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="computed-demo-") as directory:
        demo = Demo(Path(directory))
        try:
            with demo.agent():
                play(demo)
        except (DemoFailed, subprocess.TimeoutExpired) as error:
            print(f"\nThe demo failed: {error}. The agent's last words:", file=sys.stderr)
            print(demo.last_words(), file=sys.stderr)
            return 1
    print(
        f"\nDone in {time.monotonic() - began:.1f} s: started an agent alone; booted red, green and blue; "
        "stopped and started green; deleted blue; stopped the agent, which exited with 0."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
