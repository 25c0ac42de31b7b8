"""Permission to reach consoles: kinds, options, tokens and their ends, ports."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest

from computed import errors, objects
from computed.operations.console import access_url
from computed.periodic.table import TASKS

KINDS = [
    # method, console type, group of options, option of the proxy's address
    ("get_vnc_console", "novnc", "vnc", "novncproxy_base_url"),
    ("get_spice_console", "spice-html5", "spice", "html5proxy_base_url"),
    ("get_spice_console", "spice-direct", "spice", "spice_direct_proxy_base_url"),
    ("get_serial_console", "serial", "serial_console", "base_url"),
    ("get_mks_console", "webmks", "mks", "mksproxy_base_url"),
]
each_kind = pytest.mark.parametrize(
    ("method", "console_type", "group", "option"), KINDS, ids=[kind[1] for kind in KINDS]
)


@pytest.fixture
def server(bench):
    for group in ("vnc", "spice", "serial_console", "mks"):
        bench.conf.set_override("enabled", True, group)
    return bench.boot()


def ask(bench, server, method, console_type):
    return bench.call(method, instance=bench.fetch(server.uuid), console_type=console_type)


def validate(bench, token):
    return objects.ConsoleAuthToken.validate(bench.context, token)


@each_kind
def test_what_the_api_is_told(bench, server, method, console_type, group, option):
    told = ask(bench, server, method, console_type)
    keys = {"host", "port", "internal_access_path", "token", "access_url"}
    assert set(told) == keys | ({"tlsPort"} if group == "spice" else set())
    base_url = getattr(getattr(bench.conf, group), option)
    assert told["access_url"].startswith(base_url)
    assert told["token"] in told["access_url"]
    permission = validate(bench, told["token"])
    assert permission.instance_uuid == server.uuid
    assert permission.console_type == console_type
    assert (permission.host, permission.port) == (told["host"], told["port"])
    assert permission.access_url_base == base_url
    assert permission.tls_port == told.get("tlsPort")
    opened = None if console_type == "spice-direct" else told["internal_access_path"]
    assert permission.internal_access_path == opened


@each_kind
def test_one_conductor_call(bench, server, method, console_type, group, option):
    with bench.counting() as counts:
        ask(bench, server, method, console_type)
    assert counts.conductor == ["ConsoleAuthToken.authorize"]
    assert counts.placement == []


@each_kind
def test_kind_that_is_switched_off(bench, server, method, console_type, group, option):
    bench.conf.set_override("enabled", False, group)
    with pytest.raises(errors.ConsoleTypeUnavailable):
        ask(bench, server, method, console_type)
    assert bench.rows("ConsoleAuthToken") == []


@each_kind
def test_type_of_another_kind(bench, server, method, console_type, group, option):
    with pytest.raises(errors.ConsoleTypeInvalid):
        ask(bench, server, method, "xvpvnc")


@each_kind
def test_server_without_a_guest(bench, server, method, console_type, group, option):
    instance = bench.fetch(server.uuid)
    bench.driver._store.remove(server.uuid, keep_disks=False)
    with pytest.raises(errors.InstanceNotFound):
        bench.call(method, instance=instance, console_type=console_type)
    instance.vm_state = "building"
    with pytest.raises(errors.InstanceNotReady):
        bench.call(method, instance=instance, console_type=console_type)
    assert bench.rows("ConsoleAuthToken") == []


@each_kind
def test_driver_that_fails(bench, server, method, console_type, group, option):
    bench.conf.set_override("fail", [f"{group.split('_')[0]}_console:*:ConsoleNotAvailable"], "fake")
    with pytest.raises(errors.ConsoleNotAvailable):
        ask(bench, server, method, console_type)
    assert bench.states(server.uuid) == ("active", None)


@each_kind
def test_port_of_a_token(bench, server, method, console_type, group, option):
    told = ask(bench, server, method, console_type)
    for port, is_valid in ((told["port"], True), (told["port"] + 1, False)):
        arguments = {"instance": bench.fetch(server.uuid), "port": str(port), "console_type": console_type}
        assert bench.call("validate_console_port", topic="compute-alt", **arguments) is is_valid


def test_port_of_a_guest_that_is_gone(bench, server):
    instance = bench.fetch(server.uuid)
    bench.driver._store.remove(server.uuid, keep_disks=False)
    with pytest.raises(errors.InstanceNotFound):
        bench.call("validate_console_port", instance=instance, port="6969", console_type="novnc")


def test_nobody_has_rdp(bench, server):
    with pytest.raises(NotImplementedError):
        ask(bench, server, "get_rdp_console", "rdp-html5")


def test_a_token_ends(bench, server):
    bench.conf.set_override("token_ttl", 1, "consoleauth")
    token = ask(bench, server, "get_vnc_console", "novnc")["token"]
    assert 0 <= validate(bench, token).expires - time.time() <= 1
    time.sleep(1.2)
    with pytest.raises(errors.InvalidToken):
        validate(bench, token)
    task = next(task for task in TASKS if task.name == "_cleanup_expired_console_auth_tokens")
    task.run(bench.host, bench.context)
    assert bench.rows("ConsoleAuthToken") == []


def test_tokens_end_with_the_server(bench, server):
    ask(bench, server, "get_vnc_console", "novnc")
    bench.delete(server.uuid)
    assert bench.rows("ConsoleAuthToken") == []


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("http://proxy:6080/vnc_auto.html", "?token=T"),
        ("http://proxy/vnc.html?path=websockify", "websockify?token=T"),
        ("http://proxy/vnc.html?scale=1&path=a/b", "a/b?token=T"),
    ],
)
def test_address_of_novnc(base_url, path):
    url = access_url(base_url, "novnc", "T")
    before, after = parse_qs(urlsplit(base_url).query), parse_qs(urlsplit(url).query)
    assert after == {**before, "path": [path]}
    assert urlsplit(url)._replace(query="") == urlsplit(base_url)._replace(query="")


def test_address_of_the_others():
    assert access_url("ws://proxy:6083/", "serial", "T") == "ws://proxy:6083/?token=T"
