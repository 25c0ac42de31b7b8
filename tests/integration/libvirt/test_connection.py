"""The connection to a libvirt that refuses, stands still, dies and comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.codes import Failure, Stats
from computed.virt.libvirt.connection import Connection
from computed.virt.libvirt.opening import is_alive
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.libvirt.spectator import LEAST_DOMAIN, QUICK, SILENCE_SECONDS, Spectator, Ticker, until

DEFAULT = "test:///default"


@pytest.fixture
def connection() -> Iterator[Connection]:
    """libvirt's test driver, in this process."""
    made = Spectator().connect(DEFAULT)
    yield made
    made.close()


@pytest.fixture
def libvirtd(own_libvirtd: OwnLibvirtd) -> Iterator[OwnLibvirtd]:
    yield own_libvirtd
    own_libvirtd.recover()


def test_a_domain_lives_and_ends(connection: Connection) -> None:
    guest = connection.define(LEAST_DOMAIN.format(name="short-lived"))
    assert not guest.is_active() and guest.is_persistent() and guest.id is None
    assert guest.state().power_state == PowerState.SHUTDOWN
    guest.start()
    assert guest.state().power_state == PowerState.RUNNING and guest.id is not None
    guest.pause()
    assert connection.guest(guest.uuid).state().power_state == PowerState.PAUSED
    guest.resume()
    assert guest.domain().name == "short-lived"
    assert guest.statistics(Stats.STATE)["state.state"] == 1
    assert guest.uuid in {uuid for uuid, _ in connection.statistics(Stats.STATE)}
    guest.destroy()
    guest.destroy()
    guest.undefine()
    assert guest.uuid not in {each.uuid for each in connection.guests()}
    with pytest.raises(errors.InstanceNotFound, match=guest.uuid):
        guest.state()


def test_what_libvirt_refuses_is_told_in_its_words_and_nowhere_else(
    connection: Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(errors.LibvirtFailed) as broken:
        connection.define("<domain")
    assert broken.value.code == Failure.XML_DETAIL
    guest = connection.define(LEAST_DOMAIN.format(name="idle"))
    with pytest.raises(errors.LibvirtFailed) as idle:
        guest.pause()
    assert "not running" in str(idle.value)
    with pytest.raises(errors.InstanceNotFound):
        connection.guest(str(uuid.uuid4()))
    guest.undefine()
    assert capfd.readouterr().err == ""


def test_a_definition_comes_back_after_a_transient_block(connection: Connection) -> None:
    guest = connection.define(LEAST_DOMAIN.format(name="changeling"))
    guest.start()
    with pytest.raises(RuntimeError, match="planted"), guest.transient():
        assert not guest.is_persistent()
        raise RuntimeError("planted")
    assert guest.is_persistent() and guest.is_active()
    guest.destroy()
    guest.undefine()


def test_no_libvirt_is_not_no_guests(tmp_path: Path) -> None:
    seen = Spectator()
    connection = Connection(
        f"test+unix:///default?socket={tmp_path}/none", on_reachable=seen.note, patience=QUICK
    )
    with pytest.raises(errors.HypervisorUnavailable):
        connection.open()
    with pytest.raises(errors.HypervisorUnavailable):
        connection.guests()
    with pytest.raises(errors.HypervisorUnavailable):
        connection.statistics(Stats.STATE)
    until(lambda: seen.told, "the news")
    time.sleep(3 * QUICK.retry_seconds)
    assert seen.states == [False]
    assert seen.told[0][1] is not None and "Failed to connect to libvirt" in seen.told[0][1]
    connection.close()


def test_a_silent_libvirt_is_given_up_and_found_again(libvirtd: OwnLibvirtd) -> None:
    seen = Spectator()
    connection = seen.connect(libvirtd.uri(DEFAULT))
    guest = connection.guests()[0]
    libvirtd.freeze()
    began = time.monotonic()
    with Ticker() as ticker:
        with pytest.raises(errors.HypervisorUnavailable):
            connection.guests()
        with pytest.raises(errors.HypervisorUnavailable):
            guest.state()
    assert time.monotonic() - began < SILENCE_SECONDS + QUICK.open_seconds + 3
    assert ticker.longest_pause_seconds < 1
    until(lambda: seen.states == [True, False], "the bad news")
    libvirtd.thaw()
    until(lambda: seen.states == [True, False, True], "the good news, though nobody calls")
    assert guest.state().power_state == PowerState.RUNNING
    connection.close()


def test_a_call_that_fails_for_no_known_reason_is_one_of_a_lost_libvirt(libvirtd: OwnLibvirtd) -> None:
    """libvirt forgets its own error now and then when it gives a connection up amid a call."""
    seen = Spectator()
    connection = seen.connect(libvirtd.uri(DEFAULT))

    def fail(raw: Any) -> None:
        libvirtd.kill()
        until(lambda: not is_alive(raw), "the end of the connection")
        forgotten = libvirt.libvirtError("virConnectListAllDomains() failed")
        text = "An error occurred, but the cause is unknown"
        forgotten.err = (Failure.INTERNAL_ERROR, libvirt.VIR_FROM_NONE, text, 2, None, None, None, -1, -1)
        raise forgotten

    with pytest.raises(errors.HypervisorUnavailable):
        connection.perform(None, fail)
    until(lambda: seen.states == [True, False], "the bad news")
    connection.close()


def test_a_killed_libvirt_is_found_again_and_guests_stay_usable(libvirtd: OwnLibvirtd) -> None:
    seen = Spectator()
    connection = seen.connect(libvirtd.uri(DEFAULT))
    guest = connection.guests()[0]
    libvirtd.kill()
    until(lambda: seen.states == [True, False], "the bad news")
    with pytest.raises(errors.HypervisorUnavailable):
        guest.state()
    libvirtd.start()
    until(lambda: seen.states == [True, False, True], "the good news")
    assert guest.state().power_state == PowerState.RUNNING
    assert connection.generation == 2
    connection.close()


def test_whoever_is_in_a_call_when_libvirt_dies_is_told_so(libvirtd: OwnLibvirtd) -> None:
    connection = Spectator().connect(libvirtd.uri(DEFAULT))
    libvirtd.freeze()
    outcomes: list[BaseException | None] = []

    def ask() -> None:
        try:
            connection.guests()
        except errors.HypervisorUnavailable as error:
            outcomes.append(error)
        else:
            outcomes.append(None)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    libvirtd.kill()
    for thread in threads:
        thread.join(10)
    assert len(outcomes) == 5 and None not in outcomes
    connection.close()


@pytest.mark.long
def test_many_calls_at_once_outlive_a_libvirt_that_falls_silent(
    libvirtd: OwnLibvirtd,
) -> None:
    """libvirt before 10.4 crashes its client then, if two calls share a connection (CVE-2024-4418)."""
    words = [sys.executable, "-m", "tests.integration.libvirt.busy_client", libvirtd.uri(DEFAULT)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None and client.stdout.readline() == "asking\n"
        for _ in range(3):
            time.sleep(0.5)
            libvirtd.freeze()
            time.sleep(SILENCE_SECONDS + QUICK.open_seconds)
            libvirtd.thaw()
        time.sleep(1)
        said, _ = client.communicate(timeout=30)
    assert client.returncode == 0
    assert said.split() == ["True", "True", "False"]


@pytest.mark.long
def test_opening_is_bounded_and_one_try_waits_however_many_ask(libvirtd: OwnLibvirtd) -> None:
    libvirtd.freeze()
    seen = Spectator()
    connection = Connection(libvirtd.uri(DEFAULT), on_reachable=seen.note, patience=QUICK)
    began = time.monotonic()
    with Ticker() as ticker, pytest.raises(errors.HypervisorUnavailable, match="no answer"):
        connection.open()
    assert time.monotonic() - began < QUICK.open_seconds + 1
    assert ticker.longest_pause_seconds < 1
    threads = len(os.listdir("/proc/self/task"))
    for _ in range(10):
        with pytest.raises(errors.HypervisorUnavailable):
            connection.guests()
        time.sleep(QUICK.retry_seconds / 2)
    assert len(os.listdir("/proc/self/task")) <= threads + 1
    libvirtd.thaw()
    until(lambda: connection.is_reachable, "the connection")
    assert len(connection.guests()) == 1
    connection.close()


def test_closing_does_not_wait_for_a_silent_libvirt(libvirtd: OwnLibvirtd) -> None:
    seen = Spectator()
    patience = QUICK.__class__(keepalive_seconds=30, keepalive_count=5)
    connection = seen.connect(libvirtd.uri(DEFAULT), patience)
    libvirtd.freeze()
    began = time.monotonic()
    connection.close()
    assert time.monotonic() - began < 3
    with pytest.raises(errors.HypervisorUnavailable):
        connection.guests()
    libvirtd.thaw()
