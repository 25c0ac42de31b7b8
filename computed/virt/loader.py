"""Finds the driver that `compute_driver` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from computed import errors
from computed.virt.collaborators import NOBODY, Collaborators

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.port import Driver

LIBVIRT = "libvirt.LibvirtDriver"
NOT_BUILT = ("ironic.IronicDriver", "vmwareapi.VMwareVCDriver", "zvm.ZVMDriver")


def plugs_interfaces(conf: cfg.ConfigOpts) -> bool:
    """Whether the driver that `compute_driver` names has os-vif plug interfaces into switches."""
    return bool(conf.compute_driver) and not conf.compute_driver.startswith("fake.")


def load_driver(conf: cfg.ConfigOpts, collaborators: Collaborators = NOBODY) -> Driver:
    """The driver named by `compute_driver`, not yet initialised; it may ask the `collaborators`.

    Raises ConfigError when the option is not set, names no driver, or one that is not built yet.
    """
    name = conf.compute_driver
    if not name:
        raise errors.ConfigError("compute_driver is not set; set it to fake.FakeDriver or another driver")
    if name in NOT_BUILT:
        raise errors.ConfigError(f"compute_driver = {name}: this driver is not built yet")
    if name == LIBVIRT:
        # Not at the top: another driver's host may have neither libvirt-python nor lxml.
        from computed.virt.libvirt.driver import LibvirtDriver

        return LibvirtDriver(conf, collaborators)
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
