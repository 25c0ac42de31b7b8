"""Section [glance]: the image service."""

from oslo_config import cfg

GROUP = "glance"
OPTS = [
    cfg.ListOpt(
        "api_servers",
        deprecated_for_removal=True,
        deprecated_since="21.0.0",
        help="Addresses of glance instead of the catalogue's.",
    ),
    cfg.IntOpt("num_retries", default=3, min=0, help="How often to repeat a request that failed."),
    cfg.BoolOpt(
        "verify_glance_signatures", default=False, help="Refuse images whose signature does not fit."
    ),
    cfg.BoolOpt(
        "enable_certificate_validation",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="16.0.0",
        help="Refuse signatures whose certificate is not trusted.",
    ),
    cfg.ListOpt(
        "default_trusted_certificate_ids",
        default=[],
        help="Certificates trusted for instances that name none.",
    ),
    cfg.BoolOpt(
        "enable_rbd_download", default=False, help="Read images straight from Ceph where that is possible."
    ),
    cfg.StrOpt("rbd_user", default="", help="Ceph user for reading images."),
    cfg.IntOpt("rbd_connect_timeout", default=5, help="Seconds to wait for Ceph."),
    cfg.StrOpt("rbd_pool", default="", help="Ceph pool of the images."),
    cfg.StrOpt("rbd_ceph_conf", default="", help="Ceph's configuration file."),
    cfg.BoolOpt("debug", default=False, help="Log requests to glance."),
]
