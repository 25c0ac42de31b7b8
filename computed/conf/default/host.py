"""Section [DEFAULT]: who this host is, where it keeps its files, and how it gets root."""

import socket
from pathlib import Path

from oslo_config import cfg

import computed


def _own_address() -> str:
    """The address that the route to the outside leaves from; no packet is sent. 127.0.0.1 without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


OPTS = [
    cfg.HostDomainOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<current_hostname>",
        help="Name of this host in service records, message queues and port bindings.",
    ),
    cfg.StrOpt(
        "my_ip",
        default=_own_address(),
        sample_default="<host_ipv4>",
        help="Address by which other hosts reach this one.",
    ),
    cfg.StrOpt("my_block_storage_ip", default="$my_ip", help="Address from which this host reaches volumes."),
    cfg.StrOpt(
        "my_shared_fs_storage_ip",
        default="$my_ip",
        help="Address from which this host reaches shared file systems.",
    ),
    cfg.StrOpt(
        "console_host",
        default=socket.gethostname(),
        sample_default="<current_hostname>",
        help="Name by which console proxies reach this host.",
    ),
    cfg.StrOpt(
        "pybasedir",
        default=str(Path(computed.__file__).resolve().parents[1]),
        sample_default="<Path>",
        help="Directory in which the package is installed; other paths may start from it.",
    ),
    cfg.StrOpt(
        "state_path", default="$pybasedir", help="Directory of everything this service keeps between runs."
    ),
    cfg.StrOpt("tempdir", help="Directory for temporary files; unset means the system's own."),
    cfg.StrOpt(
        "instances_path",
        default="$state_path/instances",
        help="Directory that holds one subdirectory for each instance.",
    ),
    cfg.StrOpt(
        "rootwrap_config", default="/etc/nova/rootwrap.conf", help="Configuration file of the root helper."
    ),
    cfg.BoolOpt(
        "use_rootwrap_daemon",
        default=False,
        help="Keep one root helper running instead of starting one for each command.",
    ),
    cfg.BoolOpt(
        "force_raw_images", default=True, help="Convert images to raw before they enter the image cache."
    ),
    cfg.BoolOpt(
        "use_cow_images",
        default=True,
        help="Back root disks copy-on-write by the image cache instead of copying.",
    ),
    cfg.StrOpt(
        "preallocate_images",
        default="none",
        choices=["none", "space"],
        help="Whether disks get all their space when they are made.",
    ),
    cfg.MultiStrOpt(
        "virt_mkfs", default=[], help="Command to make a file system for an OS type, written OS=COMMAND."
    ),
    cfg.StrOpt(
        "default_ephemeral_format", help="File system of ephemeral disks; unset leaves it to the OS type."
    ),
    cfg.BoolOpt(
        "resize_fs_using_block_device",
        default=False,
        help="Grow the file system inside an image by attaching it to a block device.",
    ),
    cfg.IntOpt(
        "timeout_nbd", default=10, min=0, help="Seconds to wait until a network block device appears."
    ),
    cfg.StrOpt(
        "mkisofs_cmd", default="genisoimage", help="Program that makes ISO 9660 images for config drives."
    ),
    cfg.StrOpt(
        "config_drive_format",
        default="iso9660",
        choices=["iso9660", "vfat"],
        deprecated_for_removal=True,
        deprecated_since="19.0.0",
        help="File system of config drives.",
    ),
    cfg.BoolOpt("force_config_drive", default=False, help="Give every instance a config drive."),
    cfg.BoolOpt("flat_injected", default=False, help="Write network settings into the guest's own files."),
    cfg.StrOpt(
        "injected_network_template",
        default="$pybasedir/nova/virt/interfaces.template",
        help="Template of the network settings written into a guest.",
    ),
]
