"""The agent alone as a process of its own: started by its command line, killed, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from computed.cmd import demo
from computed.embedded.client import CloudClient, CloudUnreachable

PATIENCE_SECONDS = 40.0
ROOT = Path(__file__).parents[2]


class Agent:
    """One agent process at a time, on the same directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "agent.log"
        self.client = CloudClient(directory / "computed.sock")
        (directory / "images").mkdir()
        (directory / "images" / "guest.raw").write_bytes(b"\0" * 512)
        self.write_settings("")
        self.process: subprocess.Popen[bytes] | None = None

    def write_settings(self, more: str) -> None:
        text = f"[DEFAULT]\nhost = alone\n[alone]\nstate_dir = {self.directory}\n{more}"
        (self.directory / "computed.conf").write_text(text)

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "computed.cmd.agent", "--alone", "--config-file"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(self.directory / "computed.conf")], stdout=log, stderr=log, cwd=ROOT
            )
        if wait:
            self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        assert self.process is not None
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.client.host()
                return
            except CloudUnreachable:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.05)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_SECONDS)

    def boot(self, *names: str) -> None:
        for name in names:
            self.client.create({"name": name, "flavor": "m1.nano", "image": "guest"})
        self.wait_for(dict.fromkeys(names, "ACTIVE"))

    def wait_for(self, wanted: dict[str, str]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not wanted.items() <= {s["name"]: s["status"] for s in self.client.servers()}.items():
            assert time.monotonic() < end, self.client.servers()
            time.sleep(0.05)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    if agent.process is not None and agent.process.poll() is None:
        agent.process.kill()
        agent.process.wait()


def test_servers_survive_kill_and_the_next_agent_has_them_at_once(agent: Agent) -> None:
    agent.start()
    agent.boot("a", "b", "c")
    agent.client.act("b", "stop")
    agent.wait_for({"a": "ACTIVE", "b": "SHUTOFF", "c": "ACTIVE"})
    assert agent.end(signal.SIGKILL) == -signal.SIGKILL
    assert agent.client.path.exists()  # the socket of the dead is in the way, and is taken away
    agent.start()
    agent.wait_for({"a": "ACTIVE", "b": "SHUTOFF", "c": "ACTIVE"})
    assert all(server["fault"] is None for server in agent.client.servers())
    agent.client.act("b", "start")
    agent.boot("d")
    host = agent.client.host()
    assert host["nodes"][0]["resources"]["VCPU"]["used"] == 4
    assert len(host["nodes"]) == 1


def test_term_ends_it_well_and_soon(agent: Agent) -> None:
    agent.start()
    agent.boot("a")
    began = time.monotonic()
    assert agent.end() == 0
    assert time.monotonic() - began < 10
    assert not agent.client.path.exists()
    assert "Traceback" not in agent.log.read_text()


def test_second_agent_on_the_same_files_is_refused_and_harms_nothing(agent: Agent) -> None:
    agent.start()
    first = agent.process
    agent.start(wait=False)
    assert agent.process is not None and agent.process.wait(PATIENCE_SECONDS) == 1
    assert "another agent runs the cloud" in agent.log.read_text()
    agent.process = first
    agent.boot("a")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("network = bridge\ncidr = here\n", "[alone] cidr = here is no network"),
        ("network = bridge\ncidr = 10.0.0.0/24\ngateway = 10.1.0.1\n", "gateway = 10.1.0.1 is not in"),
        ("network = tunnels\n", "tunnels"),
    ],
)
def test_wrong_option_is_named_and_nothing_starts(agent: Agent, settings: str, said: str) -> None:
    agent.write_settings(settings)
    agent.start(wait=False)
    assert agent.process is not None and agent.process.wait(PATIENCE_SECONDS) == 1
    assert said in agent.log.read_text()
    assert not agent.client.path.exists()


def test_demo_tells_its_story(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    assert demo.main() == 0
    told = capfd.readouterr().out
    assert "stopped and started green" in told and "SHUTOFF" in told
