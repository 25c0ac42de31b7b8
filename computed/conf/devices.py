"""Section [devices]: mediated devices."""

from oslo_config import cfg

GROUP = "devices"
OPTS = [
    cfg.ListOpt(
        "enabled_mdev_types",
        default=[],
        deprecated_name="enabled_vgpu_types",
        help="Types of mediated devices that instances may get.",
    ),
]
