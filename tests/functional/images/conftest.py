"""An owner of servers on a one-host cloud."""

from __future__ import annotations

import pytest

from tests.functional.cloud import Cloud
from tests.functional.images.owner import Owner


@pytest.fixture
def owner(cloud: Cloud) -> Owner:
    return Owner(cloud)
