"""Calls in: the table of RPC methods, the guards around them, and the servers that take them off the bus."""
