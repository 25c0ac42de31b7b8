"""The one-host cloud as a newcomer runs it: the agent as a process, its guests on a libvirt, computedctl."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from computed.embedded.client import CloudClient, CloudUnreachable
from tests.integration.guest_image import Mark, marks
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.plane import waiting

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS, STOP_SECONDS = 60.0, 30.0
#: for one boot of a guest under TCG on a machine that does other things too
BOOT_SECONDS = 120.0


class AloneCloud:
    """`directory` must be open for the user whom QEMU runs as; `settings` come after those of every test."""

    def __init__(
        self, directory: Path, libvirtd: OwnLibvirtd, settings: str = "", *, virt_type: str = "qemu"
    ) -> None:
        self.directory = directory
        self.libvirtd = libvirtd
        self.driver = "lxc:///system" if virt_type == "lxc" else "qemu:///system"
        self.log = directory / "agent.log"
        self.config = directory / "computed.conf"
        self.images = directory / "cloud" / "images"
        self.instances = directory / "cloud" / "instances"
        self.client = CloudClient(directory / "cloud" / "computed.sock", 30.0)
        self.process: subprocess.Popen[bytes] | None = None
        self.config.write_text(
            f"[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\nhost = alone\n{settings}\n"
            f"[alone]\nenabled = true\nstate_dir = {directory}/cloud\n"
            f"[libvirt]\nvirt_type = {virt_type}\nconnection_uri = {libvirtd.uri(self.driver)}\n"
        )

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "computed.cmd.agent", "--config-file", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
            )
        if wait:
            waiting.until("the agent answers", self._answers, START_SECONDS, 0.1)

    def _answers(self) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text()[-3000:])
        try:
            self.client.host()
        except CloudUnreachable as error:
            raise waiting.NotYet(str(error)) from error

    def stop(self) -> int:
        """Tell the agent to end; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End the agent, however it stands."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def ctl(self, *words: str, status: int = 0) -> str:
        """What computedctl prints, on either way."""
        command = [sys.executable, "-m", "computed.cmd.ctl", "--socket", str(self.client.path), *words]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL
        )
        assert done.returncode == status, f"{' '.join(words)}: {done.stdout}{done.stderr}\n{self.tail()}"
        return done.stdout + done.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self.ctl(*words, "--format", "json"))

    def create(self, name: str, image: str, flavor: str = "m1.nano", **more: str) -> dict[str, Any]:
        """Order a server; nobody waits for it."""
        return self.client.create({"name": name, "flavor": flavor, "image": image, **more})

    def server(self, name: str) -> dict[str, Any]:
        return self.client.server(name)

    def settled(self, name: str, status: str, seconds: float = BOOT_SECONDS) -> dict[str, Any]:
        """The server when it has that status and nothing is being done to it."""

        def probe() -> dict[str, Any]:
            found = self.server(name)
            if found["status"] != status or found["task_state"] is not None:
                raise waiting.NotYet(f"{found['status']} {found['task_state']} {found['fault']}")
            return found

        return waiting.until(f"{name} is {status}", probe, seconds, 0.2)

    def gone(self, name: str, seconds: float = 60.0) -> None:
        """Until there is no such server."""

        def probe() -> None:
            if any(server["name"] == name for server in self.client.servers()):
                raise waiting.NotYet(self.server(name)["task_state"])

        waiting.until(f"{name} is gone", probe, seconds, 0.2)

    def said(self, name: str, word: str, seconds: float = BOOT_SECONDS) -> Mark:
        """The newest line with that word on the server's console, when there is one."""

        def probe() -> Mark:
            text = self.client.console(name)
            found = marks(text, word)
            if not found:
                raise waiting.NotYet(text[-400:])
            return found[-1]

        return waiting.until(f"{name} says {word}", probe, seconds, 0.5)

    def tail(self) -> str:
        """The agent's last words."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def leftovers(self) -> dict[str, list[str]]:
        """What is there of servers: domains, directories of instances, unfinished files of the cache."""
        directories = [path.name for path in self.instances.glob("*-*-*-*-*")]
        base = self.instances / "_base"
        parts = [path.name for path in base.glob("*")] if base.exists() else []
        found = {
            "domains": self.libvirtd.domains(self.driver),
            "directories": directories,
            "parts": [name for name in parts if not name.isalnum()],
            "nvram": [path.name for path in self.libvirtd.directory.glob("lib/qemu/nvram/*")],
            "managed save": [path.name for path in self.libvirtd.directory.glob("lib/qemu/save/*")],
            "loop devices": _loops(self.instances),
        }
        return {kind: names for kind, names in found.items() if names}

    def sweep(self) -> None:
        """End what guests of this cloud are left, when a test has failed."""
        for name in self.libvirtd.domains(self.driver):
            self.libvirtd.virsh("destroy", name, driver=self.driver)
            self.libvirtd.virsh("undefine", name, "--nvram", "--managed-save", driver=self.driver)
            self.libvirtd.virsh("undefine", name, driver=self.driver)

    def used(self) -> dict[str, int]:
        """What placement says is used of the host."""
        (node,) = self.client.host()["nodes"]
        return {name: said["used"] for name, said in node["resources"].items()}


def _loops(directory: Path) -> list[str]:
    listed = subprocess.run(["losetup", "-a"], capture_output=True, text=True, timeout=20).stdout
    return [line for line in listed.splitlines() if str(directory) in line]


