"""A hypervisor that only remembers: no guest runs, everything else is as with a real one."""

from computed.virt.fake.driver import FakeDriver

__all__ = ["FakeDriver"]
