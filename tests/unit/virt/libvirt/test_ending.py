"""When a guest that was asked to stop has stopped."""

from __future__ import annotations

from typing import Any

import pytest

from computed.states import PowerState
from computed.virt.libvirt import ending
from computed.virt.specs import GuestState


class GuestThatEnds:
    """Once asked, it says that it is off from the second look on; its process ends with the third."""

    def __init__(self) -> None:
        self.asked, self.looks = 0, 0

    def shutdown(self) -> None:
        self.asked += 1

    def state(self) -> GuestState:
        off = self.looks > 1
        return GuestState("uuid", PowerState.SHUTDOWN if off else PowerState.RUNNING, None)

    def is_active(self) -> bool:
        self.looks += 1
        return self.looks < 3


@pytest.mark.parametrize(("seconds", "stops"), [(10.0, True), (0.5, False)])
def test_it_has_stopped_when_its_process_has_ended(seconds: float, stops: bool) -> None:
    now = [0.0]

    def sleep(pause: float) -> None:
        now[0] += pause

    guest: Any = GuestThatEnds()
    assert ending.ask_to_stop(guest, seconds, 0, clock=lambda: now[0], sleep=sleep) is stops
    assert guest.asked == 1
