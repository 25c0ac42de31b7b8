"""Bring what is missing: Debian's MariaDB and RabbitMQ, and the control plane's virtual environment."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.integration.plane.processes import run

_HERE = Path(__file__).parent
REQUIREMENTS, CONSTRAINTS = _HERE / "requirements.txt", _HERE / "constraints.txt"

#: program looked for -> Debian package that has it
PROGRAMS = {
    "/usr/sbin/mariadbd": "mariadb-server",
    "/usr/bin/mariadb-install-db": "mariadb-server",
    "/usr/bin/mariadb": "mariadb-client",
    "/usr/sbin/rabbitmq-server": "rabbitmq-server",
    "/usr/bin/epmd": "erlang-base",
}
#: as in setup.cfg's extra `libvirt`; an older one builds against a newer libvirt
BINDING = "libvirt-python>=9.0.0"
#: what pip needs to build libvirt's Python binding
BINDING_PROGRAMS = {
    "/usr/include/libvirt/libvirt.h": "libvirt-dev",
    "/usr/bin/pkg-config": "pkg-config",
    "/usr/bin/gcc": "gcc",
    f"{sysconfig.get_paths()['include']}/Python.h": "python3-dev",
}
_POLICY = Path("/usr/sbin/policy-rc.d")


def say(*words: object) -> None:
    print("[plane]", *words, file=sys.stderr, flush=True)


def default_cache() -> Path:
    """$COMPUTED_INTEGRATION_CACHE or ~/.cache/computed-integration; a directory per pin list and Python."""
    base = os.environ.get("COMPUTED_INTEGRATION_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(base) if base else home / "computed-integration"
    pins = REQUIREMENTS.read_bytes() + CONSTRAINTS.read_bytes() + platform.python_version().encode()
    return root / hashlib.sha256(pins).hexdigest()[:12]


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One run at a time fills a cache directory."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_programs(log: Path, programs: Mapping[str, str] = PROGRAMS) -> None:
    """Install the missing Debian packages; their system services are not started."""
    missing = sorted({package for program, package in programs.items() if not Path(program).exists()})
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise RuntimeError(f"install these packages first: {' '.join(missing)}")
    say("apt:", *missing)
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    # The lanes of a run may miss the same ones.
    with locked(default_cache().parent / "apt"), _services_kept_down():
        _update(log)
        run("apt-get install", install, log, _apt_environment(), 1200)


def update_packages(log: Path) -> None:
    """Fetch the list of what Debian has to offer."""
    with locked(default_cache().parent / "apt"):
        _update(log)


def _update(log: Path) -> None:
    run("apt-get update", ["apt-get", "update", "-q"], log, _apt_environment(), 600)


def _apt_environment() -> dict[str, str]:
    return {"DEBIAN_FRONTEND": "noninteractive", **_proxies()}


@contextlib.contextmanager
def _services_kept_down() -> Iterator[None]:
    """Debian starts a daemon when its package is installed, unless policy-rc.d forbids it."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def ensure_venv(cache: Path, log: Path) -> None:
    """Create ``cache``/venv with the pinned control plane, once."""
    done = cache / "venv" / ".complete"
    if done.exists():
        return
    say("pip: control plane into", cache / "venv")
    shutil.rmtree(cache / "venv", ignore_errors=True)
    base = getattr(sys, "_base_executable", sys.executable)
    run("venv", [base, "-m", "venv", str(cache / "venv")], log, _proxies())
    pip = [str(cache / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", "--no-input"]
    run("pip install", [*pip, "-r", str(REQUIREMENTS), "-c", str(CONSTRAINTS)], log, _proxies(), 1200)
    # Without its bytecode the first import of a module is slow, and many processes would write it at once.
    subprocess.run(
        [
            str(cache / "venv" / "bin" / "python"),
            "-m",
            "compileall",
            "-q",
            "-j",
            "0",
            str(cache / "venv" / "lib"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=600,
    )
    done.touch()


def ensure_binding(python: str, log: Path) -> None:
    """libvirt's Python binding, built against the libvirt of this machine, for the interpreter ``python``."""
    if subprocess.run([python, "-c", "import libvirt"], capture_output=True, timeout=60).returncode == 0:
        return
    say("pip: libvirt-python into", python)
    ensure_programs(log, BINDING_PROGRAMS)
    run("pip install", [python, "-m", "pip", "install", "-q", "--no-input", BINDING], log, _proxies(), 600)


def _proxies() -> dict[str, str]:
    """What reaches the package registries; the daemons themselves get none of it."""
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
