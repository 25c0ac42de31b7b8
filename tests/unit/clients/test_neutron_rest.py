"""What NeutronRest does on a real socket when a connection is refused or breaks; its words for errors."""

import socket
import threading
from types import SimpleNamespace

import pytest
from keystoneauth1 import session, token_endpoint
from keystoneauth1.adapter import Adapter

from computed import errors
from computed.clients.neutron import rest
from computed.clients.neutron.faults import About, error_for

ANSWER = b'HTTP/1.1 201 Created\r\ncontent-length: 21\r\nconnection: close\r\n\r\n{"port": {"id": "p"}}'


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setattr(rest, "_FIRST_PAUSE_SECONDS", 0.2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening


def client(listener, retries):
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    login = session.Session(auth=token_endpoint.Token(url, "secret"))
    return rest.NeutronRest(
        Adapter(login, endpoint_override=url, raise_exc=False), is_admin=False, retries=retries
    )


def serve(listener, replies):
    """Answer one connection after the other with `replies`; b"" closes it. Returns the request lines."""
    lines = []

    def run():
        for reply in replies:
            connection, _ = listener.accept()
            with connection:
                lines.append(connection.recv(65536).split(b"\r\n")[0].decode())
                connection.sendall(reply)

    listener.listen()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return lines, thread


def test_a_port_is_asked_for_again_when_nobody_listened(listener):
    neutron = client(listener, retries=3)
    made = []
    asking = threading.Thread(target=lambda: made.append(neutron.create_port({"network_id": "n"})))
    asking.start()
    threading.Event().wait(0.05)
    lines, _ = serve(listener, [ANSWER])
    asking.join(10)
    assert made == [{"id": "p"}]
    assert lines == ["POST /v2.0/ports HTTP/1.1"]


def test_a_port_is_not_asked_for_twice_when_the_answer_was_lost(listener):
    lines, thread = serve(listener, [b""])
    with pytest.raises(errors.NetworkServiceUnavailable):
        client(listener, retries=3).create_port({"network_id": "n"})
    thread.join(5)
    assert len(lines) == 1


def test_a_change_that_may_be_repeated_is(listener):
    lines, thread = serve(listener, [b"", ANSWER.replace(b"201", b"200")])
    assert client(listener, retries=1).update_port("p", {}) == {"id": "p"}
    thread.join(5)
    assert lines == ["PUT /v2.0/ports/p HTTP/1.1"] * 2


def test_retries_end(listener):
    with pytest.raises(errors.NetworkServiceUnavailable) as caught:
        client(listener, retries=1).search("ports")
    assert "secret" not in str(caught.value)


def test_nothing_is_asked_for_no_ids():
    counted = []
    neutron = rest.NeutronRest(None, is_admin=True, count=counted.append)
    assert neutron.search("subnets", id=[]) == []
    assert neutron.search("ports", id=["a"], network_id=[]) == []
    assert counted == []


def test_many_ids_are_cut_into_requests_that_fit_a_url():
    asked = []

    class Everything:
        def request(self, path, method, params, **kwargs):
            asked.append(params)
            return SimpleNamespace(status_code=200, content=b"x", json=lambda: {"ports": [1]})

    ids = [f"{n:036d}" for n in range(400)]
    assert rest.NeutronRest(Everything(), is_admin=True).search("ports", id=ids, device_owner="o") == [1] * 3
    assert [value for params in asked for name, value in params if name == "id"] == ids
    assert all(("device_owner", "o") in params and len(str(params)) < 8192 for params in asked)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (409, "OverQuota", errors.PortLimitExceeded),
        (409, "IpAddressGenerationFailure", errors.NoMoreFixedIps),
        (409, "IpAddressInUse", errors.FixedIpAlreadyInUse),
        (409, "IpAddressAlreadyAllocated", errors.FixedIpAlreadyInUse),
        (409, "MacAddressInUse", errors.PortInUse),
        (409, "HostNotCompatibleWithFixedIps", errors.FixedIpInvalidOnHost),
        (400, "InvalidIpForNetwork", errors.InvalidInput),
        (404, "PortNotFound", errors.PortNotFound),
        (404, "NetworkNotFound", errors.NetworkNotFound),
        (404, "SecurityGroupNotFound", errors.SecurityGroupNotFound),
        (403, "PolicyNotAuthorized", errors.Forbidden),
        (409, "Whatever", errors.NetworkRequestRefused),
        (504, "", errors.NetworkServiceUnavailable),
    ],
)
def test_neutron_faults_have_the_classes_that_nova_knows(status, kind, error):
    body = {"NeutronError": {"type": kind, "message": "why", "detail": ""}} if kind else None
    made = error_for(status, body, About("do it", port_id="p", network_id="n"), is_admin=False)
    assert type(made) is error


def test_a_fault_that_is_a_bare_string_is_still_told():
    assert "no way" in str(error_for(400, {"NeutronError": "no way"}, About("do it"), is_admin=False))
