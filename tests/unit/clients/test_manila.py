"""ManilaShares: what it asks of manila over HTTP, and what it makes of the answers."""

import json

import pytest
import requests
from oslo_config import cfg

from computed import conf as computed_conf
from computed import errors
from computed.clients.manila import ManilaShares
from computed.clients.shares import ShareAccess
from computed.context import get_admin_context
from computed.embedded.placement_app import mount

URL = "http://manila.test/v2"
SHARE = "33333333-3333-4333-8333-333333333333"
RULE = {
    "id": "rule-1",
    "access_type": "cephx",
    "access_to": "nova-0123456789abcdef",
    "access_level": "rw",
    "access_key": "a-secret",
    "state": "active",
}
ACCESS = ShareAccess("rule-1", "cephx", "nova-0123456789abcdef", "rw", "active", "a-secret")


class Manila:
    """Answers with the same thing; remembers what it was asked."""

    def __init__(self, status=200, answer=None):
        self.status, self.answer, self.asked = status, answer, []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read() or b"null"
        path = environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ["QUERY_STRING"] else "")
        version = environ["HTTP_X_OPENSTACK_MANILA_API_VERSION"]
        self.asked.append((environ["REQUEST_METHOD"], path, version, json.loads(body)))
        if self.status == "lost":
            raise requests.exceptions.ConnectionError("aborted")
        start_response(f"{self.status} X", [("content-type", "application/json")])
        if isinstance(self.answer, bytes):
            return [self.answer]
        return [] if self.answer is None else [json.dumps(self.answer).encode()]


def asking(manila):
    from keystoneauth1 import session, token_endpoint
    from keystoneauth1.adapter import Adapter

    http = requests.Session()
    mount(http, manila, url=URL)
    login = session.Session(auth=token_endpoint.Token(URL, "t"), session=http)
    adapter = Adapter(login, endpoint_override=URL, raise_exc=False)
    return ManilaShares(conf_of_tests(), adapters=lambda context: adapter)


def conf_of_tests():
    options = cfg.ConfigOpts()
    computed_conf.register_all(options)
    options([], project="computed-test")
    return options


def test_rules_are_listed():
    manila = Manila(answer={"access_list": [RULE, {**RULE, "id": "rule-2", "access_key": None}]})
    found = asking(manila).rules(get_admin_context(), SHARE)
    assert found[0] == ACCESS and found[1].key is None
    assert manila.asked == [("GET", f"/v2/share-access-rules?share_id={SHARE}", "2.82", None)]
    assert "a-secret" not in repr(found)


def test_a_rule_is_made_and_locked():
    manila = Manila(answer={"access": RULE})
    asking(manila).allow(get_admin_context(), SHARE, "cephx", RULE["access_to"], reason="because")
    wanted = {
        "access_type": "cephx",
        "access_to": RULE["access_to"],
        "access_level": "rw",
        "lock_visibility": True,
        "lock_deletion": True,
        "lock_reason": "because",
    }
    assert manila.asked == [("POST", f"/v2/shares/{SHARE}/action", "2.82", {"allow_access": wanted})]


def test_a_rule_is_taken_away_though_it_is_locked():
    manila = Manila(202)
    asking(manila).deny(get_admin_context(), SHARE, ACCESS)
    body = {"deny_access": {"access_id": "rule-1", "unrestrict": True}}
    assert manila.asked == [("POST", f"/v2/shares/{SHARE}/action", "2.82", body)]


def test_another_access_than_was_asked_for_is_an_error():
    manila = Manila(answer={"access": {**RULE, "access_level": "ro"}})
    with pytest.raises(errors.ShareAccessGrantError):
        asking(manila).allow(get_admin_context(), SHARE, "cephx", RULE["access_to"], reason="")


CALLS = {
    "rules": lambda shares: shares.rules(get_admin_context(), SHARE),
    "allow": lambda shares: shares.allow(get_admin_context(), SHARE, "ip", "192.0.2.1", reason=""),
    "deny": lambda shares: shares.deny(get_admin_context(), SHARE, ACCESS),
}
REFUSALS = {
    "rules": errors.ShareNotFound,
    "allow": errors.ShareAccessGrantError,
    "deny": errors.ShareAccessRemovalError,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, None),
        (409, None),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.ShareNotFound),
        (500, errors.ManilaConnectionFailed),
        (503, errors.ManilaConnectionFailed),
        ("lost", errors.ManilaConnectionFailed),
    ],
)
def test_refusals_have_the_classes_that_nova_knows(call, status, error):
    manila = Manila(status, {"fault": {"message": "no", "code": status}})
    with pytest.raises(error or REFUSALS[call]):
        CALLS[call](asking(manila))


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'{"a": 1}'])
def test_words_of_a_proxy_do_not_hide_the_status(answer):
    with pytest.raises(errors.ManilaConnectionFailed):
        asking(Manila(502, answer)).rules(get_admin_context(), SHARE)


def test_an_answer_that_is_no_json_is_none():
    with pytest.raises(errors.ManilaConnectionFailed):
        asking(Manila(200, b"<html>")).rules(get_admin_context(), SHARE)


def test_without_a_user_of_its_own_there_is_no_manila():
    assert ManilaShares(conf_of_tests()).is_configured is False


def test_with_a_user_there_is(tmp_path):
    file = tmp_path / "nova.conf"
    file.write_text(
        "[manila]\nauth_type = password\nauth_url = http://keystone.test\nusername = nova\npassword = x\n"
        "project_name = service\nuser_domain_name = Default\nproject_domain_name = Default\n"
    )
    options = cfg.ConfigOpts()
    computed_conf.register_all(options)
    options([], project="computed-test", default_config_files=[str(file)])
    assert ManilaShares(options).is_configured is True


def test_a_section_that_makes_no_sense_is_none(tmp_path, caplog):
    file = tmp_path / "nova.conf"
    file.write_text("[manila]\nauth_type = no-such-thing\n")
    options = cfg.ConfigOpts()
    computed_conf.register_all(options)
    options([], project="computed-test", default_config_files=[str(file)])
    assert ManilaShares(options).is_configured is False
    assert "[manila]" in caplog.text
