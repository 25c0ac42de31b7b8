"""What a one-host cloud sets for itself when its servers are real guests, and who may look into its files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from oslo_config import cfg

from computed.conf import register_all
from computed.embedded import real_guests
from computed.embedded.cloud import settle_defaults
from computed.embedded.places import Places

ROOT, SOMEBODY = 0, 1000


def conf_of(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    file = tmp_path / "computed.conf"
    file.write_text(f"[alone]\nstate_dir = {tmp_path}/cloud\n{text}")
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf(["--config-file", str(file)], default_config_files=[], default_config_dirs=[])
    return conf


LIBVIRT = "[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\n"


def test_an_ordinary_user_has_the_libvirt_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    monkeypatch.setattr(os, "access", lambda path, mode: path != "/dev/kvm")
    conf = conf_of(tmp_path, LIBVIRT)
    places = settle_defaults(conf)
    assert conf.libvirt.connection_uri == "qemu:///session"
    assert (conf.libvirt.virt_type, conf.alone.network, conf.force_config_drive) == ("qemu", "user", True)
    assert not places.is_shared_with_guests
    assert conf.instances_path == f"{tmp_path}/cloud/instances"


def test_guests_of_root_run_as_others_and_use_kvm_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ROOT)
    monkeypatch.setattr(os, "access", lambda path, mode: path == "/dev/kvm")
    conf = conf_of(tmp_path, LIBVIRT)
    places = settle_defaults(conf)
    assert (conf.libvirt.connection_uri, conf.libvirt.virt_type) == ("", "kvm")
    assert places.is_shared_with_guests


@pytest.mark.parametrize(
    ("said", "is_shared"),
    [
        ("", False),
        ("[libvirt]\nconnection_uri = qemu:///system\n", True),
        ("[libvirt]\nvirt_type = lxc\n", True),
    ],
)
def test_who_runs_the_guests_follows_from_the_libvirt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, is_shared: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert settle_defaults(conf_of(tmp_path, LIBVIRT + said)).is_shared_with_guests is is_shared


def test_what_the_file_says_wins(tmp_path: Path) -> None:
    said = "[libvirt]\nvirt_type = qemu\n[alone]\nnetwork = bridge\n"
    conf = conf_of(tmp_path, f"{LIBVIRT}force_config_drive = false\n{said}")
    settle_defaults(conf)
    assert (conf.libvirt.virt_type, conf.alone.network, conf.force_config_drive) == ("qemu", "bridge", False)


def test_the_fake_driver_has_no_network_and_nothing_is_set(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, "")
    settle_defaults(conf)
    assert (conf.alone.network, conf.force_config_drive, conf.libvirt.virt_type) == ("none", False, "kvm")


def test_who_passes_to_the_disks_can_open_nothing_else(tmp_path: Path) -> None:
    places = Places.of(str(tmp_path / "cloud"), None, None, is_shared_with_guests=True)
    places.make()
    places.make()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in places.state_dir.iterdir()}
    assert modes == {"records.db": 0o600, "placement.db": 0o600, "images": 0o700}
    assert stat.S_IMODE(places.state_dir.stat().st_mode) == 0o711


def test_what_a_build_would_refuse_is_refused_as_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(b"QFI\xfb\0\0\0\3" + bytes(4096))
    with pytest.raises(Exception, match="declared as raw, its contents are qcow2"):
        real_guests.inspect(file, "x", "raw")
