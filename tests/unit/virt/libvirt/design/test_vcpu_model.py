"""What of a designed processor goes into the instance's record."""

from __future__ import annotations

import pytest

pytest.importorskip("lxml")

from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.design.vcpu_model import vcpu_model
from computed.virt.libvirt.xml.cpu import Cpu
from tests.unit.virt.libvirt.design.matrix import request_of


@pytest.mark.parametrize(
    ("name", "mode", "model", "topology", "features"),
    [
        ("plain", "host-model", None, (2, 1, 1), []),
        ("cpu-none", None, None, (1, 2, 1), []),
        ("cpu-passthrough", "host-passthrough", None, (4, 1, 2), []),
        (
            "cpu-custom",
            "custom",
            "Haswell",
            (2, 1, 1),
            [("pcid", "require"), ("vmx", "disable"), ("ssbd", "require")],
        ),
    ],
)
def test_a_processor_is_remembered(
    name: str,
    mode: str | None,
    model: str | None,
    topology: tuple[int, int, int],
    features: list[tuple[str, str]],
) -> None:
    made = vcpu_model(guest_domain(request_of(name)).cpu)
    assert (made.mode, made.model, made.match) == (mode, model, "exact")
    assert (made.topology.sockets, made.topology.cores, made.topology.threads) == topology
    assert [(feature.name, feature.policy) for feature in made.features] == features
    made.obj_to_primitive()


def test_what_nobody_chose_is_not_remembered() -> None:
    assert vcpu_model(guest_domain(request_of("lxc")).cpu) is None


def test_a_mode_that_the_wire_does_not_know_is_left_out() -> None:
    assert vcpu_model(Cpu(mode="maximum", match="exact")).mode is None
