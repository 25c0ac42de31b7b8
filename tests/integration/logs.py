"""What services wrote to their logs since a moment."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \d+ (?P<level>[A-Z]+) ")
_BAD = ("ERROR", "CRITICAL")


class LogWatch:
    """Remembers where the logs of ``services`` end, and reads on from there."""

    def __init__(self, directory: Path, services: Collection[str]) -> None:
        self._from = {
            path: path.stat().st_size if path.exists() else 0
            for path in (directory / f"{service}.log" for service in services)
        }

    def records(self, levels: Collection[str] = _BAD) -> list[str]:
        """Records of these levels, each with the lines that follow it (a traceback)."""
        found = []
        for path, start in self._from.items():
            if not path.exists():
                continue
            with path.open(errors="replace") as log:
                log.seek(start)
                found += [f"{path.name}: {record}" for record in _records(log.read(), levels)]
        return found

    def errors_about(self, words: Collection[str]) -> list[str]:
        """ERROR records that contain one of ``words`` (host names, server ids)."""
        return [record for record in self.records() if any(word in record for word in words)]


def _records(text: str, levels: Collection[str]) -> list[str]:
    records: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        head = _RECORD.match(line)
        if head:
            records.append((head["level"], [line]))
        elif records:
            records[-1][1].append(line)
    return ["\n".join(lines) for level, lines in records if level in levels]
