"""What the driver takes from the configuration, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from computed import errors
from computed.conf import register_all
from computed.virt.libvirt import options


def conf_of(**libvirt: Any) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override("instances_path", "/instances")
    for name, value in libvirt.items():
        conf.set_override(name, value, group="libvirt")
    return conf


@pytest.mark.parametrize(
    ("said", "uri", "disks"),
    [
        ({"virt_type": "qemu"}, "qemu:///system", "qcow2"),
        ({"virt_type": "kvm", "images_type": "flat"}, "qemu:///system", "raw"),
        ({"virt_type": "kvm", "connection_uri": "qemu:///session"}, "qemu:///session", "qcow2"),
        ({"virt_type": "lxc", "images_type": "qcow2"}, "lxc:///", "raw"),
    ],
)
def test_where_libvirt_is_and_how_disks_are_written(said: dict[str, Any], uri: str, disks: str) -> None:
    read = options.read(conf_of(**said), cache_mode="none")
    assert (read.uri, read.storage.local_format) == (uri, disks)


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ({"images_type": "rbd"}, "images_type = rbd"),
        ({"virt_type": "lxc", "uid_maps": ["0:1000:10"]}, "uid_maps"),
        ({"disk_cachemodes": ["file=warm"]}, "disk_cachemodes"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(said: dict[str, Any], option: str) -> None:
    with pytest.raises(errors.ConfigError, match=option):
        options.read(conf_of(**said), cache_mode="none")


@pytest.mark.parametrize(
    ("group", "name"), [("glance", "verify_glance_signatures"), ("libvirt", "cpu_power_management")]
)
def test_what_somebody_relies_on_and_is_not_built_is_refused_by_its_name(group: str, name: str) -> None:
    conf = conf_of()
    conf.set_override(name, True, group=group)
    with pytest.raises(errors.ConfigError, match=rf"\[{group}\]{name} = True"):
        options.read(conf, cache_mode="none")
