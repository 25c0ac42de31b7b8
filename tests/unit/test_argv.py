"""Reading single options from a command line."""

import pytest

from computed.lib.argv import option_values


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--config-file", "a", "--config-file=b"], ["a", "b"]),
        (["--debug", "--config-file", "a", "--config-dir", "d"], ["a"]),
        (["--config-file"], []),
        (["--config-files=a", "--config-file-x", "b"], []),
        (["--config-file", "--config-file", "a"], ["--config-file"]),
        (["--config-file=a=b"], ["a=b"]),
        ([], []),
    ],
)
def test_values_in_order(argv: list[str], expected: list[str]) -> None:
    assert list(option_values(argv, "--config-file")) == expected
