"""Section [cinder]: the block storage service."""

from oslo_config import cfg

GROUP = "cinder"
OPTS = [
    cfg.StrOpt(
        "catalog_info",
        default="volumev3::publicURL",
        regex=r"^[\w-]+:\w*:.*$",
        help="Where to find cinder in the catalogue: TYPE:NAME:INTERFACE.",
    ),
    cfg.StrOpt(
        "endpoint_template", help="Address of cinder instead of the catalogue's, with %(project_id)s in it."
    ),
    cfg.StrOpt("os_region_name", help="Region of cinder's endpoint."),
    cfg.IntOpt("http_retries", default=3, min=0, help="How often to repeat a request that failed."),
    cfg.BoolOpt(
        "cross_az_attach", default=True, help="Let instances use volumes of another availability zone."
    ),
    cfg.BoolOpt("debug", default=False, help="Log requests to cinder."),
]
