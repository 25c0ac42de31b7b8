"""Chooses between green threads and threads of the interpreter, before anything else is imported.

Monkey-patching must come first, so this module reads the one option it needs by itself: importing
oslo.config would already import what has to be patched.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from computed.lib import offload
from computed.lib.argv import CONFIG_NAMES, option_values

EVENTLET: Final = "eventlet"
THREADING: Final = "threading"
# What "auto", the default, stands for. A stock agent of this release takes threads of the interpreter; ours
# switches between hundreds of waiting operations at less cost when they are green.
DEFAULT: Final = EVENTLET

# For tests, which run once with each.
ENVIRONMENT: Final = "COMPUTED_CONCURRENCY_BACKEND"
# A stock agent's own switch; it wins over the file there too.
STOCK_ENVIRONMENT: Final = "OS_NOVA_DISABLE_EVENTLET_PATCHING"
_OSLO_ENVIRONMENT: Final = "OS_DEFAULT__CONCURRENCY_BACKEND"
_OPTION: Final = "concurrency_backend"


def peek_concurrency_backend(
    argv: Sequence[str], environ: Mapping[str, str], *, root: Path = Path("/")
) -> str:
    """``eventlet`` or ``threading``: from the environment, else from the files.

    The files are those that ``argv`` names, else those found in the usual places below ``root``.
    Nothing is refused here: a file that cannot be read or a wrong value counts as unset, and the full
    reading of the configuration names it a moment later.
    """
    if environ.get(ENVIRONMENT) in (EVENTLET, THREADING):
        return environ[ENVIRONMENT]
    disabled = environ.get(STOCK_ENVIRONMENT, "").lower()
    if disabled:
        return THREADING if disabled in ("1", "true", "yes") else EVENTLET
    chosen = environ.get(_OSLO_ENVIRONMENT, "")
    if not chosen:
        for path in _files(argv, environ, root):
            chosen = _read_option(path) or chosen
    return chosen if chosen in (EVENTLET, THREADING) else DEFAULT


def patch(backend: str) -> None:
    """Make the standard library green when ``backend`` is eventlet, else keep eventlet out of the process.

    Also tells oslo.service, which oslo.messaging brings along, of the choice: by itself it takes eventlet.
    """
    if backend == EVENTLET:
        # eventlet's own resolver costs memory and start-up time, and knows less than the system's.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
        # The operator has chosen eventlet, and reads of its age in the release notes, not in every log.
        warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
        import eventlet

        eventlet.monkey_patch()
        offload.use(_NativeThreads())
    else:
        sys.meta_path.insert(0, _NoEventlet())
    from oslo_service import backend as oslo_backend

    oslo_backend.init_backend(oslo_backend.BackendType(backend))


class _NativeThreads:
    """Takes blocking calls off the hub of green threads."""

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        from eventlet import tpool

        return tpool.execute(function, *args, **kwargs)

    def start_thread(self, function: Callable[[], None], name: str) -> None:
        from eventlet import patcher

        threading = patcher.original("threading")
        threading.Thread(target=function, name=name, daemon=True).start()


class _NoEventlet(MetaPathFinder):
    """Libraries that merely look whether eventlet is there would load all of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] == EVENTLET:
            raise ModuleNotFoundError("this process runs on native threads", name=fullname)
        return None


def _files(argv: Sequence[str], environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    """The files that oslo.config would read, in its order: later ones win."""
    files = [Path(name) for name in option_values(argv, "--config-file")]
    directories = [Path(name) for name in option_values(argv, "--config-dir")]
    yield from files or (found for names in CONFIG_NAMES for found in _usual_files(names, environ, root))
    for directory in directories or [root / "etc" / p / f"{n}.conf.d" for p, n in _usual_directories()]:
        yield from sorted(directory.glob("*.conf"))


def _usual_files(names: tuple[str, str], environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    project, program = names
    home = Path(environ.get("HOME", "/nonexistent"))
    places = [home / f".{project}", home, root / "etc" / project, root / "etc"]
    for name in (project, program) if project != program else (project,):
        found = (place / f"{name}.conf" for place in places if (place / f"{name}.conf").is_file())
        first = next(found, None)
        if first is not None:
            yield first


def _usual_directories() -> Iterator[tuple[str, str]]:
    for project, program in CONFIG_NAMES:
        yield project, project
        if program != project:
            yield project, program


def _read_option(path: Path) -> str:
    """The option's last value in section [DEFAULT] of ``path``, empty if it has none; sections may repeat."""
    value, section = "", ""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        if line.startswith("["):
            section = line.strip().strip("[]").lower()
        elif section == "default" and not line.startswith((" ", "\t", "#", ";")):
            name, _, text = line.replace(":", "=", 1).partition("=")
            if name.strip().replace("-", "_") == _OPTION:
                value = text.strip().strip("'\"")
    return value
