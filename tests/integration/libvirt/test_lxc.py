"""A container boots from an image that is a file system, shows its console, and is deleted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.libvirt.alone import AloneCloud

MakeAlone = Callable[..., AloneCloud]
_INIT = """#!/bin/sh
mount -t proc proc /proc
n=$(cat /boots 2>/dev/null || echo 0); n=$((n + 1)); echo $n > /boots
echo "GUEST boots root=$n"
echo "GUEST ready uuid=$container_uuid product=${product_name%% *} size_kib=$(df -k / | awk 'END{print $2}')"
while :; do sleep 1; done
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system with busybox and an init, made without root's help or a device."""
    directory = tmp_path_factory.mktemp("container")
    tree = directory / "tree"
    for name in ("bin", "sbin", "dev", "proc", "sys", "tmp", "etc"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin" / "busybox")
    for name in ("sh", "mount", "cat", "echo", "sleep", "df", "awk"):
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "sbin" / "init").write_text(_INIT)
    (tree / "sbin" / "init").chmod(0o755)
    path = directory / "root.raw"
    env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path, "16M"], check=True, env=env)
    return path


@pytest.fixture
def cloud(make_alone: MakeAlone) -> AloneCloud:
    return make_alone("shutdown_timeout = 2", virt_type="lxc")


def test_a_container_boots_speaks_and_leaves_nothing(cloud: AloneCloud, image: Path) -> None:
    cloud.ctl("image", "add", "busybox", str(image))
    created = cloud.json("server", "create", "box", "--image", "busybox", "--wait")
    assert created["status"] == "ACTIVE"
    ready = cloud.said("box", "ready", 30)
    assert ready.values["uuid"] == created["id"] and ready.values["product"] == "OpenStack"
    # The file system of 16 MiB has grown with the disk, which the flavor limits.
    assert 900 * 1024 < int(ready.values["size_kib"]) <= 1024 * 1024
    assert cloud.said("box", "boots").values["root"] == "1"
    assert "product=OpenStack" in cloud.ctl("server", "console", "box")

    cloud.ctl("server", "reboot", "box", "--hard", "--wait")
    assert cloud.said("box", "boots", 30).values["root"] == "2"
    cloud.ctl("server", "stop", "box", "--wait")
    state = cloud.libvirtd.virsh("domstate", "instance-00000001", driver=cloud.driver)
    assert state.stdout.strip() == "shut off"
    cloud.ctl("server", "start", "box", "--wait")
    assert cloud.said("box", "boots", 30).values["root"] == "3"

    cloud.ctl("server", "delete", "box", "--wait")
    assert cloud.leftovers() == {}
    assert set(cloud.used().values()) == {0}
    assert "Traceback" not in cloud.log.read_text()


def test_a_container_outlives_the_agent(cloud: AloneCloud, image: Path) -> None:
    shutil.copy(image, cloud.images / "busybox.raw")
    cloud.create("box", "busybox")
    cloud.settled("box", "ACTIVE")
    assert cloud.stop() == 0
    cloud.start()
    assert cloud.server("box")["status"] == "ACTIVE"
    cloud.said("box", "ready", 30)
    cloud.ctl("server", "delete", "box", "--wait")
    assert cloud.leftovers() == {}


def test_an_image_with_partitions_ends_in_error_with_the_reason(cloud: AloneCloud, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    partition = b"\x80\0\0\0\x83\0\0\0" + (1).to_bytes(4, "little") + (2000).to_bytes(4, "little")
    disk.write_bytes(bytes(446) + partition + bytes(48) + b"\x55\xaa" + bytes(1 << 20))
    cloud.ctl("image", "add", "disk", str(disk))
    said = cloud.ctl("server", "create", "box", "--image", "disk", "--wait", status=1)
    assert "it has partitions" in said
    cloud.ctl("server", "delete", "box", "--wait")
    assert cloud.leftovers() == {}
