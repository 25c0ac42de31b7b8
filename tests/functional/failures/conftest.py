"""One stage for all failures: each is played on a server of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import pytest

from computed.cmd.concurrency import ENVIRONMENT, THREADING
from computed.objects.base import ComputedObject
from computed.operations import volume_snapshots
from computed.steps import patience
from tests.functional.cloud import HOST, Cloud
from tests.functional.failures.stage import SECOND, Stage
from tests.functional.templates import Templates

OPTIONS: Final = {
    "my_shared_fs_storage_ip": "192.0.2.9",
    "manila.share_apply_policy_timeout": 1,
    # Tokens of before the start are cleaned away as long as there may be any: in every play alike.
    "consoleauth.token_ttl": 24 * 3600,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Stage]:
    executor = os.environ.get(ENVIRONMENT, THREADING)
    cloud = Cloud(tmp_path_factory.mktemp("failures"), templates.of((HOST, SECOND)), executor, OPTIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "FIRST_PAUSE_SECONDS", 0.01)
        patch.setattr(volume_snapshots, "_PATIENCE_SECONDS", 0.0)
        plain = ComputedObject.indirection_api
        try:
            cloud.add_host(SECOND, OPTIONS)
            yield Stage(cloud)
        finally:
            ComputedObject.indirection_api = plain
            cloud.close()
