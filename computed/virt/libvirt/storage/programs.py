"""Runs the programs that write file systems."""

from __future__ import annotations

import os
from typing import Final

from oslo_concurrency import processutils

from computed import errors

_ADMIN_DIRECTORIES: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where file-system makers are; not on the path of an ordinary user."""


_LIMITS: Final = processutils.ProcessLimits(cpu_time=300, address_space=4 << 30)
"""Some of them read what a tenant has written."""


def run(program: str, *arguments: str, **environment: str) -> None:
    """Run one. Raises ImageToolFailed with its name and what it said."""
    run_accepting((0,), program, *arguments, **environment)


def run_accepting(exit_codes: tuple[int, ...], program: str, *arguments: str, **environment: str) -> None:
    """Run one of which more exit codes than 0 are no failure. Raises as `run` does."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_DIRECTORIES}"
    variables = {**os.environ, "LC_ALL": "C", **environment, "PATH": path}
    try:
        processutils.execute(
            program, *arguments, env_variables=variables, check_exit_code=list(exit_codes), prlimit=_LIMITS
        )
    except processutils.ProcessExecutionError as error:
        said = (error.stderr or error.description or "").strip() or f"exit code {error.exit_code}"
        raise errors.ImageToolFailed(f"{program}: {said}") from error
    except OSError as error:
        raise errors.ImageToolFailed(f"{program} cannot be run: {error}") from error
