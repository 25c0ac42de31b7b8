"""Firmware descriptors: which directory goes first, what is made of them, what is passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lxml")

from computed.virt.libvirt import connector, firmware
from tests.unit.virt.libvirt.recorded_host import conf_of

FLASH: dict[str, Any] = {
    "interface-types": ["uefi"],
    "mapping": {
        "device": "flash",
        "executable": {"filename": "/usr/share/OVMF/OVMF_CODE.ms.fd", "format": "raw"},
        "nvram-template": {"filename": "/usr/share/OVMF/OVMF_VARS.ms.fd", "format": "qcow2"},
    },
    "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*", "pc-i440fx-*"]}],
    "features": ["secure-boot", "requires-smm"],
}
MEMORY: dict[str, Any] = {
    "interface-types": ["bios"],
    "mapping": {"device": "memory", "filename": "/usr/share/seabios/bios.bin"},
    "targets": [{"architecture": "i386", "machines": ["*"]}],
    "features": [],
}


def test_flash_with_variables() -> None:
    found = firmware.parse(FLASH)
    assert found.executable == "/usr/share/OVMF/OVMF_CODE.ms.fd"
    assert (found.nvram_template, found.nvram_format) == ("/usr/share/OVMF/OVMF_VARS.ms.fd", "qcow2")
    assert found.targets == (("x86_64", "pc-q35-*"), ("x86_64", "pc-i440fx-*"))
    assert found.features == {"secure-boot", "requires-smm"} and not found.is_stateless


@pytest.mark.parametrize(
    "mapping", [MEMORY["mapping"], {**FLASH["mapping"], "mode": "stateless"}], ids=["memory", "stateless"]
)
def test_without_variables(mapping: dict[str, Any]) -> None:
    assert firmware.parse({**FLASH, "mapping": mapping}).is_stateless


def test_directories(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vendor, operator = tmp_path / "usr", tmp_path / "etc"
    vendor.mkdir()
    operator.mkdir()
    (vendor / "50-ovmf.json").write_text(json.dumps(FLASH))
    (vendor / "60-seabios.json").write_text(json.dumps(MEMORY))
    (vendor / "70-broken.json").write_text('{"mapping": {}}')
    (vendor / "80-list.json").write_text("[]")
    (vendor / "notes.txt").write_text("{")
    assert [each.executable[-8:] for each in firmware.read([vendor, tmp_path / "none"])] == [
        "DE.ms.fd",
        "bios.bin",
    ]
    assert "70-broken.json" in caplog.text and "80-list.json" in caplog.text
    (operator / "50-ovmf.json").write_text(json.dumps(MEMORY))
    (operator / "60-seabios.json").write_text("")
    assert [each.executable[-8:] for each in firmware.read([vendor, operator])] == ["bios.bin"]


def test_what_block_storage_is_told(tmp_path: Path) -> None:
    files = {
        "etc/iscsi/initiatorname.iscsi": "## generated\nInitiatorName=iqn.1993-08.org.debian:01:abc\n",
        "etc/nvme/hostnqn": "nqn.2014-08.org.nvmexpress:uuid:1\n",
        "sys/class/fc_host/host1/port_name": "0x5001\n",
        "sys/class/fc_host/host1/node_name": "0x5000\n",
    }
    conf = conf_of(tmp_path, my_block_storage_ip="192.0.2.7", host="blade")
    bare = connector.read(conf, tmp_path)
    assert (bare["ip"], bare["host"], bare["multipath"], bare["do_local_attach"]) == (
        "192.0.2.7",
        "blade",
        False,
        False,
    )
    assert not {"initiator", "nqn", "wwpns", "wwnns"} & set(bare)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    full = connector.read(conf, tmp_path)
    assert full["initiator"] == "iqn.1993-08.org.debian:01:abc"
    assert full["nqn"] == "nqn.2014-08.org.nvmexpress:uuid:1"
    assert (full["wwpns"], full["wwnns"]) == (["5001"], ["5000"])
