"""Section [neutron]: the network service."""

from oslo_config import cfg

GROUP = "neutron"
OPTS = [
    cfg.StrOpt(
        "ovs_bridge", default="br-int", help="Integration bridge of Open vSwitch for ports that name none."
    ),
    cfg.StrOpt(
        "default_floating_pool", default="nova", help="Pool of floating addresses when none is named."
    ),
    cfg.IntOpt(
        "extension_sync_interval",
        default=600,
        min=0,
        help="Seconds for which neutron's extension list stays cached.",
    ),
    cfg.ListOpt("physnets", default=[], help="Physical networks that have a section of their own."),
    cfg.IntOpt("http_retries", default=3, min=0, help="How often to repeat a request that failed."),
    cfg.BoolOpt(
        "service_metadata_proxy", default=False, help="Trust neutron's metadata proxy; not used by a compute."
    ),
    cfg.StrOpt(
        "metadata_proxy_shared_secret",
        default="",
        secret=True,
        help="Secret shared with neutron's metadata proxy; not used by a compute.",
    ),
]
