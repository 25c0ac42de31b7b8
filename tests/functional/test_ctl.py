"""computedctl at the socket of a running cloud: what it prints, how it exits, what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from computed.cmd import ctl
from computed.embedded.client import CloudClient, CloudError, CloudUnreachable
from tests.functional.cloud import Cloud


class Shell:
    """Runs the command and keeps what it said."""

    def __init__(self, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
        self._socket = str(cloud.socket)
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, status: int = 0) -> str:
        found = ctl.main(["--socket", self._socket, *words])
        out, self.err = self._capsys.readouterr()
        assert found == status, self.err
        return str(out)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--format", "json"))


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    """One whose service has just said that it is there: one that was restarted does so a little later."""
    return make_cloud(is_new=True)


@pytest.fixture
def shell(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(cloud, capsys)


def test_life_of_a_server(shell: Shell) -> None:
    server = shell.json("server", "create", "web", "--image", "guest", "--wait")
    assert (server["name"], server["status"], server["flavor"]) == ("web", "ACTIVE", "m1.nano")
    assert server["addresses"] == ["192.168.222.2"]
    assert shell("server", "stop", "web", "--wait", "--format", "brief") == f"{server['id']} SHUTOFF\n"
    assert shell.json("server", "start", "web", "--wait")["power_state"] == "running"
    assert shell.json("server", "reboot", server["id"], "--hard", "--wait")["status"] == "ACTIVE"
    assert "BOOT 3" in shell("server", "console", "web")
    assert shell("server", "console", "web", "--lines", "1") == "READY\n"
    assert shell("server", "delete", "web", "--wait") == ""
    assert shell.json("server", "list") == []


def test_tables_are_whole_and_show_text_as_it_is(shell: Shell) -> None:
    shell("server", "create", "[bold]not markup[/bold]", "--image", "guest", "--wait")
    table = shell("server", "list")
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "[bold]not markup[/bold]" in table and "192.168.222.2" in table
    assert "m1.nano" in shell("flavor", "list")
    assert "guest" in shell("image", "list")


def test_host_shows_what_is_used(shell: Shell) -> None:
    shell("server", "create", "web", "--image", "guest", "--flavor", "m1.medium", "--wait")
    host = shell.json("host", "show")
    assert (host["host"], host["service"], host["servers"]) == ("alone", "up", 1)
    (node,) = host["nodes"]
    assert {name: said["used"] for name, said in node["resources"].items()} == {
        "DISK_GB": 40,
        "MEMORY_MB": 4096,
        "VCPU": 2,
    }
    assert "MEMORY_MB" in shell("host", "show")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("server", "show", "nobody"), "No instance nobody"),
        (("server", "create", "x", "--image", "none-such"), "No image none-such"),
        (("server", "create", "x", "--image", "guest", "--flavor", "huge"), "No flavor huge"),
        (("server", "create", "", "--image", "guest"), "needs a name"),
        (("server", "create", "a\nb", "--image", "guest"), "needs a name"),
        (("server", "create", "00000001-0000-4000-8000-000000000001", "--image", "guest"), "needs a name"),
        (("server", "create", "x", "--image", "guest", "--user-data", "/nonexistent"), "No such file"),
        (("server", "console", "nobody"), "No instance nobody"),
        (("server", "delete", "nobody"), "No instance nobody"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(shell: Shell, words: tuple[str, ...], message: str) -> None:
    assert shell(*words, status=ctl.FAILED) == ""
    assert message in shell.err and shell.err.count("\n") == 1
    assert shell.json("server", "list") == []


def test_name_of_two_servers_is_no_name(shell: Shell) -> None:
    for _ in range(2):
        shell("server", "create", "twin", "--image", "guest", "--wait")
    shell("server", "stop", "twin", status=ctl.FAILED)
    assert "use the id" in shell.err


def test_image_is_added_from_a_file_and_from_a_url_booted_and_removed(shell: Shell, tmp_path: Path) -> None:
    source = tmp_path / "some.qcow2"
    source.write_bytes(b"bytes of an image" * 100_000)
    added = shell.json("image", "add", "mine", str(source))
    assert (added["name"], added["disk_format"], added["size"]) == ("mine", "qcow2", 1_700_000)
    digest = hashlib.sha512(source.read_bytes()).hexdigest()
    with _served(tmp_path) as url:
        shell("image", "add", "theirs", f"{url}/some.qcow2", "--disk-format", "raw", "--sha512", digest)
    assert shell.json("server", "create", "web", "--image", "mine", "--wait")["status"] == "ACTIVE"
    assert {image["name"] for image in shell.json("image", "list")} == {"guest", "mine", "theirs"}
    shell("image", "delete", "mine", "theirs")
    assert {image["name"] for image in shell.json("image", "list")} == {"guest"}
    assert shell.json("server", "show", "web")["status"] == "ACTIVE"


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x", "/nonexistent.raw"), "No such file"),
        (("x", "/dev/null"), "give --disk-format"),
        (("x", "/dev/null", "--disk-format", "raw", "--sha512", "00"), "not what was said"),
        (("guest", "/dev/null", "--disk-format", "raw"), "one of this name already"),
        (("../x", "/dev/null", "--disk-format", "raw"), "this name cannot be"),
        ((".x", "/dev/null", "--disk-format", "raw"), "this name cannot be"),
    ],
)
def test_image_that_cannot_be_added_is_said_and_leaves_nothing(
    cloud: Cloud, shell: Shell, words: tuple[str, ...], message: str
) -> None:
    assert shell("image", "add", *words, status=ctl.FAILED) == ""
    assert message in shell.err and shell.err.count("\n") == 1
    assert [path.name for path in (cloud.directory / "images").iterdir()] == ["guest.raw"]


def test_upload_that_breaks_off_leaves_nothing(cloud: Cloud) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(cloud.socket))
        client.sendall(b"PUT /v1/images/half?disk_format=raw HTTP/1.1\r\nContent-Length: 999\r\n\r\nhalf")
        client.shutdown(socket.SHUT_WR)
        client.settimeout(5)
        assert b"cut off" in client.recv(4096) + client.recv(4096)
    assert [path.name for path in (cloud.directory / "images").iterdir()] == ["guest.raw"]


def test_state_that_forbids_a_verb_is_said(shell: Shell) -> None:
    shell("server", "create", "web", "--image", "guest", "--wait")
    shell("server", "start", "web", status=ctl.FAILED)
    assert "vm_state active" in shell.err


def test_server_that_fails_to_build_fails_the_command(cloud: Cloud, shell: Shell) -> None:
    cloud.conf.set_override("fail", ["spawn:*:NovaException"], group="fake")
    shell("server", "create", "web", "--image", "guest", "--wait", status=ctl.FAILED)
    assert "web is in ERROR" in shell.err
    fault = shell.json("server", "show", "web")["fault"]
    assert fault["message"]


def test_waiting_ends(cloud: Cloud, shell: Shell) -> None:
    cloud.conf.set_override("delays", {"spawn": "1"}, group="fake")
    shell("server", "create", "web", "--image", "guest", "--wait", "0.2", status=ctl.STILL_WAITING)
    assert "still BUILD after 0.2 s" in shell.err
    cloud.settle()


def test_no_agent_is_said_with_a_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl.main(["--socket", str(tmp_path / "none"), "server", "list"]) == ctl.UNREACHABLE
    assert "computed --alone" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("server",), ("server", "fly"), ("server", "list", "--wait")])
def test_wrong_usage_exits_with_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        ctl.main(list(words))
    assert left.value.code == 2


def test_socket_is_found_by_environment_and_file(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMPUTED_SOCKET", str(cloud.socket))
    assert ctl.main(["server", "list"]) == 0
    monkeypatch.delenv("COMPUTED_SOCKET")
    file = tmp_path / "computed.conf"
    file.write_text(f"[alone]\nstate_dir = {cloud.directory}\n[other]\nunknown = 1\n")
    assert ctl.main(["--config-file", str(file), "server", "list"]) == 0
    file.write_text("[alone]\nnetwork = maybe\n")
    assert ctl.main(["--config-file", str(file), "server", "list"]) in (ctl.FAILED, ctl.UNREACHABLE)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/nothing", None, 404),
        ("PUT", "/v1/images/x", None, 400),
        ("DELETE", "/v1/images/x", None, 404),
        ("DELETE", "/v1/host", None, 400),
        ("POST", "/v1/servers", [], 400),
        ("POST", "/v1/servers", {"name": 5}, 400),
        ("GET", "/v1/servers/x/console?lines=many", None, 400),
        ("POST", "/v1/servers/x/fly", {}, 404),
    ],
)
def test_api_answers_nonsense_with_an_error(
    cloud: Cloud, method: str, path: str, body: Any, code: int
) -> None:
    with pytest.raises(CloudError) as refused:
        CloudClient(cloud.socket)._ask(method, path, body=body)
    assert refused.value.code == code


def test_api_survives_those_who_do_not_speak_http(cloud: Cloud) -> None:
    too_long = b"POST /v1/servers HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"
    for text in (b"", b"\0\xff\n", b"GET\r\n\r\n", too_long):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(cloud.socket))
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            client.settimeout(5)
            client.recv(1000)
    assert CloudClient(cloud.socket).servers() == []


def test_nobody_answers_on_a_socket_that_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    with pytest.raises(CloudUnreachable):
        CloudClient(path).host()
    os.unlink(path)
