"""What is measured of a host's processors, and which monitors there are."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from oslo_config import cfg

from computed import errors
from computed.conf import register_all
from computed.resources.monitors import CpuMonitor, monitor_of
from computed.virt.specs import HostCpuTimes

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


class Driver:
    """Answers one thing after the other; an error is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def host_cpu_times(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return HostCpuTimes(*answer, frequency_mhz=2400)


def monitor(*answers):
    return CpuMonitor(Driver(*answers), "libvirt.LibvirtDriver", now=lambda: NOW)


def values(metrics):
    return {metric.name: metric.value for metric in metrics}


def test_times_since_the_start_and_shares_since_the_last_look():
    measuring = monitor((10, 20, 60, 10), (20, 20, 80, 20))
    assert values(measuring.measure()) == {
        "cpu.user.time": 10,
        "cpu.kernel.time": 20,
        "cpu.idle.time": 60,
        "cpu.iowait.time": 10,
        "cpu.user.percent": 10,
        "cpu.kernel.percent": 20,
        "cpu.idle.percent": 60,
        "cpu.iowait.percent": 10,
        "cpu.percent": 40,
        "cpu.frequency": 2400,
    }
    after = values(measuring.measure())
    assert (after["cpu.user.time"], after["cpu.user.percent"], after["cpu.percent"]) == (20, 25, 50)


def test_how_it_is_told():
    told = {metric.name: metric.told() for metric in monitor((10, 20, 60, 10)).measure()}
    when = {"timestamp": "2026-11-21T12:30:00.000000", "source": "libvirt.LibvirtDriver"}
    assert told["cpu.percent"] == {"name": "cpu.percent", "value": 0.4, **when}
    assert told["cpu.idle.time"] == {"name": "cpu.idle.time", "value": 60, **when}


@pytest.mark.parametrize("failure", [NotImplementedError(), errors.HypervisorUnavailable("gone")])
def test_a_driver_that_cannot_say(failure):
    measuring = monitor(failure, (1, 1, 1, 1))
    assert measuring.measure() == []
    assert measuring.measure() != []


def test_without_time_there_are_no_shares():
    measuring = monitor((1, 1, 1, 1), (1, 1, 1, 1))
    assert measuring.measure() != []
    assert measuring.measure() == []


@pytest.mark.parametrize("name", ["virt_driver", "cpu.virt_driver", "nova.compute.monitors.cpu.virt_driver"])
def test_the_monitor_by_its_names(name):
    assert monitor_of(conf_of(name), SimpleNamespace()) is not None


def test_no_monitor_unless_it_is_named():
    assert monitor_of(conf_of(), SimpleNamespace()) is None


def test_a_monitor_that_is_not_there():
    with pytest.raises(errors.ConfigError, match=r"compute_monitors: there is no numa_mem_bw.virt_driver"):
        monitor_of(conf_of("cpu.virt_driver", "numa_mem_bw.virt_driver"), SimpleNamespace())


def conf_of(*names):
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override("compute_monitors", list(names))
    return conf
