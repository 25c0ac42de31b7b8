"""Section [serial_console]: serial consoles over the network."""

from oslo_config import cfg

GROUP = "serial_console"
OPTS = [
    cfg.BoolOpt("enabled", default=False, help="Offer serial consoles."),
    cfg.StrOpt(
        "port_range",
        default="10000:20000",
        regex=r"^\d+:\d+$",
        help="Ports that serial consoles may listen on, written FIRST:LAST.",
    ),
    cfg.URIOpt(
        "base_url", default="ws://127.0.0.1:6083/", help="Address of the console proxy, as users reach it."
    ),
    cfg.StrOpt(
        "proxyclient_address",
        default="127.0.0.1",
        help="Address of this host, as the console proxy reaches it.",
    ),
    cfg.StrOpt(
        "serialproxy_host",
        default="0.0.0.0",
        help="Address the console proxy listens on; not used by a compute.",
    ),
    cfg.PortOpt(
        "serialproxy_port", default=6083, help="Port the console proxy listens on; not used by a compute."
    ),
]
