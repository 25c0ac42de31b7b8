"""A guest that ends while its disk is copied is told from one whose copy fails, however libvirt words it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from computed import errors
from computed.virt.libvirt import live_copy
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.quiescing import Stillness

BROKEN = errors.LibvirtFailed("Unable to read from monitor", Failure.SYSTEM_ERROR)
REFUSED = errors.LibvirtFailed("domain is not running", Failure.OPERATION_INVALID)


class Guest:
    """Says of itself that it is active `looks` times more; its copy ends as `failure` says."""

    name = "instance-00000001"

    def __init__(self, looks: int, failure: Exception | None) -> None:
        self._looks = looks
        self._failure = failure

    def is_active(self) -> bool:
        self._looks -= 1
        return self._looks >= 0

    def block(self, disk: str) -> Any:
        return SimpleNamespace(
            copy=lambda *args, **kwargs: None, abort=self._fail, is_ready=lambda: False, job=self._fail
        )

    def _fail(self) -> None:
        if self._failure is not None:
            raise self._failure


@pytest.fixture(autouse=True)
def time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_copy, "time", SimpleNamespace(sleep=lambda seconds: None))


def mirror(guest: Guest, directory: Path) -> None:
    still = Stillness(can=False, must=False, mark=directory / "held")
    live_copy.mirror(guest, "vda", directory / "copy", still)  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [BROKEN, REFUSED, None], ids=["broken", "refused", "no job"])
@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_guest_that_ends(looks: int, failure: Exception | None, tmp_path: Path) -> None:
    with pytest.raises(live_copy.GuestStopped):
        mirror(Guest(looks, failure), tmp_path)


def test_a_copy_that_fails_while_the_guest_goes_on(tmp_path: Path) -> None:
    with pytest.raises(errors.LibvirtFailed, match="monitor"):
        mirror(Guest(1000, BROKEN), tmp_path)
    with pytest.raises(errors.LibvirtFailed, match=r"is .* full\?"):
        mirror(Guest(1000, None), tmp_path)
