"""A neutron that answers as the real one did: exchanges recorded from neutron 29, replayed over WSGI."""

import copy
import json
import urllib.parse
from pathlib import Path

import requests
from oslo_config import cfg

from computed import conf as computed_conf
from computed.clients.neutron import NeutronNetwork
from computed.context import RequestContext
from computed.embedded.placement_app import mount
from computed.objects.instance import Instance
from computed.objects.instance_info_cache import InstanceInfoCache
from computed.objects.network_model import NetworkInfo
from computed.objects.network_request import NetworkRequest, NetworkRequestList

RECORDED = json.loads((Path(__file__).parent / "data" / "neutron.json").read_text())
URL = "http://neutron.test"
LOST = "lost"
"""Instead of a recorded status: the connection breaks before an answer comes."""


def scenario(name):
    """A copy of a recorded scenario, to be replayed as it is or with changes."""
    return copy.deepcopy(RECORDED[name])


class Neutron:
    """Expects the exchanges in their order, with the same token, path, query and body."""

    def __init__(self, exchanges):
        self.expected = list(exchanges)
        self.served = []

    def __call__(self, environ, start_response):
        request = {
            "as": environ["HTTP_X_AUTH_TOKEN"].removeprefix("token-of-"),
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "params": sorted([k, v] for k, v in urllib.parse.parse_qsl(environ["QUERY_STRING"])),
            "body": json.loads(environ["wsgi.input"].read() or "null"),
        }
        self.served.append(request)
        assert self.expected, f"nothing more was to be asked, but came {request}"
        exchange = self.expected.pop(0)
        wanted = {key: exchange[key] for key in request}
        assert request == {**wanted, "params": sorted(wanted["params"])}
        if exchange["status"] == LOST:
            raise requests.exceptions.ConnectionError("aborted")
        start_response(f"{exchange['status']} X", [("content-type", "application/json")])
        answer = exchange["answer"]
        if isinstance(answer, str):
            return [answer.encode()]
        return [] if answer is None else [json.dumps(answer).encode()]


def conf_of_tests():
    options = cfg.ConfigOpts()
    computed_conf.register_all(options)
    options([], project="computed-test")
    options.set_override("host", "netprobe")
    options.set_override("http_retries", 0, group="neutron")
    return options


def adapter(app, token):
    from keystoneauth1 import session, token_endpoint
    from keystoneauth1.adapter import Adapter

    http = requests.Session()
    mount(http, app, url=URL)
    login = session.Session(auth=token_endpoint.Token(URL, f"token-of-{token}"), session=http)
    return Adapter(login, endpoint_override=URL, raise_exc=False)


class Replay:
    """One or more scenarios played through a NeutronNetwork; `network` outlives them, as in an agent."""

    def __init__(self, conf):
        self.neutron = Neutron([])
        self.network = NeutronNetwork(
            conf, adapters=lambda context, admin: adapter(self.neutron, "admin" if admin else "user")
        )

    def expect(self, played):
        self.neutron.expected = list(played["exchanges"])
        self.neutron.served = []

    def allocate(self, played, *, context=None, cache=(), **kwargs):
        self.expect(played)
        return self.network.allocate(
            context or context_of(played),
            instance_of(played, cache),
            host=played["host"],
            requested=requests_of(played),
            security_groups=played["security_groups"],
            **kwargs,
        )

    def run(self, method, played, *, context=None, **kwargs):
        self.expect(played)
        call = getattr(self.network, method)
        return call(context or context_of(played), instance_of(played, played["cache"]), **kwargs)

    def done(self):
        """Everything that was recorded has been asked."""
        return not self.neutron.expected


def requests_of(played):
    if played["requested"] is None:
        return None
    return NetworkRequestList(objects=[NetworkRequest(**r) for r in played["requested"]])


def context_of(played, **kwargs):
    project_id = played["instance"]["project_id"]
    return RequestContext(user_id="u", project_id=project_id, auth_token="user-token", **kwargs)


def instance_of(played, cache=()):
    instance = Instance(**played["instance"])
    instance.info_cache = InstanceInfoCache(
        instance_uuid=instance.uuid, network_info=NetworkInfo.hydrate(list(cache))
    )
    return instance
