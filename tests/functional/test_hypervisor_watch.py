"""A hypervisor that is lost and found: the service record, placement's trait, what operators have said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from computed.states import PowerState
from computed.steps.hypervisor_watch import HypervisorWatch
from tests.functional.fleet import HOST
from tests.functional.notices import TOLD, Notices

REASON = "Connection to libvirt lost: silence"


def record(cloud: Any) -> dict[str, Any]:
    return cloud.rows("Service", host=HOST, binary="nova-compute")[0]


def told(cloud: Any) -> tuple[bool, str | None]:
    row = record(cloud)
    return row["disabled"], row["disabled_reason"]


def watch(cloud: Any) -> HypervisorWatch:
    found = cloud.agents[HOST].host.hypervisor_watch
    assert isinstance(found, HypervisorWatch)
    found._retry_seconds = 0.05
    return found


def disabled_trait(cloud: Any) -> bool:
    [node] = cloud.rows("ComputeNode", host=HOST)
    traits, _generation = cloud.agents[HOST].host.placement.traits(None, node["uuid"])
    return "COMPUTE_STATUS_DISABLED" in traits


def test_lost_and_found(cloud: Any) -> None:
    watch(cloud).tell(False, REASON)
    cloud.wait(lambda: told(cloud) == (True, f"AUTO: {REASON}"), "the service to be disabled")
    cloud.wait(lambda: disabled_trait(cloud), "the trait")
    watch(cloud).tell(True, None)
    cloud.wait(lambda: told(cloud) == (False, None), "the service to be enabled")
    cloud.wait(lambda: not disabled_trait(cloud), "the trait to be gone")


def test_what_an_operator_has_disabled_stays_so(cloud: Any) -> None:
    row = record(cloud)
    with cloud.embedded.store.transaction() as records:
        records.update("Service", row, {"disabled": True, "disabled_reason": "new fans"})
    watch(cloud).tell(False, REASON)
    watch(cloud).tell(True, None)
    cloud.wait(lambda: watch(cloud)._writer is None, "the watch to be idle")
    assert told(cloud) == (True, "new fans")


def test_it_is_said_again_until_the_conductor_hears_it(cloud: Any) -> None:
    trouble = cloud.trouble("Service", "get_by_compute_host", RuntimeError("planted"), times=2)
    watch(cloud).tell(False, REASON)
    cloud.wait(lambda: told(cloud)[0], "the service to be disabled")
    assert trouble.met == 3


def test_only_the_last_news_counts(cloud: Any) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def hold(proceed: Callable[[], Any]) -> Any:
        entered.set()
        assert go_on.wait(10)
        return proceed()

    trouble = cloud.trouble("Service", "get_by_compute_host", hold)
    watch(cloud).tell(False, REASON)
    assert entered.wait(10)
    watch(cloud).tell(True, None)
    watch(cloud).tell(False, "another reason")
    watch(cloud).tell(True, None)
    go_on.set()
    cloud.wait(lambda: watch(cloud)._writer is None, "the watch to be idle")
    assert trouble.met == 2
    assert told(cloud) == (False, None)


def test_a_service_that_was_lost_when_it_stopped_is_back_when_it_starts(cloud: Any) -> None:
    watch(cloud).tell(False, REASON)
    cloud.wait(lambda: told(cloud)[0], "the service to be disabled")
    cloud.stop_agent()
    cloud.start_agent()
    assert told(cloud)[0], "nobody has said that the hypervisor is there"
    watch(cloud).tell(True, None)
    cloud.wait(lambda: told(cloud) == (False, None), "the service to be enabled")
    cloud.wait(lambda: not disabled_trait(cloud), "the trait to be gone")


def test_before_the_service_is_up_only_bad_news_is_written(cloud: Any) -> None:
    other = HypervisorWatch(retry_seconds=0.05)
    other.connect(cloud.agents[HOST].host)
    other.tell(False, REASON)
    cloud.wait(lambda: told(cloud)[0], "the service to be disabled")
    other.tell(True, None)
    assert other._writer is None or not other._writer.join(0.5)
    assert told(cloud)[0]
    other.serve()
    cloud.wait(lambda: told(cloud) == (False, None), "the service to be enabled")


def test_guests_are_untouched(cloud: Any) -> None:
    [uuid] = cloud.boot()
    watch(cloud).tell(False, REASON)
    cloud.wait(lambda: told(cloud)[0], "the service to be disabled")
    row = cloud.row(uuid)
    assert (row["vm_state"], row["power_state"]) == ("active", PowerState.RUNNING)


def test_that_it_is_lost_is_told_once(make_cloud: Callable[..., Any]) -> None:
    cloud = make_cloud(TOLD)
    versioned, legacy = Notices(cloud.bus), Notices(cloud.bus, "notifications")
    trouble = cloud.trouble("Service", "get_by_compute_host", RuntimeError("planted"), times=2)
    watch(cloud).tell(False, REASON)
    cloud.wait(lambda: told(cloud)[0], "the service to be disabled")
    watch(cloud).tell(True, None)
    cloud.wait(lambda: not told(cloud)[0], "the service to be enabled")
    assert trouble.met >= 3
    [notice] = [each for each in versioned.all() if each.event_type == "libvirt.connect.error"]
    assert notice.payload["reason"]["nova_object.data"]["exception_message"] == REASON
    [notice] = [each for each in legacy.all() if each.event_type == "compute.libvirt.error"]
    assert notice.payload == {"ip": cloud.conf.my_ip, "method": "_connect", "reason": REASON}
