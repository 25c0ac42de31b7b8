"""CyborgAccelerators: what it asks of cyborg over HTTP, and what it makes of the answers."""

import json

import pytest
import requests

from computed import errors
from computed.clients.cyborg import CyborgAccelerators
from computed.context import get_admin_context
from computed.embedded.placement_app import mount

URL = "http://cyborg.test/v2"
ARQ = {"uuid": "arq-1", "state": "Bound", "attach_handle_type": "PCI"}


class Cyborg:
    def __init__(self, status=200, answer=None):
        self.status, self.answer, self.asked = status, answer, []

    def __call__(self, environ, start_response):
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]))
        if self.status == "lost":
            raise requests.exceptions.ConnectionError("aborted")
        start_response(f"{self.status} X", [("content-type", "application/json")])
        if isinstance(self.answer, bytes):
            return [self.answer]
        return [] if self.answer is None else [json.dumps(self.answer).encode()]


def asking(cyborg):
    from keystoneauth1 import session, token_endpoint
    from keystoneauth1.adapter import Adapter

    http = requests.Session()
    mount(http, cyborg, url=URL)
    login = session.Session(auth=token_endpoint.Token(URL, "t"), session=http)
    adapter = Adapter(login, endpoint_override=URL, raise_exc=False)
    return CyborgAccelerators(None, adapters=lambda context: adapter)


CONTEXT = get_admin_context()
PATH = "/v2/accelerator_requests"


def test_the_requests_of_an_instance_are_listed():
    cyborg = Cyborg(answer={"arqs": [ARQ]})
    assert asking(cyborg).requests_of(CONTEXT, "uuid-1") == [ARQ]
    assert cyborg.asked == [("GET", PATH, "instance=uuid-1")]


def test_requests_are_deleted_by_instance_or_by_name():
    cyborg = Cyborg(204)
    asking(cyborg).delete_of(CONTEXT, "uuid-1")
    asking(cyborg).delete(CONTEXT, ["arq-1", "arq-2"])
    assert cyborg.asked == [("DELETE", PATH, "instance=uuid-1"), ("DELETE", PATH, "arqs=arq-1%2Carq-2")]


def test_what_is_gone_is_as_good_as_deleted():
    asking(Cyborg(404)).delete(CONTEXT, ["arq-1"])
    asking(Cyborg(404)).delete_of(CONTEXT, "uuid-1")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, "lost"])
def test_a_list_that_cannot_be_had_is_not_an_empty_one(status):
    with pytest.raises(errors.AcceleratorRequestOpFailed):
        asking(Cyborg(status)).requests_of(CONTEXT, "uuid-1")


@pytest.mark.parametrize("status", [400, 401, 403, 500, "lost"])
def test_a_delete_that_fails_says_so(status):
    with pytest.raises(errors.AcceleratorRequestOpFailed):
        asking(Cyborg(status)).delete_of(CONTEXT, "uuid-1")


@pytest.mark.parametrize("answer", [b"<html>", {"other": []}, [1], None])
def test_an_answer_that_is_none_of_cyborgs(answer):
    with pytest.raises(errors.AcceleratorRequestOpFailed):
        asking(Cyborg(200, answer)).requests_of(CONTEXT, "uuid-1")
