"""Section [pci]: PCI devices for instances."""

from oslo_config import cfg

GROUP = "pci"
OPTS = [
    cfg.MultiStrOpt(
        "alias",
        default=[],
        deprecated_name="pci_alias",
        deprecated_group="DEFAULT",
        help="An alias by which flavors ask for PCI devices, in JSON.",
    ),
    cfg.MultiStrOpt(
        "device_spec",
        default=[],
        deprecated_opts=[
            cfg.DeprecatedOpt("pci_passthrough_whitelist", group="DEFAULT"),
            cfg.DeprecatedOpt("passthrough_whitelist", group="pci"),
        ],
        help="PCI devices that instances may get, in JSON.",
    ),
    cfg.BoolOpt("report_in_placement", default=False, help="Offer PCI devices through placement."),
]
