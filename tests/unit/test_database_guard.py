"""The agent may not open a database; tried in a process of its own, for the guard cannot be taken off."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("sqlalchemy")

INSTALL = "from computed.cmd import database_guard; database_guard.install('nova-compute');"


def _run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import logging; logging.basicConfig();{script}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "attempt",
    [
        "import sqlalchemy as s; s.create_engine('sqlite://')",
        "from sqlalchemy import create_engine as f; f('sqlite://')",
        "from sqlalchemy.engine import engine_from_config as f; f({'sqlalchemy.url': 'sqlite://'})",
    ],
)
@pytest.mark.parametrize("is_imported", [True, False])
def test_no_engine_is_made(attempt: str, is_imported: bool) -> None:
    early = "import sqlalchemy;" if is_imported else ""
    said = _run(
        f"{early}{INSTALL}\n"
        f"from computed import errors\n"
        f"try:\n    {attempt}\n    print('opened')\n"
        f"except errors.DBNotAllowed as error: print('refused', error)"
    )
    assert "refused nova-compute may not open a database" in said
    assert "opened" not in said
    assert "tried to open a database" in said
    assert "Stack (most recent call last)" in said


def test_without_an_attempt_nothing_is_imported() -> None:
    assert "False" in _run(f"{INSTALL}import sys; print('sqlalchemy' in sys.modules)")


def test_the_rest_of_the_library_works() -> None:
    assert "1" in _run(f"{INSTALL}import sqlalchemy; print(sqlalchemy.select(sqlalchemy.literal(1)))")
