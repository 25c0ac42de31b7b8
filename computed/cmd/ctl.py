"""The command `computedctl`: servers and host of an agent that runs alone."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from computed.embedded.client import CloudClient, CloudError, CloudUnreachable
from computed.embedded.images import FORMATS

# Exit statuses; argparse itself exits with 2.
FAILED, UNREACHABLE, STILL_WAITING = 1, 3, 4

_DEFAULT_WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_URL_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20
_TRANSIENT = frozenset({"BUILD", "REBOOT", "HARD_REBOOT"})
_SHOWING_ONE = frozenset({"create", "show", "stop", "start", "reboot"})
_SERVER_COLUMNS = ("id", "name", "status", "task_state", "power_state", "addresses", "flavor")

Arguments = argparse.Namespace


class Trouble(Exception):
    """What ends the command with a message; `status` is the exit status."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; exit status 0, 1 refused or failed, 2 usage, 3 no agent, 4 waited in vain."""
    arguments = parser().parse_args(argv)
    try:
        socket = Path(arguments.socket) if arguments.socket else _usual_socket(arguments.config_file)
        arguments.run(CloudClient(socket), arguments)
    except CloudError as error:
        return _fail(str(error), FAILED)
    except CloudUnreachable as error:
        return _fail(f"{error}. Is `computed --alone` running, as the same user?", UNREACHABLE)
    except Trouble as trouble:
        return _fail(str(trouble), trouble.status)
    except BrokenPipeError:
        # Whoever reads our output has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str, status: int) -> int:
    print(f"computedctl: {message}", file=sys.stderr)
    return status


def _usual_socket(config_files: Sequence[str]) -> Path:
    """The socket that the environment or the files of the agent name, else the usual one."""
    named = os.environ.get("COMPUTED_SOCKET")
    if named:
        return Path(named)
    from oslo_config import cfg

    from computed.conf import alone
    from computed.embedded.places import Places

    conf = cfg.ConfigOpts()
    conf.register_opts(alone.OPTS, group=alone.GROUP)
    usual = cfg.find_config_files(project="nova", prog="nova-compute")
    usual += cfg.find_config_files(project="computed", prog="computed")
    try:
        conf([], default_config_files=list(config_files) or usual, default_config_dirs=[])
        return Places.of(conf.alone.state_dir, conf.alone.socket, conf.alone.images_dir).socket
    except cfg.Error as error:
        raise Trouble(f"the configuration cannot be read: {error}") from error


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="computedctl", description=__doc__)
    top.add_argument("--socket", help="socket of the agent; else COMPUTED_SOCKET, else [alone] socket")
    top.add_argument("--config-file", action="append", default=[], help="configuration of the agent")
    nouns = top.add_subparsers(required=True, metavar="NOUN")
    server = nouns.add_parser("server", help="servers")
    _add_server_verbs(server.add_subparsers(required=True, metavar="VERB"))
    image = nouns.add_parser("image", help="images to boot")
    _add_image_verbs(image.add_subparsers(required=True, metavar="VERB"))
    for noun, verb, run, about in (
        ("host", "show", show_host, "the host and what is used of it"),
        ("flavor", "list", list_flavors, "sizes of servers"),
    ):
        verbs = nouns.add_parser(noun, help=about).add_subparsers(required=True, metavar="VERB")
        _verb(verbs, verb, run, about)
    return top


def _verb(verbs: Any, name: str, run: Callable[..., None], about: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=about)
    formats = ("table", "json", "brief") if name in _SHOWING_ONE else ("table", "json")
    added.add_argument("--format", choices=formats, default="table", help="how to show it")
    added.set_defaults(run=run)
    return added


def _add_server_verbs(verbs: Any) -> None:
    create = _verb(verbs, "create", create_server, "build a server")
    create.add_argument("name")
    create.add_argument("--flavor", default="m1.nano", help="size, see `flavor list` (default m1.nano)")
    create.add_argument("--image", required=True, help="name or id, see `image list`")
    create.add_argument("--network", default="auto", help="auto, none, or the network's id (default auto)")
    create.add_argument("--address", help="a certain address on the network")
    create.add_argument("--user-data", type=Path, metavar="FILE", help="for the guest's first boot")
    create.add_argument("--config-drive", action="store_true", help="give the guest a config drive")
    _add_wait(create)
    _verb(verbs, "list", list_servers, "every server")
    _verb(verbs, "show", show_server, "one server").add_argument("server", help="id or name")
    for name, about in (
        ("stop", "power a server off"),
        ("start", "power a stopped server on"),
        ("reboot", "restart a server"),
    ):
        act = _verb(verbs, name, act_on_server, about)
        act.set_defaults(verb=name)
        act.add_argument("server", help="id or name")
        _add_wait(act)
        if name == "reboot":
            act.add_argument("--hard", action="store_true", help="do not ask the guest")
    delete = _verb(verbs, "delete", delete_servers, "delete servers")
    delete.add_argument("server", nargs="+", help="ids or names")
    _add_wait(delete)
    console = _verb(verbs, "console", show_console, "what a server has written on its console")
    console.add_argument("server", help="id or name")
    console.add_argument("--lines", type=int, help="only the last so many lines")


def _add_image_verbs(verbs: Any) -> None:
    _verb(verbs, "list", list_images, "every image")
    add = _verb(verbs, "add", add_image, "take a file, or what is at a URL, as an image")
    add.add_argument("name")
    add.add_argument("source", help="a file, or a URL (http, https)")
    add.add_argument(
        "--disk-format", choices=FORMATS, help="its format; else the ending of the source says it"
    )
    add.add_argument("--sha512", metavar="HEX", help="what its bytes must add up to")
    delete = _verb(verbs, "delete", delete_images, "remove images; servers made of them stay")
    delete.add_argument("image", nargs="+", help="ids or names")


def _add_wait(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=_DEFAULT_WAIT_SECONDS,
        metavar="SECONDS",
        help=f"until it is done, {_DEFAULT_WAIT_SECONDS:.0f} s at most unless SECONDS says otherwise",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value


def create_server(client: CloudClient, arguments: Arguments) -> None:
    """`server create`."""
    order = {
        "name": arguments.name,
        "flavor": arguments.flavor,
        "image": arguments.image,
        "network": arguments.network,
        "address": arguments.address,
        "config_drive": arguments.config_drive,
        "user_data": _encoded(arguments.user_data) if arguments.user_data else None,
    }
    server = client.create(order)
    if arguments.wait:
        server = _wait_settled(client, server["id"], arguments.wait)
    _show_server(server, arguments)


def _encoded(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise Trouble(f"{path}: {error.strerror}") from error


def list_servers(client: CloudClient, arguments: Arguments) -> None:
    """`server list`."""
    _show_rows(client.servers(), _SERVER_COLUMNS, arguments)


def show_server(client: CloudClient, arguments: Arguments) -> None:
    """`server show`."""
    _show_server(client.server(arguments.server), arguments)


def act_on_server(client: CloudClient, arguments: Arguments) -> None:
    """`server stop`, `start` and `reboot`."""
    server = client.server(arguments.server)
    options = {"hard": arguments.hard} if arguments.verb == "reboot" else {}
    client.act(server["id"], arguments.verb, **options)
    if not arguments.wait:
        return
    server = _wait_settled(client, server["id"], arguments.wait)
    wanted = "SHUTOFF" if arguments.verb == "stop" else "ACTIVE"
    if server["status"] != wanted:
        raise Trouble(f"{server['name']} is {server['status']}, not {wanted}; the agent's log tells why")
    _show_server(server, arguments)


def delete_servers(client: CloudClient, arguments: Arguments) -> None:
    """`server delete`."""
    ids = [client.server(wanted)["id"] for wanted in arguments.server]
    for server in ids:
        client.delete(server)
    if arguments.wait:
        _wait_gone(client, set(ids), arguments.wait)


def show_console(client: CloudClient, arguments: Arguments) -> None:
    """`server console`."""
    output = client.console(arguments.server, arguments.lines)
    print(json.dumps({"output": output}) if arguments.format == "json" else output)


def show_host(client: CloudClient, arguments: Arguments) -> None:
    """`host show`."""
    host = client.host()
    if arguments.format == "json":
        _print_json(host)
        return
    _show_facts({name: host[name] for name in ("host", "service", "servers")})
    rows = [
        {"node": node["name"], "resource": name, **amounts}
        for node in host["nodes"]
        for name, amounts in node["resources"].items()
    ]
    _show_rows(rows, ("node", "resource", "total", "reserved", "allocation_ratio", "used"), arguments)


def list_flavors(client: CloudClient, arguments: Arguments) -> None:
    """`flavor list`."""
    _show_rows(client.flavors(), ("name", "vcpus", "memory_mib", "disk_gib"), arguments)


def list_images(client: CloudClient, arguments: Arguments) -> None:
    """`image list`."""
    _show_rows(client.images(), ("id", "name", "disk_format", "size"), arguments)


def add_image(client: CloudClient, arguments: Arguments) -> None:
    """`image add`."""
    source = arguments.source
    ending = Path(urlsplit(source).path).suffix.removeprefix(".")
    disk_format = arguments.disk_format or (ending if ending in FORMATS else None)
    if disk_format is None:
        raise Trouble(f"the name of {source} does not say its format: give --disk-format")
    with tempfile.TemporaryFile() as spool:
        try:
            with _opened(source) as file:
                digest = _copied(file, spool)
        except OSError as error:
            raise Trouble(f"{source}: {getattr(error, 'strerror', None) or error}") from error
        if arguments.sha512 and digest != arguments.sha512.lower():
            raise Trouble(f"{source} has SHA-512 {digest}, not what was said")
        size = spool.tell()
        spool.seek(0)
        image = client.add_image(arguments.name, disk_format, spool, size)
    if arguments.format == "json":
        _print_json(image)
    else:
        _show_facts(image)


def _opened(source: str) -> Any:
    if source.startswith(("http://", "https://")):
        return urlopen(source, timeout=_URL_SECONDS)
    return Path(source).open("rb")


def _copied(file: Any, spool: Any) -> str:
    """Copy all of a file; returns the SHA-512 of it."""
    digest = hashlib.sha512()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        spool.write(chunk)
    return digest.hexdigest()


def delete_images(client: CloudClient, arguments: Arguments) -> None:
    """`image delete`."""
    for wanted in arguments.image:
        client.delete_image(wanted)


def _wait_settled(client: CloudClient, server_id: str, seconds: float) -> dict[str, Any]:
    """The server when nothing is being done to it any more; raises Trouble if it ends in ERROR, or never."""
    end = time.monotonic() + seconds
    while True:
        server = client.server(server_id)
        if server["task_state"] is None and server["status"] not in _TRANSIENT:
            break
        if time.monotonic() > end:
            raise Trouble(f"{server['name']} is still {server['status']} after {seconds:g} s", STILL_WAITING)
        time.sleep(_PAUSE_SECONDS)
    if server["status"] == "ERROR":
        reason = server["fault"]["message"] if server["fault"] else "no reason is recorded"
        raise Trouble(f"{server['name']} is in ERROR: {reason}")
    return server


def _wait_gone(client: CloudClient, ids: set[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while left := {server["id"]: server for server in client.servers() if server["id"] in ids}:
        for server in left.values():
            if server["status"] == "ERROR" and server["task_state"] is None:
                raise Trouble(f"{server['name']} could not be deleted")
        if time.monotonic() > end:
            raise Trouble(f"{len(left)} servers are still there after {seconds:g} s", STILL_WAITING)
        time.sleep(_PAUSE_SECONDS)


def _show_server(server: dict[str, Any], arguments: Arguments) -> None:
    if arguments.format == "json":
        _print_json(server)
    elif arguments.format == "brief":
        print(f"{server['id']} {server['status']}")
    else:
        _show_facts(server)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _show_facts(facts: dict[str, Any]) -> None:
    _print_table(("field", "value"), [(name, _cell(value)) for name, value in facts.items()])


def _show_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], arguments: Arguments) -> None:
    if arguments.format == "json":
        _print_json(rows)
    else:
        _print_table(columns, [tuple(_cell(row[column]) for column in columns) for row in rows])


def _cell(value: Any) -> str:
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as wide as it needs to be, so that nothing is cut where a script reads it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ASCII2 if not sys.stdout.isatty() else box.SQUARE)
    for column in columns:
        table.add_column(column, no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 1000).print(table)


if __name__ == "__main__":
    sys.exit(main())
