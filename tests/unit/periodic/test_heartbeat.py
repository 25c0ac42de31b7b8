"""The heartbeat counts, survives everything, and says when it is lost and when it is back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from computed import errors
from computed.periodic.heartbeat import Heartbeat


class Record:
    def __init__(self) -> None:
        self.report_count = 0
        self.saved: list[int] = []
        self.trouble: Exception | None = None
        self.was_saved = threading.Event()

    def save(self) -> None:
        if self.trouble:
            raise self.trouble
        self.saved.append(self.report_count)
        self.was_saved.set()


def test_each_beat_counts_one_up() -> None:
    record = Record()
    heartbeat = Heartbeat(record, 10)
    heartbeat.beat()
    heartbeat.beat()
    assert record.saved == [1, 2]


def test_the_first_beat_comes_at_once_and_stop_ends_it() -> None:
    record = Record()
    heartbeat = Heartbeat(record, 3600)
    heartbeat.start()
    assert record.was_saved.wait(5)
    heartbeat.stop()
    heartbeat._thread.join(5)
    assert not heartbeat._thread.is_alive()


@pytest.mark.parametrize(
    ("trouble", "level", "times"),
    [
        (errors.ConductorTimeout("nobody answers"), "WARNING", 1),
        (errors.ConductorUnavailable("no broker"), "WARNING", 1),
        (errors.ServiceNotFound(service_id=1), "WARNING", 1),
        (RuntimeError("odd"), "ERROR", 3),
    ],
)
def test_a_loss_and_its_end_are_told(
    trouble: Exception, level: str, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    record: Any = Record()
    heartbeat = Heartbeat(record, 10)
    record.trouble = trouble
    for _ in range(3):
        heartbeat.beat()
    assert [r.levelname for r in caplog.records] == [level] * times
    record.trouble = None
    caplog.clear()
    heartbeat.beat()
    heartbeat.beat()
    assert [r.getMessage() for r in caplog.records] == ["The heartbeat is back"]
    assert record.saved == [4, 5]
