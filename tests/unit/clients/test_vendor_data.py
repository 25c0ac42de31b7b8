"""DynamicVendorData: what it asks of services over HTTP, as whom, and what it makes of their answers."""

import json
from types import SimpleNamespace

import pytest
import requests

from computed import errors
from computed.clients.vendor_data import DynamicVendorData
from tests.unit.clients.keystone_cloud import USER, Cloud

PROVIDERS = "[api]\nvendordata_providers = StaticJSON,DynamicJSON\n"
TARGETS = f"{PROVIDERS}vendordata_dynamic_targets = asset@http://asset.test/of, dns@http://u:hidden@dns.test/\n"
INSTANCE = SimpleNamespace(
    project_id="p1",
    uuid="00000031-0000-4000-8000-000000000031",
    image_ref="00000032-0000-4000-8000-000000000032",
    user_data="IyE=",
    hostname="web",
    metadata={"role": "web"},
    system_metadata={"boot_roles": "member,reader"},
)


class Services(Cloud):
    """Keystone and the operator's services, each of which answers by its host's name."""

    def __init__(self):
        super().__init__()
        self.answers = {"asset.test": (200, b'{"number": 7}'), "dns.test": (200, b'["web.example"]')}
        self.bodies = []

    def __call__(self, environ, start_response):
        answer = self.answers.get(environ["HTTP_HOST"].rpartition("@")[2])
        if answer is None:
            return super().__call__(environ, start_response)
        self.requests.append(environ)
        self.bodies.append(json.load(environ["wsgi.input"]))
        status, content = answer
        if status == "lost":
            raise requests.exceptions.ConnectionError("http://u:hidden@dns.test/ aborted")
        start_response(f"{status} X", [("content-type", "application/json")])
        return [content]


@pytest.fixture
def services():
    return Services()


@pytest.fixture
def cloud(services):
    return services


@pytest.fixture
def make(load):
    return lambda text: DynamicVendorData(load(text))


def test_every_target_is_told_of_the_instance_and_answers_under_its_name(make, services):
    assert make(TARGETS).of(INSTANCE) == {"asset": {"number": 7}, "dns": ["web.example"]}
    told = {
        "project-id": "p1",
        "instance-id": INSTANCE.uuid,
        "image-id": INSTANCE.image_ref,
        "user-data": "IyE=",
        "hostname": "web",
        "metadata": {"role": "web"},
        "boot-roles": "member,reader",
    }
    assert services.bodies == [told, told]
    asset, dns = services.requests
    assert (asset["REQUEST_METHOD"], asset["PATH_INFO"]) == ("POST", "/of")
    assert asset["HTTP_USER_AGENT"] == "openstack-nova-vendordata"
    assert "HTTP_X_AUTH_TOKEN" not in asset
    assert dns["HTTP_HOST"].endswith("dns.test")


def test_a_user_of_the_section_shows_who_asks(make, services):
    make(f"{TARGETS}[vendordata_dynamic_auth]{USER.format(name='nova')}").of(INSTANCE)
    assert [request["HTTP_X_AUTH_TOKEN"] for request in services.requests] == ["token-of-nova"] * 2
    assert services.logins == ["nova"]


@pytest.mark.parametrize("answer", [(500, b"{}"), (404, b""), (200, b"<html>"), ("lost", b"")])
def test_a_service_that_fails_is_named_and_the_guest_does_without(make, services, caplog, answer):
    services.answers["dns.test"] = answer
    assert make(TARGETS).of(INSTANCE) == {"asset": {"number": 7}, "dns": {}}
    assert INSTANCE.uuid in caplog.text and "no vendor data of dns" in caplog.text
    assert "hidden" not in caplog.text


def test_an_empty_answer_is_no_failure(make, services, caplog):
    services.answers["dns.test"] = (204, b"")
    assert make(TARGETS).of(INSTANCE)["dns"] == {}
    assert caplog.text == ""


@pytest.mark.parametrize(("answer", "why"), [((500, b"{}"), "HTTP 500"), (("lost", b""), "ConnectFailure")])
def test_where_the_operator_says_so_the_guest_is_not_built(make, services, answer, why):
    services.answers["dns.test"] = answer
    with pytest.raises(errors.InstanceDeployFailure, match=why) as caught:
        make(f"{TARGETS}vendordata_dynamic_failure_fatal = true\n").of(INSTANCE)
    assert "hidden" not in str(caught.value)


def test_nobody_is_asked_unless_the_provider_is_named(make, services):
    assert make(TARGETS.replace("StaticJSON,DynamicJSON", "StaticJSON")).of(INSTANCE) == {}
    assert make(PROVIDERS).of(INSTANCE) == {}
    assert services.requests == []


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ("http://u.test", "target 1 is not"),
        ("a@http://u, @http://v", "target 2 is not"),
        ("a@", "is not NAME@URL"),
        ("a@http://u, a@http://v", "a stands there twice"),
    ],
)
def test_a_wrong_target_is_an_error_at_start(make, targets, why):
    with pytest.raises(errors.ConfigError, match=why):
        make(f"{PROVIDERS}vendordata_dynamic_targets = {targets}\n")
