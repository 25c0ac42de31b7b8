"""Numbers of libvirt's that rooms without libvirt-python need, under names (libvirt's public headers)."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Failure(IntEnum):
    """Why libvirt did not do something: `LibvirtFailed.code`."""

    INTERNAL_ERROR = 1
    NO_SUPPORT = 3
    NO_CONNECT = 5
    INVALID_CONN = 6
    INVALID_ARG = 8
    OPERATION_FAILED = 9
    XML_ERROR = 27
    XML_DETAIL = 35
    SYSTEM_ERROR = 38
    RPC = 39
    NO_DOMAIN = 42
    OPERATION_INVALID = 55
    NO_SECRET = 66
    OPERATION_TIMEOUT = 68
    CONFIG_UNSUPPORTED = 67
    OPERATION_ABORTED = 78
    OPERATION_UNSUPPORTED = 84
    AGENT_UNRESPONSIVE = 86
    BLOCK_COPY_ACTIVE = 83
    RESOURCE_BUSY = 87
    DEVICE_MISSING = 99


class Stats(IntFlag):
    """Groups of figures that `Connection.statistics` reads."""

    STATE = 1
    CPU_TOTAL = 2
    BALLOON = 4
    VCPU = 8
    INTERFACE = 16
    BLOCK = 32
    PERF = 64
    ALL = STATE | CPU_TOTAL | BALLOON | VCPU | INTERFACE | BLOCK


class StatsOf(IntFlag):
    """Which guests `Connection.statistics` reads, and how; nothing said: all of them."""

    ACTIVE = 1
    INACTIVE = 2
    NOWAIT = 1 << 29
    """Leave out what a guest that is busy or stuck would make us wait for; its other figures come."""
    BACKING = 1 << 30


class RunState(IntEnum):
    """What libvirt says of a domain."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7
