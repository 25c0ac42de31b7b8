"""The options of the service: nova's names, one module for each section of the file.

``CONF`` knows every option that the agent itself reads as soon as this package is imported. The options
of libraries are registered by their libraries; those of keystoneauth, which is slow to import, by
``computed.conf.identity.register`` when a client needs them.
"""

from importlib import import_module
from types import ModuleType

from oslo_config import cfg

CONF = cfg.CONF

_NAMES = """
    default alone api cinder compute conductor consoleauth devices ephemeral_storage_encryption fake
    filter_scheduler glance guestfs image_cache key_manager libvirt manila metrics mks neutron
    neutron_tunnel notifications pci scheduler serial_console service_user spice upgrade_levels vnc
    workarounds
"""

SECTIONS: tuple[ModuleType, ...] = tuple(import_module(f"{__name__}.{name}") for name in _NAMES.split())
"""The modules of this package that have options, one per section."""


def register_all(conf: cfg.ConfigOpts) -> None:
    """Make every section's options known to ``conf``; calling it again changes nothing."""
    for section in SECTIONS:
        conf.register_opts(section.OPTS, group=None if section.GROUP == "DEFAULT" else section.GROUP)


register_all(CONF)
