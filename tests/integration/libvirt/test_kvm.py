"""`virt_type = kvm` as far as any machine with /dev/kvm goes: defined, started, and code of ours runs in it.

Machines that are guests themselves may get no operating system up under KVM, and not even a BIOS through to
its boot sector; a ROM of 16-bit code that prints to the serial port runs, on a plain model of a processor.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.libvirt.alone import AloneCloud
from tests.integration.libvirt.boot_sector import partitioned_disk, rom
from tests.integration.plane import waiting

MakeAlone = Callable[..., AloneCloud]
_KVM = Path("/dev/kvm")


def _boot(cloud: AloneCloud) -> None:
    image = cloud.directory / "sector.raw"
    image.write_bytes(partitioned_disk())
    cloud.ctl("image", "add", "sector", str(image))
    created = cloud.json("server", "create", "real", "--image", "sector", "--network", "none", "--wait")
    assert created["status"] == "ACTIVE"


def test_a_boot_sector_prints_without_kvm(make_alone: MakeAlone) -> None:
    cloud = make_alone()
    _boot(cloud)
    assert cloud.said("real", "ready").values["mode"] == "real"
    cloud.ctl("server", "delete", "real", "--wait")
    assert cloud.leftovers() == {}


@pytest.mark.skipif(not _KVM.exists(), reason="this machine has no KVM")
def test_a_guest_in_real_mode_runs_under_kvm(make_alone: MakeAlone) -> None:
    if os.stat(_KVM).st_mode & 0o060 != 0o060:
        pytest.skip("/dev/kvm is root's alone; udev would make it root:kvm 0660")
    cloud = make_alone("[libvirt]\ncpu_mode = custom\ncpu_models = kvm64\n", virt_type="kvm")
    _boot(cloud)
    name, libvirtd = "instance-00000001", cloud.libvirtd
    assert libvirtd.virsh("domstate", name).stdout.strip() == "running"
    xml = libvirtd.virsh("dumpxml", "--inactive", name).stdout
    assert "<domain type='kvm'" in xml and "kvm64</model>" in xml

    # The same guest with our ROM in place of the BIOS.
    program, changed = cloud.directory / "rom.bin", cloud.directory / "changed.xml"
    program.write_bytes(rom())
    changed.write_text(re.sub(r"</type>", f"</type><loader type='rom'>{program}</loader>", xml, count=1))
    libvirtd.virsh("destroy", name)
    for words in (("define", str(changed)), ("start", name)):
        done = libvirtd.virsh(*words)
        assert done.returncode == 0, done.stderr
    log = next(cloud.instances.glob("*-*-*-*-*/console.log"))

    def printed() -> None:
        if "GUEST ready mode=real" not in log.read_text(errors="replace"):
            raise waiting.NotYet(log.read_text(errors="replace"))

    waiting.until("the ROM prints under KVM", printed, 30, 0.5)
    cloud.ctl("server", "delete", "real", "--wait")
    assert cloud.leftovers() == {}
