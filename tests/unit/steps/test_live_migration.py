"""Reading what two ends of a live migration tell each other; remembering tokens and words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from computed import objects
from computed.objects.network_model import VIF
from computed.steps import console_tokens
from computed.steps.console_tokens import ConsoleTokens
from computed.steps.live_migration import clean_up_flags, value_of, vifs_at_source
from computed.steps.remembered import Remembered
from computed.virt.specs import LiveMigrationProgress


def libvirt(**fields: Any) -> Any:
    return objects.LibvirtLiveMigrateData(**fields)


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (None, (False, False)),
        (libvirt(is_shared_instance_path=True, is_shared_block_storage=True), (False, False)),
        (libvirt(is_shared_instance_path=True, is_shared_block_storage=False), (False, False)),
        (libvirt(is_shared_instance_path=False, is_shared_block_storage=True), (True, False)),
        (libvirt(is_shared_instance_path=False, is_shared_block_storage=False), (True, True)),
        (libvirt(is_shared_instance_path=True, is_shared_block_storage=True, target_mdevs={}), (True, False)),
        (
            libvirt(
                is_shared_instance_path=True,
                is_shared_block_storage=True,
                vtpm_secret_uuid="aaaaaaaa-0000-4000-8000-000000000001",
            ),
            (True, False),
        ),
        (
            libvirt(is_shared_instance_path=True, is_shared_block_storage=True, vtpm_secret_uuid=None),
            (False, False),
        ),
        (objects.HyperVLiveMigrateData(is_shared_instance_path=True), (True, False)),
        (objects.HyperVLiveMigrateData(is_shared_instance_path=False), (True, True)),
    ],
)
def test_who_cleans_up_and_what(data: Any, flags: tuple[bool, bool]) -> None:
    assert clean_up_flags(data) == flags


def test_values_that_were_left_out() -> None:
    assert value_of(None, "vifs") is None
    assert value_of(libvirt(), "vifs") is None
    assert value_of(libvirt(old_vol_attachment_ids={}), "old_vol_attachment_ids") == {}
    assert value_of(objects.HyperVLiveMigrateData(), "block_migration") is None


def test_interfaces_are_unplugged_as_they_were_plugged() -> None:
    cached = SimpleNamespace(info_cache=SimpleNamespace(network_info=[VIF(id="p1", type="new")]))
    old = VIF(id="p1", type="old")
    data = libvirt(vifs=[objects.VIFMigrateData.of_source(old)])
    assert [vif["type"] for vif in vifs_at_source(data, cached)] == ["old"]
    assert [vif["type"] for vif in vifs_at_source(libvirt(), cached)] == ["new"]


@pytest.mark.parametrize(("remaining", "percent"), [(0, 100), (50, 50), (100, 0), (1, 99)])
def test_percent(remaining: int, percent: int) -> None:
    assert LiveMigrationProgress(100, 100 - remaining, remaining).percent == percent
    assert LiveMigrationProgress(0, 0, 0).percent == 0


def test_the_oldest_words_are_forgotten() -> None:
    words = Remembered(2)
    for word in ("a", "b", "a", "c"):
        words.add(word)
    assert ("a" in words, "b" in words, "c" in words) == (True, False, True)


def test_tokens_that_may_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(console_tokens, "time", SimpleNamespace(monotonic=lambda: now[0]))
    tokens = ConsoleTokens()
    assert not tokens.may_exist("i1")
    tokens.note("i1", 60)
    assert tokens.may_exist("i1") and not tokens.may_exist("i2")
    now[0] += 61
    assert not tokens.may_exist("i1")
    tokens.assume_earlier(60)
    assert tokens.may_exist("i2")
    now[0] += 61
    assert not tokens.may_exist("i2")
