"""Image properties: today's names, yesterday's names, and those made of several."""

from __future__ import annotations

from typing import Any

import pytest

from computed import objects


def properties(**stated: Any) -> Any:
    return objects.ImageMeta.from_dict({"properties": stated}).properties


@pytest.mark.parametrize(
    ("name", "said", "field", "read"),
    [
        ("hw_architecture", "AMD64", "hw_architecture", "x86_64"),
        ("architecture", "i386", "hw_architecture", "i686"),
        ("os_type", "Linux", "os_type", "linux"),
        ("hypervisor_type", "xapi", "img_hv_type", "xen"),
        ("hw_scsi_model", "lsiLogicsas", "hw_scsi_model", "lsisas1068"),
        ("hw_vif_model", "VirtualE1000", "hw_vif_model", "e1000"),
        ("hw_cpu_sockets", "2", "hw_cpu_sockets", 2),
        ("hw_boot_menu", "yes", "hw_boot_menu", True),
        ("auto_disk_config", "disabled", "hw_auto_disk_config", "disabled"),
        ("hypervisor_version_requires", ">=2.0", "img_hv_requested_version", ">=2.0"),
        ("vmware_adaptertype", "ide", "hw_disk_bus", "ide"),
        ("vmware_adaptertype", "paraVirtual", "hw_scsi_model", "vmpvscsi"),
        ("hw_numa_mem.0", "512", "hw_numa_mem", [512]),
        ("hw_numa_cpus.0", "0-3,^1", "hw_numa_cpus", [{0, 2, 3}]),
        ("trait:HW_CPU_X86_AVX2", "required", "traits_required", ["HW_CPU_X86_AVX2"]),
    ],
)
def test_a_property_is_read_as_it_is_meant(name: str, said: str, field: str, read: Any) -> None:
    assert properties(**{name: said}).get(field) == read


def test_numa_cells_end_at_the_first_that_is_missing() -> None:
    stated = {"hw_numa_mem.0": "1", "hw_numa_mem.1": "2", "hw_numa_mem.3": "4", "hw_numa_mem": "9"}
    assert properties(**stated).hw_numa_mem == [1, 2]


def test_todays_name_goes_before_yesterdays() -> None:
    assert properties(vm_mode="xen", hw_vm_mode="hvm").hw_vm_mode == "hvm"


def test_what_means_nothing_to_a_compute_is_passed_over() -> None:
    props = properties(colour="blue", **{"trait:HW_X": "forbidden"})
    assert [name for name in props.fields if name in props] == []
    with pytest.raises(AttributeError):
        props.get("colour")


def test_missing_attributes_of_an_image_are_empty() -> None:
    image = objects.ImageMeta.from_dict(
        {"name": None, "size": None, "created_at": None, "visibility": "public"}
    )
    assert (image.name, image.size, image.created_at) == ("", 0, None)
    assert objects.ImageMeta.from_dict(None).properties is not None


def test_an_instance_remembers_its_image_without_the_long_parts() -> None:
    remembered = {
        "image_min_disk": "1",
        "image_mappings": "x",
        "image_disk_format": "qcow2",
        "image_os_type": None,
    }
    image = objects.ImageMeta.from_system_metadata(remembered, None)
    assert (image.min_disk, image.disk_format) == (1, "qcow2")
    assert "img_mappings" not in image.properties
    assert "os_type" not in image.properties
    assert "id" not in image
