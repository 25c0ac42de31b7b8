"""Section [vnc]: VNC consoles."""

from oslo_config import cfg, types

GROUP = "vnc"
OPTS = [
    cfg.BoolOpt(
        "enabled",
        default=True,
        deprecated_name="vnc_enabled",
        deprecated_group="DEFAULT",
        help="Offer VNC consoles.",
    ),
    cfg.URIOpt(
        "novncproxy_base_url",
        default="http://127.0.0.1:6080/vnc_auto.html",
        deprecated_group="DEFAULT",
        help="Address of the console proxy, as users reach it.",
    ),
    cfg.StrOpt(
        "novncproxy_host",
        default="0.0.0.0",
        deprecated_group="DEFAULT",
        help="Address the console proxy listens on; not used by a compute.",
    ),
    cfg.PortOpt(
        "novncproxy_port",
        default=6080,
        deprecated_group="DEFAULT",
        help="Port the console proxy listens on; not used by a compute.",
    ),
    cfg.HostAddressOpt(
        "server_listen", default="127.0.0.1", help="Address on which guests' VNC servers listen."
    ),
    cfg.HostAddressOpt(
        "server_proxyclient_address",
        default="127.0.0.1",
        help="Address of this host, as the console proxy reaches it.",
    ),
    cfg.ListOpt(
        "auth_schemes",
        default=["none"],
        item_type=types.String(choices=["none", "vencrypt"]),
        help="How the console proxy proves itself to guests' VNC servers, best first.",
    ),
    cfg.StrOpt("vencrypt_ca_certs", help="Certificate authority for VNC over TLS."),
    cfg.StrOpt("vencrypt_client_cert", help="Client certificate for VNC over TLS."),
    cfg.StrOpt("vencrypt_client_key", help="Private key of that certificate."),
]
