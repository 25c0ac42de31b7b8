"""A compute agent for OpenStack: the daemon that owns the guests of one hypervisor host."""

__version__ = "0.1.0"
