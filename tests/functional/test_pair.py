"""Two hosts in one cloud: each has its own guests, ledger and records; both are reached by name."""

from __future__ import annotations

from collections.abc import Callable

from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.notices import TOLD, Notices


def test_two_hosts_are_two(pair: Cloud) -> None:
    assert sorted(row["host"] for row in pair.rows("Service")) == [HOST, "second"]
    assert len({row["uuid"] for row in pair.rows("ComputeNode")}) == 2
    (here,) = pair.boot(host=HOST)
    (there,) = pair.boot(host="second")
    assert set(pair.host.driver.states()) == {here}
    assert set(pair.agents["second"].host.driver.states()) == {there}
    assert pair.row(there)["node"] == "second"
    role = ConductorRole(pair)
    assert set(role.holds(here)) == {HOST} and set(role.holds(there)) == {"second"}
    pair.delete(here, there)
    assert pair.uuids() == []
    assert not pair.agents["second"].host.driver.states()


def test_calls_go_to_the_host_that_is_named(pair: Cloud) -> None:
    pair.agents["second"].conf.set_override("uptime", "up 42 days", group="fake")
    assert pair.rpc.call("get_host_uptime", server="second") == "up 42 days"
    assert pair.rpc.call("get_host_uptime") != "up 42 days"


def test_notices_name_the_host_that_speaks(make_pair: Callable[..., Cloud]) -> None:
    pair = make_pair(second=TOLD)
    notices = Notices(pair.bus)
    (uuid,) = pair.boot(host="second")
    assert notices.names(uuid) == ["instance.create.start", "instance.create.end"]
    assert {notice.publisher for notice in notices.all()} == {"nova-compute:second"}
