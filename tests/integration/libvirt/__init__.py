"""The libvirt driver with a real libvirtd; what runs guests under a control plane, or alone with libvirt."""
