"""The hypervisors: one driver port, and the drivers behind it."""
