"""Lists every option for oslo-config-generator."""

from oslo_config import cfg

from computed.conf import SECTIONS, identity, mdev, neutron_physnet


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options by section, sections in alphabetical order after DEFAULT."""
    listed: dict[str, list[cfg.Opt]] = {section.GROUP: list(section.OPTS) for section in SECTIONS}
    for group in identity.IDENTITIES:
        listed.setdefault(group, []).extend(identity.declared(group))
    listed[mdev.group_name("TYPE").lower()] = mdev.options("TYPE")
    listed[neutron_physnet.group_name("NAME").lower()] = list(neutron_physnet.OPTS)
    return sorted(listed.items(), key=lambda item: (item[0] != "DEFAULT", item[0]))
