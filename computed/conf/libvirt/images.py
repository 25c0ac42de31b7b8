"""Section [libvirt]: local disks, images, snapshots and rescue."""

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "images_type",
        default="default",
        choices=["raw", "flat", "qcow2", "lvm", "rbd", "ploop", "default"],
        help="How local disks are stored.",
    ),
    cfg.StrOpt("images_volume_group", help="LVM volume group of local disks."),
    cfg.StrOpt("images_rbd_pool", default="rbd", help="Ceph pool of local disks."),
    cfg.StrOpt("images_rbd_ceph_conf", default="", help="Ceph's configuration file."),
    cfg.StrOpt(
        "images_rbd_glance_store_name", default="", help="Glance store that shares Ceph with this host."
    ),
    cfg.IntOpt(
        "images_rbd_glance_copy_poll_interval",
        default=15,
        help="Seconds between two looks whether glance has copied an image.",
    ),
    cfg.IntOpt(
        "images_rbd_glance_copy_timeout",
        default=600,
        help="Seconds that copying an image inside glance may take.",
    ),
    cfg.IntOpt(
        "images_address_space_limit", default=2, help="GiB of address space that image tools may use."
    ),
    cfg.IntOpt("images_cpu_time_limit", default=30, help="Seconds of CPU time that image tools may use."),
    cfg.StrOpt("rbd_user", help="Ceph user of guests."),
    cfg.StrOpt("rbd_secret_uuid", help="libvirt secret with the Ceph user's key."),
    cfg.IntOpt("rbd_connect_timeout", default=5, help="Seconds to wait for Ceph."),
    cfg.IntOpt(
        "rbd_destroy_volume_retries", default=12, min=0, help="How often to try to remove a Ceph disk."
    ),
    cfg.IntOpt(
        "rbd_destroy_volume_retry_interval",
        default=5,
        min=0,
        help="Seconds between two attempts to remove a Ceph disk.",
    ),
    cfg.StrOpt("rescue_image_id", help="Rescue image for instances whose user names none."),
    cfg.StrOpt("rescue_kernel_id", help="Kernel to rescue with."),
    cfg.StrOpt("rescue_ramdisk_id", help="RAM disk to rescue with."),
    cfg.StrOpt(
        "snapshot_image_format",
        choices=["raw", "qcow2", "vmdk", "vdi"],
        help="Format of snapshots; unset keeps the format of the disk.",
    ),
    cfg.BoolOpt("snapshot_compression", default=False, help="Compress snapshots in qcow2."),
    cfg.StrOpt(
        "snapshots_directory",
        default="$instances_path/snapshots",
        help="Directory in which snapshots are prepared.",
    ),
    cfg.BoolOpt(
        "sparse_logical_volumes",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="18.0.0",
        help="Make logical volumes sparse.",
    ),
    cfg.StrOpt(
        "volume_clear",
        default="zero",
        choices=["zero", "shred", "none"],
        help="How logical volumes are wiped before removal.",
    ),
    cfg.IntOpt(
        "volume_clear_size", default=0, min=0, help="MiB to wipe from the start of a volume; 0 is all of it."
    ),
]
