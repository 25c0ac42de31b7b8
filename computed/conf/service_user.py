"""Section [service_user]: the user in whose name this service acts beside the caller."""

from oslo_config import cfg

GROUP = "service_user"
OPTS = [
    cfg.BoolOpt(
        "send_service_user_token",
        default=False,
        help="Send a token of this service with the caller's, so that long work survives its expiry.",
    ),
]
