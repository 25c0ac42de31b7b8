"""Section [notifications]: notifications about instances."""

from oslo_config import cfg

GROUP = "notifications"
OPTS = [
    cfg.StrOpt(
        "notification_format",
        default="unversioned",
        choices=["both", "versioned", "unversioned"],
        deprecated_group="DEFAULT",
        help="Which form of notifications to send.",
    ),
    cfg.ListOpt(
        "versioned_notifications_topics",
        default=["versioned_notifications"],
        help="Topics of versioned notifications.",
    ),
    cfg.StrOpt(
        "default_level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"],
        deprecated_name="default_notification_level",
        deprecated_group="DEFAULT",
        help="Level of notifications that name none.",
    ),
    cfg.StrOpt(
        "notify_on_state_change",
        choices=[None, "vm_state", "vm_and_task_state"],
        deprecated_group="DEFAULT",
        help="Which state changes to report.",
    ),
    cfg.BoolOpt(
        "bdms_in_notifications",
        default=False,
        help="Include block device mappings in versioned notifications.",
    ),
    cfg.BoolOpt("include_share_mapping", default=False, help="Include shares in versioned notifications."),
]
