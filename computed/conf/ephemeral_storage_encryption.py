"""Section [ephemeral_storage_encryption]: encryption of local disks."""

from oslo_config import cfg

GROUP = "ephemeral_storage_encryption"
OPTS = [
    cfg.BoolOpt("enabled", default=False, help="Encrypt local LVM disks."),
    cfg.StrOpt("cipher", default="aes-xts-plain64", help="Cipher and mode."),
    cfg.IntOpt("key_size", default=512, min=1, help="Length of the key in bits."),
    cfg.StrOpt("default_format", default="luks", choices=["luks"], help="Format of encrypted disks."),
]
