"""A compute agent for OpenStack: the daemon that owns the guests of one hypervisor host."""
