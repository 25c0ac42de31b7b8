"""The libvirt driver: guests of KVM, QEMU and LXC through libvirt."""
