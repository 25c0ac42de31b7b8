"""Section [neutron_tunnel]: tunnelled networks."""

from oslo_config import cfg, types

GROUP = "neutron_tunnel"
OPTS = [
    cfg.ListOpt(
        "numa_nodes",
        default=[],
        item_type=types.Integer(),
        help="NUMA cells close to the devices that carry tunnels.",
    ),
]
