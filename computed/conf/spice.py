"""Section [spice]: SPICE consoles."""

from oslo_config import cfg

GROUP = "spice"
OPTS = [
    cfg.BoolOpt("enabled", default=False, help="Offer SPICE consoles."),
    cfg.BoolOpt("agent_enabled", default=True, help="Give guests a channel for the SPICE agent."),
    cfg.URIOpt(
        "html5proxy_base_url",
        default="http://127.0.0.1:6082/spice_auto.html",
        help="Address of the console proxy, as users reach it.",
    ),
    cfg.HostAddressOpt(
        "html5proxy_host",
        default="0.0.0.0",
        help="Address the console proxy listens on; not used by a compute.",
    ),
    cfg.PortOpt(
        "html5proxy_port", default=6082, help="Port the console proxy listens on; not used by a compute."
    ),
    cfg.URIOpt(
        "spice_direct_proxy_base_url",
        default="http://127.0.0.1:13002/nova",
        help="Address of the proxy for direct SPICE, as users reach it.",
    ),
    cfg.StrOpt("server_listen", default="127.0.0.1", help="Address on which guests' SPICE servers listen."),
    cfg.StrOpt(
        "server_proxyclient_address",
        default="127.0.0.1",
        help="Address of this host, as the console proxy reaches it.",
    ),
    cfg.BoolOpt("require_secure", default=False, help="Refuse SPICE connections without TLS."),
    cfg.StrOpt(
        "image_compression",
        choices=["auto_glz", "auto_lz", "quic", "glz", "lz", "off"],
        advanced=True,
        help="Compression of images.",
    ),
    cfg.StrOpt(
        "jpeg_compression",
        choices=["auto", "never", "always"],
        advanced=True,
        help="Compression of photographs.",
    ),
    cfg.StrOpt(
        "zlib_compression",
        choices=["auto", "never", "always"],
        advanced=True,
        help="Compression of graphics over slow links.",
    ),
    cfg.BoolOpt("playback_compression", advanced=True, help="Compress sound."),
    cfg.StrOpt(
        "streaming_mode",
        choices=["filter", "all", "off"],
        advanced=True,
        help="Which moving pictures are sent as video.",
    ),
]
