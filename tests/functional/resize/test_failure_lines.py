"""What the log says of a leg that fails: one line with the stage, the remote and what to do next."""

from __future__ import annotations

import logging

import pytest

from computed import errors
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND, fail


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [record for record in caplog.records if record.name == "computed.steps.failure_lines"]
    assert all(record.levelno == logging.ERROR for record in told)
    return [record.getMessage() for record in told]


@pytest.mark.parametrize(
    ("host", "rule", "stage", "remote", "end"),
    [
        (
            HOST,
            "migrate_disk_and_power_off:*:CinderConnectionFailed",
            "sending from the source",
            "cinder",
            "",
        ),
        (SECOND, "finish_migration:*:PortBindingFailed", "start at the destination", "neutron", ""),
        (HOST, "confirm_migration:*:NovaException", "confirmation at the source", "none named", "confirm"),
        (SECOND, "destroy:*:HypervisorUnavailable", "leaving the destination", "the hypervisor", "revert"),
        (HOST, "finish_revert_migration:*:NovaException", "start at the source", "none named", "revert"),
    ],
)
def test_a_leg_that_fails(
    pair: Cloud, caplog: pytest.LogCaptureFixture, host: str, rule: str, stage: str, remote: str, end: str
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    if not end:
        fail(pair, host, rule)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    if end:
        fail(pair, host, rule)
        getattr(role, end)(uuid)
    [line] = lines(caplog)
    wanted = f"Migration {migration} of instance {uuid} fails at stage {stage}, remote {remote}: "
    assert line.startswith(wanted + rule.rpartition(":")[2])
    assert "; the instance " in line


@pytest.mark.parametrize(
    ("retry", "remedy"), [(False, "then resize or migrate it again"), (True, "it is tried on another host")]
)
def test_a_first_leg_that_fails(
    pair: Cloud, caplog: pytest.LogCaptureFixture, retry: bool, remedy: str
) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host=HOST)
    pair.trouble("Migration", "save", errors.InternalError(err="lost"))
    pair.embedded.compute_tasks.on_migrate = None
    role.resize(uuid, "m1.micro", to=SECOND, retry=retry, wait=False)
    pair.settle()
    [line] = lines(caplog)
    assert f"of instance {uuid} fails at stage room at the destination, remote " in line
    assert line.endswith(remedy)
