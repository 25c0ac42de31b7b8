"""Section [mdev_TYPE]: one section for each mediated device type that is enabled."""

from oslo_config import cfg


def group_name(mdev_type: str) -> str:
    """The section of one device type."""
    return f"mdev_{mdev_type}"


def options(mdev_type: str) -> list[cfg.Opt]:
    """The options of one device type; the addresses may stand in the section's former name."""
    former = cfg.DeprecatedOpt("device_addresses", group=f"vgpu_{mdev_type}")
    return [
        cfg.ListOpt(
            "device_addresses",
            default=[],
            deprecated_opts=[former],
            help="PCI addresses of the devices that provide this type.",
        ),
        cfg.IntOpt("max_instances", min=1, help="Most mediated devices of this type."),
        cfg.StrOpt(
            "mdev_class",
            default="VGPU",
            regex=r"^(VGPU|CUSTOM_[A-Z0-9_]+)$",
            max_length=255,
            help="Resource class under which this type is offered.",
        ),
    ]
