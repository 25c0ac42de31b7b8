"""The agent's threads share the C library's memory instead of each keeping some."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from computed.cmd.memory import be_frugal

if sys.argv[1] == "frugal":
    be_frugal()
libc = ctypes.CDLL(None)
together = threading.Barrier(4)


def use():
    together.wait()
    for _ in range(100):
        libc.malloc(3000)
    together.wait()


threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def arenas(how: str, **environ: str) -> int:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={**plain, **environ}
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_threads_share_one_arena_unless_the_operator_says_otherwise() -> None:
    assert arenas("not") > 1
    assert arenas("frugal") == 1
    assert arenas("frugal", MALLOC_ARENA_MAX="8") > 1
