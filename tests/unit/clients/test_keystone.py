"""Adapters: whose token goes where, to which address, with which request id."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from computed.clients import keystone
from tests.unit.clients.keystone_cloud import USER, Cloud


@pytest.fixture
def cloud():
    return Cloud()


def context(token="user-token", catalog=(), project_id="p1"):
    return SimpleNamespace(
        auth_token=token,
        service_catalog=list(catalog),
        global_id="req-11111111-1111-1111-1111-111111111111",
        to_dict=lambda: {"project_id": project_id},
    )


USERS = f"[placement]{USER.format(name='placement')}[neutron]{USER.format(name='neutron')}"
ENDPOINTS = [{"publicURL": "http://neutron.ctx", "region": "one"}]
CATALOG = [{"type": "network", "name": "n", "endpoints": ENDPOINTS}]


def test_admin_of_the_section_on_the_internal_endpoint(load, cloud):
    adapter = keystone.adapter_for(load(USERS), "placement", admin=True)
    answer = adapter.get("/x")
    (request,) = cloud.requests
    assert answer.status_code == 503
    assert (request["HTTP_HOST"], request["PATH_INFO"]) == ("placement.internal", "/x")
    assert request["HTTP_X_AUTH_TOKEN"] == "token-of-placement"
    assert request["HTTP_ACCEPT"] == "application/json"


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ("region_name = two", "placement.two"),
        ("valid_interfaces = public", "placement.public"),
        ("valid_interfaces = admin,public", "placement.public"),
        ("endpoint_override = http://elsewhere", "elsewhere"),
    ],
)
def test_options_that_choose_the_endpoint(load, cloud, options, host):
    conf = load(f"[placement]{USER.format(name='placement')}{options}\n")
    keystone.adapter_for(conf, "placement", admin=True).get("/")
    assert cloud.requests[0]["HTTP_HOST"] == host


def test_the_caller_with_its_own_token_catalogue_and_request_id(load, cloud):
    keystone.adapter_for(load(USERS), "neutron", context(catalog=CATALOG)).get("/")
    (request,) = cloud.requests
    assert request["HTTP_HOST"] == "neutron.ctx"
    assert request["HTTP_X_AUTH_TOKEN"] == "user-token"
    assert request["HTTP_X_OPENSTACK_REQUEST_ID"] == "req-11111111-1111-1111-1111-111111111111"
    assert "HTTP_X_SERVICE_TOKEN" not in request
    assert cloud.logins == []


def test_a_service_that_the_callers_catalogue_lacks_is_found_by_our_own_login(load, cloud):
    keystone.adapter_for(load(USERS), "neutron", context()).get("/")
    (request,) = cloud.requests
    assert (request["HTTP_HOST"], request["HTTP_X_AUTH_TOKEN"]) == ("neutron.public", "user-token")


@pytest.mark.parametrize("who", [context(token=None), context(token="")])
def test_a_context_without_token_acts_as_the_section(load, cloud, who):
    keystone.adapter_for(load(USERS), "neutron", who).get("/")
    assert cloud.requests[0]["HTTP_X_AUTH_TOKEN"] == "token-of-neutron"


def test_admin_wins_over_the_callers_token(load, cloud):
    keystone.adapter_for(load(USERS), "neutron", context(catalog=CATALOG), admin=True).get("/")
    assert cloud.requests[0]["HTTP_X_AUTH_TOKEN"] == "token-of-neutron"


def test_the_service_token_goes_beside_the_callers(load, cloud):
    conf = load(f"{USERS}[service_user]\nsend_service_user_token = true\n{USER.format(name='nova')}")
    keystone.adapter_for(conf, "neutron", context(catalog=CATALOG)).get("/")
    (request,) = cloud.requests
    assert request["HTTP_X_AUTH_TOKEN"] == "user-token"
    assert request["HTTP_X_SERVICE_TOKEN"] == "token-of-nova"


def test_a_service_token_without_a_user_is_left_out_with_a_warning(load, cloud, caplog):
    conf = load(f"{USERS}[service_user]\nsend_service_user_token = true\n")
    keystone.adapter_for(conf, "neutron", context(catalog=CATALOG)).get("/")
    assert "HTTP_X_SERVICE_TOKEN" not in cloud.requests[0]
    assert "send_service_user_token" in caplog.text


@pytest.mark.parametrize(
    ("servers", "hosts"),
    [("glance1:9292", {"glance1:9292"}), ("https://g1, http://g2", {"g1", "g2"})],
)
def test_glance_api_servers(load, cloud, servers, hosts):
    conf = load(f"[glance]\napi_servers = {servers}\n")
    for _ in range(40):
        keystone.adapter_for(conf, "glance", context()).get("/v2/images")
    assert {request["HTTP_HOST"] for request in cloud.requests} == hosts


def test_cinder_by_catalogue_and_by_template(load, cloud):
    conf = load(f"[cinder]{USER.format(name='cinder')}")
    keystone.adapter_for(conf, "cinder", context()).get("/volumes")
    conf.set_override("endpoint_template", "http://vol/v3/%(project_id)s", group="cinder")
    keystone.adapter_for(conf, "cinder", context()).get("/volumes")
    assert [(r["HTTP_HOST"], r["PATH_INFO"]) for r in cloud.requests] == [
        ("cinder.public", "/v3/p1/volumes"),
        ("vol", "/v3/p1/volumes"),
    ]


def test_timeouts_and_retries(load):
    options = "connect_retries = 7\ntimeout = 5\n[neutron]\nhttp_retries = 2\n"
    conf = load(f"[placement]{USER.format(name='p')}{options}")
    assert keystone._identity(conf, "placement").session.timeout == 5
    assert keystone.adapter_for(conf, "placement", admin=True).connect_retries == 7
    assert keystone._identity(conf, "neutron").session.timeout == keystone.DEFAULT_TIMEOUT_SECONDS
    assert keystone.adapter_for(conf, "neutron", context()).connect_retries == 2


def test_one_session_for_all_threads(load):
    conf = load(USERS)
    keystone.forget_sessions()
    sessions = []
    threads = [
        threading.Thread(target=lambda: sessions.append(keystone._identity(conf, "placement").session))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(sessions) == 8
    assert len({id(session) for session in sessions}) == 1


def test_an_unknown_section_is_an_error(load):
    with pytest.raises(KeyError):
        keystone.adapter_for(load(""), "libvirt")


def test_importing_the_clients_does_not_import_keystoneauth():
    modules = "sys, computed.clients.keystone, computed.clients.placement"
    code = f"import {modules}; print('keystoneauth1' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
