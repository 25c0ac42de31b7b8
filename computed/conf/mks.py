"""Section [mks]: the MKS console."""

from oslo_config import cfg

GROUP = "mks"
OPTS = [
    cfg.BoolOpt("enabled", default=False, help="Offer MKS consoles."),
    cfg.URIOpt(
        "mksproxy_base_url",
        default="http://127.0.0.1:6090/",
        schemes=["http", "https"],
        help="Address of the console proxy, as users reach it.",
    ),
]
