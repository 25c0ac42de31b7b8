"""What the placement client makes of a placement that does not answer."""

from types import SimpleNamespace

import pytest
from keystoneauth1 import exceptions

from computed import errors
from computed.clients.placement import PlacementClient

CONTEXT = SimpleNamespace(global_id="req-1")


class Adapter:
    """Answers with what it is given: a status, or an exception to raise."""

    additional_headers = None

    def __init__(self, outcome):
        self.outcome, self.sent = outcome, []

    def request(self, path, method, **kwargs):
        self.sent.append((method, path, kwargs))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return SimpleNamespace(status_code=self.outcome, text="x", json=dict)


@pytest.mark.parametrize(
    "outcome",
    [
        exceptions.ConnectFailure("refused"),
        exceptions.ConnectTimeout("slow"),
        exceptions.Unauthorized("no"),
        exceptions.MissingAuthPlugin("none"),
        exceptions.DiscoveryFailure("none"),
        exceptions.EndpointNotFound("none"),
        502,
        503,
        504,
    ],
)
def test_no_answer_is_one_error(outcome):
    client = PlacementClient(Adapter(outcome))
    with pytest.raises(errors.PlacementAPIConnectFailure):
        client.get_allocations(CONTEXT, "c")
    assert client.requests == 1


def test_a_defect_of_our_own_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        PlacementClient(Adapter(ZeroDivisionError())).get_allocations(CONTEXT, "c")


def test_an_adapter_is_made_at_the_first_request_and_again_after_a_missing_endpoint():
    made = []

    def make():
        made.append(Adapter(exceptions.EndpointNotFound("none") if not made else 204))
        return made[-1]

    client = PlacementClient(make_adapter=make)
    assert made == []
    with pytest.raises(errors.PlacementAPIConnectFailure):
        client.delete_allocations(CONTEXT, "c")
    assert client.delete_allocations(CONTEXT, "c")
    assert client.delete_allocations(CONTEXT, "c")
    assert [len(adapter.sent) for adapter in made] == [1, 2]


def test_a_failed_login_is_no_answer_either_and_is_tried_again():
    outcomes = [exceptions.MissingRequiredOptions([SimpleNamespace(dest="auth_url")]), Adapter(204)]

    def make():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    client = PlacementClient(make_adapter=make)
    with pytest.raises(errors.PlacementAPIConnectFailure):
        client.delete_allocations(CONTEXT, "c")
    assert client.delete_allocations(CONTEXT, "c")


def test_headers_and_microversions():
    adapter = Adapter(204)
    client = PlacementClient(adapter)
    client.delete_allocations(CONTEXT, "c")
    client.put_allocations(None, "c", {"allocations": {}})
    (_, _, plain), (_, _, versioned) = adapter.sent
    assert plain["headers"] == {"X-OpenStack-Request-ID": "req-1"}
    assert plain["microversion"] is None
    assert versioned["headers"] == {}
    assert versioned["microversion"] == "1.28"
    assert not plain["raise_exc"]


def test_an_adapter_or_a_way_to_make_one():
    with pytest.raises(TypeError):
        PlacementClient()
    with pytest.raises(TypeError):
        PlacementClient(Adapter(204), make_adapter=lambda: Adapter(204))
