"""The last lines of a console log."""

import pytest

from computed.operations.console import tail

LOG = b"one\ntwo\nthree"


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (None, LOG),
        (1, b"three"),
        (2, b"two\nthree"),
        ("2", b"two\nthree"),
        (99, LOG),
        (0, b""),
        (-1, LOG),
        ("-1", LOG),
        ("many", b""),
    ],
)
def test_tail(length, expected):
    assert tail(LOG, length) == expected
