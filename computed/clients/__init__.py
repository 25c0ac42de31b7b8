"""Calls out: one module per service that the agent speaks to."""
