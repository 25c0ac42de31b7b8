"""Finds the driver that `compute_driver` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from computed import errors

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.port import Driver

NOT_BUILT = ("libvirt.LibvirtDriver", "ironic.IronicDriver", "vmwareapi.VMwareVCDriver", "zvm.ZVMDriver")


def plugs_interfaces(conf: cfg.ConfigOpts) -> bool:
    """Whether the driver that `compute_driver` names has os-vif plug interfaces into switches."""
    return bool(conf.compute_driver) and not conf.compute_driver.startswith("fake.")


def load_driver(conf: cfg.ConfigOpts) -> Driver:
    """The driver named by `compute_driver`, not yet initialised.

    Raises ConfigError when the option is not set, names no driver, or one that is not built yet.
    """
    name = conf.compute_driver
    if not name:
        raise errors.ConfigError("compute_driver is not set; set it to fake.FakeDriver or another driver")
    if name in NOT_BUILT:
        raise errors.ConfigError(f"compute_driver = {name}: this driver is not built yet")
    family, _, variant_name = name.partition(".")
    if family == "fake":
        from computed.virt.fake.driver import FakeDriver
        from computed.virt.fake.variants import VARIANTS

        if variant_name in VARIANTS:
            return FakeDriver(conf, VARIANTS[variant_name])
        known = ", ".join(f"fake.{variant}" for variant in VARIANTS)
        raise errors.ConfigError(f"compute_driver = {name}: no such fake driver; known are {known}")
    raise errors.ConfigError(
        f"compute_driver = {name}: no such driver; fake.FakeDriver and its variants are known"
    )
