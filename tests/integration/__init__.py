"""Tests of the agent among real OpenStack services; run by `tox -e integration`, not by `pytest` alone."""
