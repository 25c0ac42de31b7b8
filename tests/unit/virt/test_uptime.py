"""The uptime line, as uptime(1) would write it."""

import pytest

from computed.virt import uptime


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (120, "up 2 min,"),
        (3 * 3600 + 240, "up  3:04,"),
        (86400 + 60, "up 1 day, 1 min,"),
        (3 * 86400 + 12 * 3600, "up 3 days, 12:00,"),
    ],
)
def test_line(seconds, words):
    text = uptime.line("10:15:01", seconds, (0.1, 0.25, 3))
    assert text == f" 10:15:01 {words}  0 users,  load average: 0.10, 0.25, 3.00\n"


def test_this_machine_is_up():
    assert " up " in uptime.read()
