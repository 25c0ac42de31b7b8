"""The troubles that the fake driver is told to make: failures, delays and crashes (section [fake])."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from computed import errors

if TYPE_CHECKING:
    from oslo_config import cfg


@dataclass(frozen=True)
class FailRule:
    """One failure to make: in `operation`, for instances that `pattern` fits, at most `times` for each."""

    operation: str
    pattern: str
    error: type[errors.NovaException]
    times: int | None

    @classmethod
    def parse(cls, text: str) -> FailRule:
        """Read OPERATION:PATTERN[:ERROR[:TIMES]]; raises ConfigError naming the text."""
        parts = text.split(":")
        if not 2 <= len(parts) <= 4 or not all(part.strip() for part in parts):
            raise errors.ConfigError(f"[fake]fail: {text!r} is not OPERATION:PATTERN[:ERROR[:TIMES]]")
        name = parts[2] if len(parts) > 2 else "NovaException"
        error = errors.lookup(name)
        if error is None:
            raise errors.ConfigError(f"[fake]fail: {text!r}: there is no error called {name}")
        if len(parts) > 3 and not parts[3].isdigit():
            raise errors.ConfigError(f"[fake]fail: {text!r}: {parts[3]!r} is not a number of times")
        return cls(parts[0], parts[1], error, int(parts[3]) if len(parts) > 3 else None)

    def fits(self, operation: str, names: Sequence[str]) -> bool:
        """Whether this rule is about `operation` on something called one of `names`."""
        return self.operation == operation and any(fnmatchcase(name, self.pattern) for name in names)


class Orders:
    """Carries out what [fake] orders. Options are read at every operation, so that they may change."""

    def __init__(self, conf: cfg.ConfigOpts, always_fail: Sequence[str] = ()) -> None:
        self._conf = conf
        self._always_fail = tuple(always_fail)
        self._rules: dict[str, FailRule] = {}
        self._made: Counter[tuple[FailRule, str]] = Counter()
        self._guard = threading.Lock()

    def check(self) -> None:
        """Raise ConfigError if an order cannot be understood."""
        self._current_rules()
        _delays(self._conf.fake.delays)

    def delay_of(self, operation: str) -> float:
        """The seconds that `operation` is ordered to take."""
        return _delays(self._conf.fake.delays).get(operation, 0.0)

    @contextmanager
    def around(self, operation: str, instance: Any = None, *, delays: bool = True) -> Iterator[None]:
        """Delay, crash or fail as ordered for `operation` on `instance`, else run the block.

        With `delays` off the block itself takes the time that `delay_of` tells."""
        self._crash(f"{operation}.before")
        delay_seconds = self.delay_of(operation) if delays else 0.0
        if delay_seconds:
            time.sleep(delay_seconds)
        self._fail(operation, instance)
        yield
        self._crash(f"{operation}.after")

    def _fail(self, operation: str, instance: Any) -> None:
        names = (instance.uuid, instance.display_name or "") if instance is not None else ("",)
        for rule in self._current_rules():
            if rule.fits(operation, names) and self._due(rule, names[0]):
                kwargs = {"instance_uuid": names[0], "instance_id": names[0]}
                raise rule.error(f"{operation} fails as ordered by [fake]fail", **kwargs)

    def _due(self, rule: FailRule, key: str) -> bool:
        with self._guard:
            if rule.times is not None and self._made[rule, key] >= rule.times:
                return False
            self._made[rule, key] += 1
            return True

    def _current_rules(self) -> list[FailRule]:
        texts = (*self._always_fail, *self._conf.fake.fail)
        for text in texts:
            if text not in self._rules:
                self._rules[text] = FailRule.parse(text)
        return [self._rules[text] for text in texts]

    def _crash(self, point: str) -> None:
        if point in self._conf.fake.crash:
            os.kill(os.getpid(), signal.SIGKILL)


def _delays(option: Mapping[str, str]) -> dict[str, float]:
    try:
        return {operation: float(seconds) for operation, seconds in option.items()}
    except ValueError:
        raise errors.ConfigError(f"[fake]delays: {dict(option)} has a value that is no number") from None
