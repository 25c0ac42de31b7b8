"""Section [consoleauth]: tokens for consoles."""

from oslo_config import cfg

GROUP = "consoleauth"
OPTS = [
    cfg.IntOpt(
        "token_ttl",
        default=600,
        min=0,
        deprecated_name="console_token_ttl",
        deprecated_group="DEFAULT",
        help="Seconds for which a console token is valid.",
    ),
    cfg.BoolOpt(
        "enforce_session_timeout", default=False, help="Close console sessions when their token ends."
    ),
]
