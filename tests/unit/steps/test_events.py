"""Waiting for external events: early, late, failed, never, cancelled."""

import threading
from types import SimpleNamespace

import pytest

from computed import errors
from computed.steps.events import ExternalEvents

UUID = "00000001-0000-4000-8000-000000000001"
PLUGGED = ("network-vif-plugged", "port-1")


def event(name="network-vif-plugged", tag="port-1", status="completed", uuid=UUID):
    return SimpleNamespace(instance_uuid=uuid, name=name, tag=tag, status=status)


def test_an_event_that_comes_before_the_wait_counts():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as expected:
        assert events.deliver(event())
        assert expected.missing() == []
        expected.wait(0)


def test_an_event_that_comes_during_the_wait_wakes_it():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as expected:
        timer = threading.Timer(0.05, events.deliver, [event()])
        timer.start()
        expected.wait(5)
        timer.join()


@pytest.mark.parametrize(
    "other", [event(tag="port-2"), event(name="network-changed"), event(uuid=UUID[:-1] + "2")]
)
def test_another_event_does_not_count(other):
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as expected:
        assert not events.deliver(other)
        with pytest.raises(errors.InstanceEventTimeout):
            expected.wait(0)
        assert expected.missing() == [PLUGGED]


def test_one_deadline_for_all():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED, ("network-vif-plugged", "port-2")]) as expected:
        events.deliver(event())
        with pytest.raises(errors.InstanceEventTimeout):
            expected.wait(0.01)


def test_a_failed_event_fails_the_wait():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as expected:
        events.deliver(event(status="failed"))
        with pytest.raises(errors.NovaException, match="failed"):
            expected.wait(1)


def test_two_operations_may_wait_for_the_same():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as first, events.expect(UUID, [PLUGGED]) as second:
        assert events.deliver(event())
        first.wait(0)
        second.wait(0)
    assert not events.deliver(event())


def test_an_event_that_came_before_it_was_named_counts():
    events = ExternalEvents()
    with events.expect(UUID, []) as expected:
        assert not events.deliver(event())
        expected.wait(0)
        expected.also([PLUGGED])
        expected.wait(0)


def test_a_later_expectation_does_not_see_earlier_events():
    events = ExternalEvents()
    with events.expect(UUID, []):
        events.deliver(event())
    with events.expect(UUID, [PLUGGED]) as expected:
        assert expected.missing() == [PLUGGED]


def test_taking_the_instance_away_ends_its_waits():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as expected:
        events.forget(UUID)
        with pytest.raises(errors.ShuttingDown, match="taken away"):
            expected.wait(1)


def test_shutdown_ends_waits_and_refuses_new_ones():
    events = ExternalEvents()
    with events.expect(UUID, [PLUGGED]) as expected:
        events.cancel_all()
        with pytest.raises(errors.ShuttingDown):
            expected.wait(1)
    with pytest.raises(errors.ShuttingDown), events.expect(UUID, [PLUGGED]):
        pass
