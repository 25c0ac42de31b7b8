"""Figures in both forms, from what libvirt says in bulk."""

from computed.virt.libvirt.diagnostics import as_details, by_name
from computed.virt.libvirt.xml.domain import Domain

FIGURES = {
    "state.state": 1,
    "cpu.time": 1000,
    "balloon.current": 131072,
    "balloon.maximum": 262144,
    "balloon.rss": 90000,
    "balloon.last-update": 17,
    "vcpu.current": 2,
    "vcpu.maximum": 3,
    "vcpu.0.time": 700,
    "vcpu.2.time": 300,
    "block.count": 3,
    "block.0.name": "vda",
    "block.0.backingIndex": 2,
    "block.0.rd.reqs": 11,
    "block.0.rd.bytes": 4096,
    "block.0.wr.reqs": 2,
    "block.0.wr.bytes": 1024,
    "block.1.name": "vda",
    "block.1.backingIndex": 1,
    "block.2.name": "vdb",
    "net.count": 1,
    "net.0.name": "tap1",
    **{
        f"net.0.{way}.{word}": number
        for way in ("rx", "tx")
        for number, word in enumerate(("bytes", "pkts", "errs", "drop"))
    },
}
DOMAIN = Domain.from_xml(
    """<domain><devices>
    <interface type='bridge'><mac address='fa:16:3e:00:00:01'/><target dev='tap1'/></interface>
    <interface type='hostdev'><mac address='fa:16:3e:00:00:02'/></interface>
    </devices></domain>"""
)


def test_by_name():
    assert by_name(FIGURES) == {
        "cpu0_time": 700,
        "cpu2_time": 300,
        "vda_read_req": 11,
        "vda_read": 4096,
        "vda_write_req": 2,
        "vda_write": 1024,
        "vda_errors": -1,
        **dict.fromkeys(("vdb_read_req", "vdb_read", "vdb_write_req", "vdb_write", "vdb_errors"), -1),
        "tap1_rx": 0,
        "tap1_rx_packets": 1,
        "tap1_rx_errors": 2,
        "tap1_rx_drop": 3,
        "tap1_tx": 0,
        "tap1_tx_packets": 1,
        "tap1_tx_errors": 2,
        "tap1_tx_drop": 3,
        "memory": 262144,
        "memory-actual": 131072,
        "memory-rss": 90000,
        "memory-last_update": 17,
    }


def test_in_detail():
    found = as_details(FIGURES, DOMAIN)
    assert [(cpu.id, cpu.time) for cpu in found["cpu_details"]] == [(0, 700), (2, 300)]
    assert [(d.read_bytes, d.write_requests, d.errors_count) for d in found["disk_details"]] == [
        (4096, 2, -1),
        (-1, -1, -1),
    ]
    counted, bare = found["nic_details"]
    assert (counted.mac_address, counted.rx_octets, counted.tx_packets) == ("fa:16:3e:00:00:01", 0, 1)
    assert bare.mac_address == "fa:16:3e:00:00:02"
    assert not bare.obj_attr_is_set("rx_octets")
    assert (found["memory_details"].maximum, found["memory_details"].used) == (256, 128)
    assert (found["num_cpus"], found["num_disks"], found["num_nics"]) == (2, 2, 2)


def test_a_guest_that_tells_nothing():
    assert by_name({}) == {"memory": 0}
    assert as_details({}, Domain())["num_disks"] == 0
