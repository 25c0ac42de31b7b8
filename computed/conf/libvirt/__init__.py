"""Section [libvirt], grouped by what its options are about."""

from computed.conf.libvirt import guest, images, migration, volumes

GROUP = "libvirt"
OPTS = [*guest.OPTS, *images.OPTS, *migration.OPTS, *volumes.OPTS]
