"""Section [alone]: the one-host cloud without a control plane around it; our own."""

from oslo_config import cfg

GROUP = "alone"
OPTS = [
    cfg.BoolOpt(
        "enabled",
        default=False,
        help="Run conductor, scheduler and placement inside this process; so does `--alone`.",
    ),
    cfg.StrOpt(
        "state_dir",
        help="Directory of everything that the one-host cloud keeps: records, allocations, its socket. By "
        "default /var/lib/computed/alone for root, else ~/.local/state/computed.",
    ),
    cfg.StrOpt(
        "socket",
        help="The unix socket that computedctl talks to; only the user who runs the agent may open it. By "
        "default computed.sock in state_dir.",
    ),
    cfg.StrOpt(
        "images_dir",
        help="Directory of images: NAME.qcow2, NAME.raw, NAME.vmdk, ... and beside it NAME.json for its "
        "properties if it has any. The ending says the format, which is never guessed from the contents. By "
        "default images in state_dir.",
    ),
    cfg.StrOpt(
        "network",
        choices=[
            ("none", "servers have no network"),
            (
                "user",
                "each server reaches what its host reaches, and is reached by nobody: the hypervisor's own "
                "network, for which nothing must be set up; each server finds itself at 10.0.2.15 by DHCP",
            ),
            ("bridge", "each server has one interface on a Linux bridge that exists already"),
        ],
        help="The network of the servers; by default `user` with the libvirt driver, else `none`.",
    ),
    cfg.StrOpt("bridge", default="br0", help="The Linux bridge that servers are plugged into."),
    cfg.StrOpt(
        "cidr",
        default="192.168.222.0/24",
        help="Addresses for the servers on the bridge. Telling the guests of them (DHCP) is up to the "
        "bridge's owner.",
    ),
    cfg.StrOpt(
        "gateway", help="The servers' gateway on the bridge; the first address of cidr when not given."
    ),
    cfg.ListOpt("dns", default=[], help="Name servers that the servers are told of."),
    cfg.IntOpt("mtu", default=1500, min=68, max=65535, help="MTU of the bridge."),
    cfg.IntOpt(
        "max_attempts",
        default=3,
        min=1,
        help="How many nodes a build is tried on; there are several only with drivers of several nodes.",
    ),
]
