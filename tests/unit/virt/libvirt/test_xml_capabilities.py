"""Libvirt's words for what it can do: every one of them read from something that libvirt has said."""

from __future__ import annotations

import pytest

pytest.importorskip("lxml")

from computed.virt.libvirt.host_reading import domain_facts, supports_secure_boot
from computed.virt.libvirt.xml.capabilities import Capabilities
from computed.virt.libvirt.xml.domain_capabilities import DomainCapabilities
from computed.virt.libvirt.xml.running import RunningDisks
from tests.unit.virt.libvirt.recorded_host import answer
from tests.unit.virt.libvirt.test_xml_words import kinds

# From libvirt's own documentation (formatdomaincaps): an AMD host with firmware for secure boot.
EPYC = """
<domainCapabilities>
  <path>/usr/bin/qemu-system-x86_64</path><domain>kvm</domain><machine>pc-q35-9.2</machine><arch>x86_64</arch>
  <os supported='yes'>
    <enum name='firmware'><value>bios</value><value>efi</value></enum>
    <loader supported='yes'><enum name='secure'><value>yes</value><value>no</value></enum></loader>
  </os>
  <cpu>
    <mode name='host-passthrough' supported='yes'/>
    <mode name='custom' supported='yes'>
      <model usable='yes'>EPYC</model><model usable='no'>Icelake-Server</model>
    </mode>
  </cpu>
  <devices>
    <tpm supported='yes'>
      <enum name='model'><value>tpm-crb</value></enum>
      <enum name='backendModel'><value>emulator</value></enum>
      <enum name='backendVersion'><value>2.0</value></enum>
    </tpm>
    <rng supported='no'/>
  </devices>
  <features>
    <vmcoreinfo supported='no'/>
    <sev supported='yes'>
      <cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits>
      <maxGuests>59</maxGuests><maxESGuests>450</maxESGuests>
    </sev>
    <launchSecurity supported='yes'>
      <enum name='sectype'><value>sev</value><value>sev-snp</value></enum>
    </launchSecurity>
  </features>
</domainCapabilities>
"""
# An offline CPU, an emulator of one type only, machines of one type only.
CAPABILITIES = """
<capabilities>
  <host><topology><cells><cell id='0'><cpus><cpu id='9'/></cpus></cell></cells></topology></host>
  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <emulator>/usr/bin/qemu</emulator>
      <machine>pc-1.0</machine>
      <domain type='qemu'/>
      <domain type='kvm'>
        <emulator>/usr/bin/qemu-kvm</emulator><machine canonical='pc-2.0'>pc</machine>
      </domain>
    </arch>
  </guest>
</capabilities>
"""
RUNNING = """
<domain><devices>
  <disk><target dev='vda'/><mirror ready='yes'><source file='/copy'/></mirror></disk>
  <disk><target dev='vdb'/><mirror/></disk>
  <disk><target dev='vdc'/></disk>
</devices></domain>
"""


def recorded_domain(machine: str = "q35") -> DomainCapabilities:
    found = answer("getDomainCapabilities", "/usr/bin/qemu-system-x86_64", "x86_64", machine, "qemu", 0)
    return DomainCapabilities.from_xml(found)


def test_every_word_has_been_said() -> None:
    samples = [
        Capabilities.from_xml(answer("getCapabilities")),
        Capabilities.from_xml(CAPABILITIES),
        recorded_domain(),
        DomainCapabilities.from_xml(EPYC),
        RunningDisks.from_xml(RUNNING),
    ]
    spoken = {word for sample in samples for word in sample.spoken()}
    roots = (Capabilities, DomainCapabilities, RunningDisks)
    declared = {(kind.__name__, name) for root in roots for kind in kinds(root) for name in kind.vocabulary()}
    # Those of a guest's processor are samples of test_xml_words.py.
    elsewhere = {each for each in declared if each[0] in ("Cpu", "CpuFeature", "NumaCell")}
    without_kinds = {("SevOffer", "choices"), ("VmcoreinfoOffer", "choices")}
    assert sorted(declared - spoken - elsewhere - without_kinds) == []


def test_what_a_type_does_not_say_is_that_of_the_architecture() -> None:
    arch = Capabilities.from_xml(CAPABILITIES).guests[0].arch
    assert arch is not None
    plain, own = arch.domain("qemu"), arch.domain("kvm")
    assert (plain.emulator, [machine.name for machine in plain.machines]) == ("/usr/bin/qemu", ["pc-1.0"])
    assert (own.emulator, [machine.canonical for machine in own.machines]) == (
        "/usr/bin/qemu-kvm",
        ["pc-2.0"],
    )


def test_what_this_machine_can_do() -> None:
    facts = domain_facts(recorded_domain())
    assert (
        facts.machine == "pc-q35-7.2" and facts.firmwares == frozenset() and not facts.supports_secure_loader
    )
    assert facts.disk_buses == {"fdc", "scsi", "virtio", "usb", "sata"}
    assert facts.cpu_modes == {"maximum", "host-model", "custom"}
    assert facts.tpm_backends == {"passthrough"} and facts.tpm_versions is None
    assert facts.sev is None and facts.supports_vmcoreinfo
    assert not supports_secure_boot({"x86_64": {"q35": recorded_domain()}}, "x86_64")


def test_what_a_better_one_can_do() -> None:
    found = DomainCapabilities.from_xml(EPYC)
    facts = domain_facts(found)
    assert facts.firmwares == {"bios", "efi"} and facts.supports_secure_loader
    assert facts.cpu_modes == {"host-passthrough", "custom"}
    assert (facts.tpm_models, facts.tpm_backends, facts.tpm_versions) == ({"tpm-crb"}, {"emulator"}, {"2.0"})
    assert facts.disk_buses is None and not facts.supports_vmcoreinfo
    assert facts.sev is not None and (facts.sev.cbitpos, facts.sev.reduced_phys_bits) == (47, 1)
    assert facts.sev.supports_es and facts.sev.supports_snp
    assert supports_secure_boot({"x86_64": {"q35": found, "pc": recorded_domain("pc")}}, "x86_64")
    assert not supports_secure_boot({"x86_64": {"q35": found}}, "aarch64")


def test_which_copies_have_caught_up() -> None:
    disks = RunningDisks.from_xml(RUNNING).disks
    assert [(disk.target_dev, disk.mirror_ready) for disk in disks] == [
        ("vda", "yes"),
        ("vdb", None),
        ("vdc", None),
    ]
