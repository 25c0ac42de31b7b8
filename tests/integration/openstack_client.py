"""The `openstack` command of the control plane's environment: what an operator sees."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.integration.plane.provision import COMPUTE_MICROVERSION
from tests.integration.plane.settings import REGION, Settings, clean_environment


def environment(s: Settings) -> dict[str, str]:
    """Log in as admin, in the project of demo."""
    values = {
        "AUTH_URL": s.auth_url,
        "USERNAME": "admin",
        "PASSWORD": s.password,
        "PROJECT_NAME": "demo",
        "USER_DOMAIN_NAME": "Default",
        "PROJECT_DOMAIN_NAME": "Default",
        "REGION_NAME": REGION,
        "IDENTITY_API_VERSION": "3",
        "COMPUTE_API_VERSION": COMPUTE_MICROVERSION,
        "PLACEMENT_API_VERSION": "1.39",
    }
    return {f"OS_{name}": value for name, value in values.items()}


def openstack(s: Settings, *arguments: str) -> Any:
    """Run one command; returns its JSON output."""
    done = subprocess.run(
        [s.bin("openstack"), *arguments, "-f", "json"],
        env={**clean_environment(), **environment(s)},
        capture_output=True,
        text=True,
        timeout=90,
    )
    if done.returncode:
        raise AssertionError(f"openstack {' '.join(arguments)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)
