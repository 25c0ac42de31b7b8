"""Section [api]: what guests are told of themselves on their config drives.

The section belongs to nova's API service; its other options are accepted unread.
"""

from oslo_config import cfg

GROUP = "api"
OPTS = [
    cfg.StrOpt(
        "config_drive_skip_versions",
        default="1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 2007-12-15 2008-02-01 2008-09-01",
        help="Versions of the EC2 tree that config drives do not have, with spaces between them.",
    ),
    cfg.StrOpt(
        "dhcp_domain",
        default="novalocal",
        help="Domain that follows the host name which a guest is told; empty for none.",
    ),
    cfg.ListOpt(
        "vendordata_providers",
        item_type=cfg.types.String(choices=["StaticJSON", "DynamicJSON"]),
        default=["StaticJSON"],
        help="Where vendor data come from: a file, or services that are asked.",
    ),
    cfg.StrOpt("vendordata_jsonfile_path", help="File with vendor data for every guest."),
    cfg.ListOpt(
        "vendordata_dynamic_targets",
        default=[],
        help="Services that are asked for vendor data, written NAME@URL.",
    ),
    cfg.StrOpt(
        "vendordata_dynamic_ssl_certfile",
        default="",
        help="Certificate file or CA bundle by which those services are known.",
    ),
    cfg.IntOpt(
        "vendordata_dynamic_connect_timeout",
        default=5,
        min=3,
        help="Seconds that connecting to such a service may take.",
    ),
    cfg.IntOpt(
        "vendordata_dynamic_read_timeout",
        default=5,
        min=0,
        help="Seconds that such a service may take to answer.",
    ),
    cfg.BoolOpt(
        "vendordata_dynamic_failure_fatal",
        default=False,
        help="Whether a guest without its dynamic vendor data is not built.",
    ),
]
