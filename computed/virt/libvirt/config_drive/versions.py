"""The versions of the metadata trees (contract host_files.json, config_drive)."""

from __future__ import annotations

from typing import Final

LATEST: Final = "latest"
EC2: Final = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)
EC2_SKIPPED: Final = frozenset(EC2[:-1])
"""The default of [api]config_drive_skip_versions."""

FOLSOM: Final = "2012-08-10"
GRIZZLY: Final = "2013-04-04"
HAVANA: Final = "2013-10-17"
LIBERTY: Final = "2015-10-15"
NEWTON_ONE: Final = "2016-06-30"
NEWTON_TWO: Final = "2016-10-06"
OCATA: Final = "2017-02-22"
ROCKY: Final = "2018-08-27"
VICTORIA: Final = "2020-10-14"
EPOXY: Final = "2025-04-04"
OPENSTACK: Final = (
    *(FOLSOM, GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO),
    *(OCATA, ROCKY, VICTORIA, EPOXY),
)


def has(version: str, since: str) -> bool:
    """Whether a tree of `version` has what came with the version `since`: dates compare as text."""
    return version == LATEST or version >= since
