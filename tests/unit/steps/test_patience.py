"""Outliving a conductor that is away for a while."""

import threading

import pytest

from computed import errors
from computed.steps.patience import patiently


class Conductor:
    def __init__(self, failures):
        self.failures = failures
        self.calls = []

    def __call__(self, is_repeated):
        self.calls.append(is_repeated)
        if len(self.calls) <= self.failures:
            raise errors.ConductorTimeout("no answer in time")
        return "done"


def test_it_asks_again_and_says_so():
    conductor = Conductor(1)
    assert patiently("x", conductor, stopping=threading.Event()) == "done"
    assert conductor.calls == [False, True]


def test_it_gives_up_in_the_end():
    conductor = Conductor(99)
    with pytest.raises(errors.ConductorTimeout):
        patiently("x", conductor, stopping=threading.Event(), patience_seconds=0)
    assert len(conductor.calls) == 1


def test_it_gives_up_at_once_when_the_agent_stops():
    stopping = threading.Event()
    stopping.set()
    conductor = Conductor(99)
    with pytest.raises(errors.ConductorTimeout):
        patiently("x", conductor, stopping=stopping)
    assert len(conductor.calls) == 1


def test_other_errors_are_not_repeated():
    calls = []

    def fail(is_repeated):
        calls.append(is_repeated)
        raise errors.InstanceNotFound(instance_id="u")

    with pytest.raises(errors.InstanceNotFound):
        patiently("x", fail, stopping=threading.Event())
    assert calls == [False]
