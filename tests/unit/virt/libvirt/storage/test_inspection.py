"""The table of hostile images: each is refused with its reason, by no tool, its secret unread."""

import builtins
import io
import os
import shutil
import subprocess

import pytest

from computed import errors
from computed.virt.libvirt.storage.inspection import Finding, inspect, inspect_result
from tests.unit.virt.libvirt.storage.hostile import (
    ATTACKS,
    GPT,
    MBR,
    MIB,
    iso_bytes,
    qcow2_bytes,
    qemu_image,
    sparse_vmdk,
    streamed_vmdk,
    vdi_bytes,
    vhd_bytes,
    vmdk_descriptor,
)

needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture
def opened(monkeypatch):
    """Every file that is opened, and no program is run."""
    names = []
    real = io.open

    def noted(file, *args, **kwargs):
        names.append(os.fspath(file) if not isinstance(file, int) else file)
        return real(file, *args, **kwargs)

    def no_tool(*args, **kwargs):
        raise AssertionError(f"a tool was run: {args}")

    monkeypatch.setattr(builtins, "open", noted)
    monkeypatch.setattr(io, "open", noted)
    monkeypatch.setattr(subprocess, "Popen", no_tool)
    return names


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_refused_before_any_tool_and_no_other_file_is_read(attack, opened, tmp_path):
    path = attack.write(tmp_path)
    opened.clear()
    with pytest.raises(errors.ImageUnacceptable, match=f"image-1.*({attack.reason})"):
        inspect(path, "image-1", attack.declared)
    assert set(opened) <= {str(path)}
    assert opened or "not supported" in attack.reason


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_refused_too_when_it_is_in_the_cache(attack, tmp_path):
    """What only its declaration gave away is what it says it is; nothing else may pass without one."""
    harmless = ("declared as", "not supported", "contents are")
    if attack.reason.startswith(harmless):
        pytest.skip("it is refused for its declaration alone")
    with pytest.raises(errors.ImageUnacceptable):
        inspect(attack.write(tmp_path), "image-1", None)


HONEST = (
    ("raw", b"\0" * MIB, "raw", MIB),
    ("raw", b"any text of a guest\n" * 100, "raw", 2000),
    ("raw", MBR + b"\0" * MIB, "raw", MIB + 512),
    ("raw", GPT + b"\0" * MIB, "raw", MIB + 512),
    ("raw", b"# a shell script\nset -e\nversion_of=1\n" + b"x" * 600, "raw", 637),
    ("ami", b"\0" * 4096, "raw", 4096),
    ("ami", MBR + b"\0" * MIB, "raw", MIB + 512),
    ("iso", iso_bytes(), "raw", 20 * 2048 + 65536),
    ("iso", iso_bytes(GPT), "raw", 20 * 2048 + 65536),
    ("qcow2", qcow2_bytes(), "qcow2", MIB),
    ("qcow2", qcow2_bytes(version=2), "qcow2", MIB),
    ("qcow2", qcow2_bytes(size=0, l1_entries=0), "qcow2", 0),
    ("vmdk", sparse_vmdk(vmdk_descriptor("monolithicSparse", 'RW 2048 SPARSE "a b.vmdk"')), "vmdk", MIB),
    ("vmdk", streamed_vmdk(vmdk_descriptor("streamOptimized", 'RW 2048 SPARSE "a.vmdk"')), "vmdk", MIB),
    ("vhd", vhd_bytes(3), "vpc", MIB),
    ("vdi", vdi_bytes(1), "vdi", MIB),
)


@pytest.mark.parametrize(("declared", "contents", "found", "size"), HONEST)
def test_an_honest_image_passes(declared, contents, found, size, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(contents)
    assert inspect(path, "image-1", declared) == Finding(found, size)
    assert inspect(path, "image-1", None).format == found


@needs_qemu_img
@pytest.mark.parametrize(
    ("declared", "qemu_format", "options"),
    [
        ("qcow2", "qcow2", []),
        ("qcow2", "qcow2", ["compat=0.10"]),
        ("qcow2", "qcow2", ["cluster_size=512"]),
        ("qcow2", "qcow2", ["cluster_size=2M"]),
        ("qcow2", "qcow2", ["lazy_refcounts=on"]),
        ("qcow2", "qcow2", ["compression_type=zlib"]),
        ("vmdk", "vmdk", []),
        ("vmdk", "vmdk", ["subformat=streamOptimized"]),
        ("vdi", "vdi", []),
        ("vhd", "vpc", []),
        ("vhdx", "vhdx", []),
    ],
)
def test_what_the_real_program_makes_passes(declared, qemu_format, options, tmp_path):
    path = qemu_image(tmp_path / "image", qemu_format, *options, size="64M")
    found = inspect(path, "image-1", declared)
    assert found.format == qemu_format
    assert found.virtual_size_bytes >= 64 * MIB


@needs_qemu_img
def test_a_compressed_stream_passes(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(4 * MIB))
    command = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized"]
    subprocess.run([*command, source, tmp_path / "image"], check=True)
    assert inspect(tmp_path / "image", "i", "vmdk") == Finding("vmdk", 4 * MIB)


@needs_qemu_img
def test_a_snapshot_within_an_image_is_no_attack(tmp_path):
    path = qemu_image(tmp_path / "image", "qcow2", size="64M")
    subprocess.run(["qemu-img", "snapshot", "-c", "one", path], check=True)
    assert inspect(path, "image-1", "qcow2").format == "qcow2"


@needs_qemu_img
@pytest.mark.parametrize("options", [["backing_file=/etc/passwd", "backing_fmt=raw"], ["data_file={}/data"]])
def test_what_the_real_program_makes_of_other_files_is_refused(options, tmp_path):
    options = [",".join(options).format(tmp_path)]
    path = qemu_image(tmp_path / "image", "qcow2", *options)
    with pytest.raises(errors.ImageUnacceptable, match=r"backing file|data file"):
        inspect(path, "image-1", "qcow2")


@needs_qemu_img
@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_a_vmdk_of_several_files_is_refused(subformat, tmp_path):
    path = qemu_image(tmp_path / "image.vmdk", "vmdk", f"subformat={subformat}")
    with pytest.raises(errors.ImageUnacceptable):
        inspect(path, "image-1", "vmdk")


def test_only_the_subformats_of_the_option_pass(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(sparse_vmdk(vmdk_descriptor("monolithicSparse", 'RW 2048 SPARSE "disk"')))
    with pytest.raises(errors.ImageUnacceptable, match="monolithicsparse is not allowed"):
        inspect(path, "image-1", "vmdk", vmdk_types=("streamOptimized",))
    with pytest.raises(errors.ImageUnacceptable):
        inspect(path, "image-1", "vmdk", vmdk_types=())


@needs_qemu_img
def test_a_disk_within_a_disk_is_found_after_the_conversion(tmp_path):
    """An image may be honest, and the raw disk in it begin with the header of a qcow2 that is not."""
    inner, outer, result = tmp_path / "inner", tmp_path / "outer", tmp_path / "result"
    inner.write_bytes(qcow2_bytes(backing=b"/etc/passwd"))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", inner, outer], check=True)
    assert inspect(outer, "image-1", "qcow2").format == "qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", outer, result], check=True)
    with pytest.raises(errors.ImageUnacceptable, match="backing file"):
        inspect_result(result, "image-1")
    result.write_bytes(qcow2_bytes())
    with pytest.raises(errors.ImageUnacceptable, match="carries the header of a qcow2"):
        inspect_result(result, "image-1")


def test_a_file_that_is_gone_is_not_called_hostile(tmp_path):
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "nothing", "image-1", "raw")
