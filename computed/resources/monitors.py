"""What [DEFAULT]compute_monitors measures of a host: the load of its processors, for schedulers to weigh."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from oslo_utils import timeutils

from computed import errors, objects

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.port import Driver
    from computed.virt.specs import HostCpuTimes

LOG = logging.getLogger(__name__)

_NAMESPACE: Final = "nova.compute.monitors."
_KNOWN: Final = "cpu.virt_driver"


class CpuMonitor:
    """Asks the driver for what the host's processors have done, and says what share of the time that was."""

    def __init__(
        self, driver: Driver, source: str, *, now: Callable[[], datetime] = timeutils.utcnow
    ) -> None:
        self._driver = driver
        self._source = source
        self._now = now
        self._before: dict[str, int] = {}

    def measure(self) -> list[objects.MonitorMetric]:
        """The values now. None where the driver cannot say them, or no time has passed; never raises."""
        try:
            times = self._driver.host_cpu_times()
        except NotImplementedError:
            LOG.debug("The driver does not know what the host's processors do")
            return []
        except Exception as error:
            LOG.warning("What the host's processors do is not known: %s", error)
            return []
        before, self._before = self._before, _by_name(times)
        shares = _percents(before, self._before)
        if not shares:
            return []
        values = {f"cpu.{name}.time": spent for name, spent in self._before.items()}
        values |= shares | {"cpu.frequency": times.frequency_mhz}
        when = self._now()
        return [
            objects.MonitorMetric(name=name, value=value, timestamp=when, source=self._source)
            for name, value in values.items()
        ]


def monitor_of(conf: cfg.ConfigOpts, driver: Driver) -> CpuMonitor | None:
    """The configured monitor; raises ConfigError for one that is not there."""
    for name in conf.compute_monitors:
        short = name.removeprefix(_NAMESPACE)
        if (short if "." in short else f"cpu.{short}") != _KNOWN:
            raise errors.ConfigError(f"[DEFAULT]compute_monitors: there is no {name}, only {_KNOWN}")
    return CpuMonitor(driver, conf.compute_driver) if conf.compute_monitors else None


def _by_name(times: HostCpuTimes) -> dict[str, int]:
    return {"user": times.user, "kernel": times.kernel, "idle": times.idle, "iowait": times.iowait}


def _percents(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    spent = {name: now[name] - before.get(name, 0) for name in now}
    total = sum(spent.values())
    if total <= 0:
        return {}
    percents = {f"cpu.{name}.percent": 100 * each // total for name, each in spent.items()}
    return {**percents, "cpu.percent": 100 * (total - spent["idle"]) // total}
