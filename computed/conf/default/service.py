"""Section [DEFAULT]: the service itself: drivers, threads, heartbeat, shutdown, periodic work."""

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "compute_driver", help="Virtualization driver, for example libvirt.LibvirtDriver or fake.FakeDriver."
    ),
    cfg.ListOpt("compute_monitors", default=[], help="Resource monitors, written NAMESPACE.NAME."),
    cfg.StrOpt(
        "concurrency_backend",
        default="auto",
        choices=["auto", "threading", "eventlet"],
        help="Threads of the interpreter or green threads; auto stands for eventlet.",
    ),
    cfg.IntOpt(
        "default_green_pool_size",
        default=1000,
        min=100,
        deprecated_for_removal=True,
        deprecated_since="32.0.0",
        help="Most green threads at once in one pool.",
    ),
    cfg.IntOpt(
        "default_thread_pool_size",
        default=10,
        min=1,
        help="Most threads at once in the pool for general work.",
    ),
    cfg.IntOpt(
        "cell_worker_thread_pool_size",
        default=5,
        min=1,
        help="Most threads that ask cells at once; not used by a compute.",
    ),
    cfg.IntOpt(
        "sync_power_state_pool_size", default=5, help="Most threads that compare power states at once."
    ),
    cfg.IntOpt(
        "thread_pool_statistic_period",
        default=-1,
        min=-1,
        help="Seconds between log lines about thread pools: -1 never, 0 at every task.",
    ),
    cfg.IntOpt("report_interval", default=10, help="Seconds between two heartbeats of this service."),
    cfg.IntOpt(
        "service_down_time",
        default=60,
        help="Seconds without a heartbeat after which a service counts as down.",
    ),
    cfg.StrOpt(
        "servicegroup_driver",
        default="db",
        choices=["db", "mc"],
        help="Where heartbeats are kept: database or memcached.",
    ),
    cfg.BoolOpt(
        "enable_new_services",
        default=True,
        help="Whether a service that registers for the first time takes work at once.",
    ),
    cfg.IntOpt(
        "manager_shutdown_timeout",
        default=160,
        min=0,
        help="Seconds that work in flight may take to finish when the service stops.",
    ),
    cfg.StrOpt(
        "unknown_options",
        default="refuse",
        choices=["refuse", "warn"],
        help="What to do about sections and options in the files that nobody reads. Our own option.",
    ),
    cfg.IntOpt(
        "graceful_shutdown_timeout",
        default=180,
        min=0,
        help="Seconds after which a stopping service exits whatever is still in flight; 0 waits for ever.",
    ),
    cfg.IntOpt(
        "long_rpc_timeout", default=1800, help="Seconds to wait for calls that are known to take long."
    ),
    cfg.BoolOpt(
        "instance_usage_audit",
        default=False,
        help="Send a usage notification for each instance once a period.",
    ),
    cfg.StrOpt(
        "instance_usage_audit_period",
        default="month",
        regex=r"^(hour|month|day|year)(@([0-9]+))?$",
        help="Length of a usage period, with an optional offset: PERIOD@OFFSET.",
    ),
    cfg.BoolOpt("periodic_enable", default=True, help="Run periodic tasks at all."),
    cfg.IntOpt(
        "periodic_fuzzy_delay",
        default=60,
        min=0,
        help="Upper limit of a random delay, in seconds, before the first periodic tasks.",
    ),
    cfg.BoolOpt("daemon", default=False, help="Unused by a compute; accepted because shared files set it."),
    cfg.StrOpt("record", help="File in which a console proxy records its traffic; not used by a compute."),
    cfg.BoolOpt(
        "source_is_ipv6",
        default=False,
        help="Whether a console proxy listens on IPv6; not used by a compute.",
    ),
    cfg.BoolOpt(
        "ssl_only",
        default=False,
        help="Whether a console proxy refuses plain connections; not used by a compute.",
    ),
    cfg.StrOpt("cert", default="self.pem", help="Certificate of a console proxy; not used by a compute."),
    cfg.StrOpt("key", help="Private key of a console proxy; not used by a compute."),
    cfg.StrOpt(
        "web",
        default="/usr/share/spice-html5",
        help="Directory of files that a console proxy serves; not used by a compute.",
    ),
]
