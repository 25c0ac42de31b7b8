"""Section [libvirt]: volumes and shares as libvirt hosts connect them."""

from oslo_config import cfg

OPTS = [
    cfg.BoolOpt(
        "volume_use_multipath",
        default=False,
        deprecated_name="iscsi_use_multipath",
        help="Connect volumes over several paths.",
    ),
    cfg.BoolOpt(
        "volume_enforce_multipath",
        default=False,
        help="Refuse to connect volumes when the multipath daemon does not run.",
    ),
    cfg.BoolOpt("iser_use_multipath", default=False, help="Connect iSER volumes over several paths."),
    cfg.StrOpt("iscsi_iface", deprecated_name="iscsi_transport", help="Interface that iSCSI goes through."),
    cfg.IntOpt(
        "num_volume_scan_tries",
        default=5,
        deprecated_name="num_iscsi_scan_tries",
        help="How often to look for a volume on its target.",
    ),
    cfg.IntOpt("num_iser_scan_tries", default=5, help="How often to look for an iSER volume on its target."),
    cfg.IntOpt(
        "num_aoe_discover_tries", default=3, help="How often to look for an ATA-over-Ethernet volume."
    ),
    cfg.IntOpt("num_nvme_discover_tries", default=5, help="How often to look for an NVMe volume."),
    cfg.ListOpt("ceph_mount_options", help="Mount options of CephFS shares."),
    cfg.StrOpt(
        "ceph_mount_point_base",
        default="$state_path/mnt",
        help="Directory under which CephFS shares are mounted.",
    ),
    cfg.StrOpt("nfs_mount_options", help="Mount options of NFS volumes and shares."),
    cfg.StrOpt(
        "nfs_mount_point_base",
        default="$state_path/mnt",
        help="Directory under which NFS volumes and shares are mounted.",
    ),
    cfg.StrOpt(
        "quobyte_client_cfg",
        deprecated_for_removal=True,
        deprecated_since="31.0.0",
        help="Configuration file of the Quobyte client.",
    ),
    cfg.StrOpt(
        "quobyte_mount_point_base",
        default="$state_path/mnt",
        deprecated_for_removal=True,
        deprecated_since="31.0.0",
        help="Directory under which Quobyte volumes are mounted.",
    ),
    cfg.StrOpt(
        "smbfs_mount_options",
        default="",
        deprecated_for_removal=True,
        deprecated_since="31.0.0",
        help="Mount options of SMB volumes.",
    ),
    cfg.StrOpt(
        "smbfs_mount_point_base",
        default="$state_path/mnt",
        deprecated_for_removal=True,
        deprecated_since="31.0.0",
        help="Directory under which SMB volumes are mounted.",
    ),
    cfg.StrOpt("vzstorage_cache_path", help="File in which Virtuozzo storage caches."),
    cfg.StrOpt(
        "vzstorage_log_path",
        default="/var/log/vstorage/%(cluster_name)s/nova.log.gz",
        help="Log file of Virtuozzo storage.",
    ),
    cfg.StrOpt("vzstorage_mount_group", default="qemu", help="Group that owns Virtuozzo mounts."),
    cfg.StrOpt(
        "vzstorage_mount_user",
        default="stack",
        deprecated_for_removal=True,
        deprecated_since="31.0.0",
        help="User that owns Virtuozzo mounts.",
    ),
    cfg.StrOpt("vzstorage_mount_perms", default="0770", help="Access mode of Virtuozzo mounts."),
    cfg.ListOpt("vzstorage_mount_opts", default=[], help="Mount options of Virtuozzo storage."),
    cfg.StrOpt(
        "vzstorage_mount_point_base",
        default="$state_path/mnt",
        deprecated_for_removal=True,
        deprecated_since="31.0.0",
        help="Directory under which Virtuozzo storage is mounted.",
    ),
]
