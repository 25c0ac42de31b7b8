"""A host whose libvirt has answered once and for all: what it said was recorded from a real one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg

from computed import objects
from computed.conf import register_all

SAMPLE = Path(__file__).parent / "samples" / "libvirt_9_qemu.json"
UUID = "7d3827d4-3e98-427f-80b1-43a5e251513c"

objects.register_all()


class RecordedConnection:
    """Answers what was recorded; what was not asked then is a KeyError. `said` replaces answers."""

    def __init__(self, **said: Any) -> None:
        self.generation = 1
        self.asked: list[str] = []
        self.figures: list[tuple[str, Mapping[str, Any]]] = []
        self._said = said
        self._recorded = {_key(method, arguments): answer for method, arguments, answer in _recorded()}

    def call(self, method: str, *arguments: Any) -> Any:
        self.asked.append(method)
        answer = self._said[method] if method in self._said else self._recorded[_key(method, arguments)]
        if isinstance(answer, Exception):
            raise answer
        return answer(*arguments) if callable(answer) else answer

    def statistics(self, groups: int, flags: int = 0) -> list[tuple[str, Mapping[str, Any]]]:
        self.asked.append("statistics")
        return self.figures

    def say(self, **said: Any) -> None:
        """From now on libvirt says something else."""
        self._said.update(said)


class Domain:
    """As much of a virDomain as a list of libvirt's tells without a further question."""

    def __init__(self, uuid: str = UUID, number: int = -1) -> None:
        self._uuid = uuid
        self._number = number

    def UUIDString(self) -> str:
        return self._uuid

    def ID(self) -> int:
        return self._number


def conf_of(directory: Path, **said: Any) -> cfg.ConfigOpts:
    """Options; `compute__cpu_shared_set` is [compute]cpu_shared_set."""
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    values = {"instances_path": str(directory), "state_path": str(directory), "libvirt__virt_type": "qemu"}
    for name, value in {**values, **said}.items():
        group, _, option = name.rpartition("__")
        conf.set_override(option, value, group=group or None)
    return conf


def answer(method: str, *arguments: Any) -> Any:
    """One recorded answer."""
    return RecordedConnection().call(method, *arguments)


def _recorded() -> list[tuple[str, list[Any], Any]]:
    found: list[tuple[str, list[Any], Any]] = json.loads(SAMPLE.read_text())
    return found


def _key(method: str, arguments: Any) -> str:
    # How exactly a processor is spelled is another test's matter; there is one in the recording.
    return method if method == "baselineCPU" else json.dumps([method, list(arguments)])
