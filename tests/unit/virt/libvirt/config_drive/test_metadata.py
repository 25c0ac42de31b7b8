"""The tree of a config drive: which files with which words, version by version (contract config_drive)."""

import base64
import json
from types import SimpleNamespace

import pytest

from computed import objects
from computed.objects.network_model import NetworkInfo
from computed.virt.libvirt.config_drive.metadata import tree
from computed.virt.libvirt.config_drive.request import MetadataOptions, MetadataRequest, block_mapping

UUID = "11111111-2222-4333-8444-555555555555"
OPENSTACK_VERSIONS = [
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "2025-04-04",
    "latest",
]


def make_instance(**more):
    values = {
        "uuid": UUID,
        "hostname": "web",
        "display_name": "Web 1",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "p1",
        "reservation_id": "r-1",
        "metadata": {},
        "user_data": None,
        "key_name": None,
        "key_data": None,
        "keypairs": [],
        "device_metadata": None,
        "numa_topology": None,
        "flavor": SimpleNamespace(name="m1.small"),
        "ec2_ids": SimpleNamespace(ami_id="ami-1", instance_id="i-1", kernel_id=None, ramdisk_id=None),
        "root_device_name": "/dev/vda",
        "default_ephemeral_device": None,
        "default_swap_device": None,
    }
    return SimpleNamespace(**{**values, **more})


def vif(**more):
    subnet = {
        "cidr": "10.0.0.0/24",
        "version": 4,
        "gateway": {"address": "10.0.0.1"},
        "ips": [{"address": "10.0.0.5", "floating_ips": [{"address": "192.0.2.9"}]}],
        "dns": [{"address": "8.8.8.8"}],
        "routes": [{"cidr": "172.16.0.0/12", "gateway": {"address": "10.0.0.254"}}],
    }
    subnet.update(more.pop("subnet", {}))
    network = {"id": "net-1", "subnets": [subnet, *more.pop("subnets", ())], "mtu": 1450}
    return {
        "id": "port-1",
        "address": "fa:16:3e:00:00:01",
        "type": "ovs",
        "devname": "tapport-1",
        "network": network,
        **more,
    }


def request(instance=None, vifs=(), **more):
    return MetadataRequest(
        instance=instance or make_instance(),
        network_info=NetworkInfo.hydrate(list(vifs)),
        random_seed=b"seed",
        **more,
    )


def data(files, path):
    return json.loads(files[path])


def test_the_files_of_a_plain_guest():
    files = tree(request())
    names = {"openstack/" + version + "/meta_data.json" for version in OPENSTACK_VERSIONS}
    names |= {f"openstack/{version}/vendor_data.json" for version in OPENSTACK_VERSIONS[2:]}
    names |= {f"openstack/{version}/network_data.json" for version in OPENSTACK_VERSIONS[3:]}
    names |= {f"openstack/{version}/vendor_data2.json" for version in OPENSTACK_VERSIONS[5:]}
    names |= {"ec2/2009-04-04/meta-data.json", "ec2/latest/meta-data.json"}
    assert set(files) == names


def test_all_of_ec2_where_nothing_is_skipped():
    files = tree(request(make_instance(user_data="eA==")), MetadataOptions(skip_versions=frozenset()))
    ec2 = {name.split("/")[1] for name in files if name.startswith("ec2/")}
    assert len(ec2) == 10
    assert files["ec2/1.0/user-data"] == b"x"
    assert "instance-type" not in data(files, "ec2/2007-03-01/meta-data.json")
    assert data(files, "ec2/2007-08-29/meta-data.json")["instance-type"] == "m1.small"


def test_what_the_newest_metadata_say():
    latest = data(tree(request()), "openstack/latest/meta_data.json")
    assert latest == {
        "uuid": UUID,
        "hostname": "web.novalocal",
        "name": "Web 1",
        "launch_index": 0,
        "availability_zone": "nova",
        "random_seed": base64.b64encode(b"seed").decode(),
        "project_id": "p1",
        "devices": [],
        "dedicated_cpus": [],
    }


def test_what_the_oldest_metadata_say():
    oldest = data(tree(request()), "openstack/2012-08-10/meta_data.json")
    assert set(oldest) == {"uuid", "hostname", "name", "launch_index", "availability_zone"}


def test_properties_keys_password_and_files():
    key = SimpleNamespace(name="mine", type="ssh", public_key="ssh-rsa AAA")
    instance = make_instance(
        metadata={"role": "web"}, key_name="mine", key_data="ssh-rsa AAA", keypairs=[key]
    )
    files = tree(
        request(
            instance,
            admin_password="secret",
            files=(("/etc/motd", b"hello"), ("/etc/x", b"\xff")),
            network_config=b"auto eth0",
        )
    )
    told = data(files, "openstack/2013-04-04/meta_data.json")
    assert told["meta"] == {"role": "web"}
    assert told["admin_pass"] == "secret"
    assert told["public_keys"] == {"mine": "ssh-rsa AAA"}
    assert told["keys"] == [{"name": "mine", "type": "ssh", "data": "ssh-rsa AAA"}]
    assert told["network_config"] == {"name": "network_config", "content_path": "/content/0000"}
    assert told["files"] == [
        {"path": "/etc/motd", "content_path": "/content/0001"},
        {"path": "/etc/x", "content_path": "/content/0002"},
    ]
    assert files["openstack/content/0000"] == b"auto eth0"
    assert files["openstack/content/0001"] == b"hello"
    assert files["openstack/content/0002"] == b"\xff"
    public = data(files, "ec2/latest/meta-data.json")["public-keys"]
    assert public == {"0": {"_name": "0=mine", "openssh-key": "ssh-rsa AAA"}}


def test_a_key_pair_that_was_deleted_is_left_out():
    told = data(tree(request(make_instance(key_name="gone"))), "openstack/latest/meta_data.json")
    assert "keys" not in told
    assert "public_keys" not in told


def test_secrets_show_in_no_repr():
    shown = repr(request(admin_password="s3cret", files=(("/p", b"content of a file"),)))
    assert "s3cret" not in shown
    assert "content of a file" not in shown


def test_user_data_are_decoded_and_everywhere():
    files = tree(request(make_instance(user_data=base64.b64encode(b"#!/bin/sh\n").decode())))
    for version in OPENSTACK_VERSIONS:
        assert files[f"openstack/{version}/user_data"] == b"#!/bin/sh\n"
    assert files["ec2/latest/user-data"] == b"#!/bin/sh\n"
    with pytest.raises(ValueError):
        tree(request(make_instance(user_data="a")))


def test_vendor_data_of_the_operator_and_of_others():
    options = MetadataOptions(static_vendor_data={"a": 1}, dhcp_domain=None)
    files = tree(request(dynamic_vendor_data={"asset": {"b": 2}, "static": "forged"}), options)
    assert data(files, "openstack/latest/vendor_data.json") == {"a": 1}
    assert data(files, "openstack/latest/vendor_data2.json") == {"asset": {"b": 2}, "static": {"a": 1}}
    assert data(files, "openstack/latest/meta_data.json")["hostname"] == "web"


def test_what_ec2_says():
    ids = SimpleNamespace(ami_id="ami-1", instance_id="i-1", kernel_id="aki-1", ramdisk_id=None)
    files = tree(request(make_instance(ec2_ids=ids), [vif()], security_groups=("default",)))
    assert data(files, "ec2/latest/meta-data.json") == {
        "ami-id": "ami-1",
        "ami-launch-index": 0,
        "ami-manifest-path": "FIXME",
        "instance-id": "i-1",
        "hostname": "web.novalocal",
        "local-ipv4": "10.0.0.5",
        "reservation-id": "r-1",
        "security-groups": ["default"],
        "local-hostname": "web.novalocal",
        "public-hostname": "web.novalocal",
        "public-ipv4": "192.0.2.9",
        "instance-type": "m1.small",
        "block-device-mapping": {"ami": "sda1", "ephemeral0": "sda2", "root": "/dev/sda1", "swap": "sda3"},
        "kernel-id": "aki-1",
        "placement": {"availability-zone": "nova"},
        "instance-action": "none",
    }


def test_the_network_of_a_fixed_address():
    files = tree(request(vifs=[vif()]))
    assert data(files, "openstack/latest/network_data.json") == {
        "links": [
            {
                "id": "tapport-1",
                "vif_id": "port-1",
                "type": "ovs",
                "mtu": 1450,
                "ethernet_mac_address": "fa:16:3e:00:00:01",
            }
        ],
        "networks": [
            {
                "id": "network0",
                "type": "ipv4",
                "link": "tapport-1",
                "network_id": "net-1",
                "ip_address": "10.0.0.5",
                "netmask": "255.255.255.0",
                "routes": [
                    {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
                    {"network": "172.16.0.0", "netmask": "255.240.0.0", "gateway": "10.0.0.254"},
                ],
                "services": [{"type": "dns", "address": "8.8.8.8"}],
            }
        ],
        "services": [{"type": "dns", "address": "8.8.8.8"}],
    }


def test_the_network_of_dhcp_and_of_ipv6():
    six = {
        "cidr": "2001:db8::/64",
        "version": 6,
        "ips": [{"address": "2001:db8::5"}],
        "gateway": {"address": "2001:db8::1"},
        "ipv6_address_mode": "slaac",
    }
    files = tree(
        request(vifs=[vif(type="hostdev", devname=None, subnet={"dhcp_server": "10.0.0.2"}, subnets=[six])])
    )
    told = data(files, "openstack/latest/network_data.json")
    assert told["links"][0]["id"] == "interface0"
    assert told["links"][0]["type"] == "phy"
    assert told["links"][0]["mtu"] is None
    assert told["networks"][0] == {
        "id": "network0",
        "type": "ipv4_dhcp",
        "link": "interface0",
        "network_id": "net-1",
    }
    assert told["networks"][1]["type"] == "ipv6_slaac"
    assert told["networks"][1]["netmask"] == "ffff:ffff:ffff:ffff::"
    assert told["networks"][1]["routes"][0]["network"] == "::"


def test_no_network():
    empty = {"id": "port-2", "network": {"id": "n", "subnets": []}}
    assert data(tree(request()), "openstack/latest/network_data.json") == {}
    none = data(tree(request(vifs=[empty])), "openstack/latest/network_data.json")
    assert none == {"links": [], "networks": [], "services": []}


def test_devices_by_version():
    devices = objects.InstanceDeviceMetadata(
        devices=[
            objects.NetworkInterfaceMetadata(
                mac="fa:16:3e:00:00:01", bus=objects.PCIDeviceBus(address="0000:00:03.0"), tags=["n"], vlan=7
            ),
            objects.NetworkInterfaceMetadata(
                mac="fa:16:3e:00:00:02", bus=objects.PCIDeviceBus(address="0000:00:04.0")
            ),
            objects.DiskMetadata(
                serial="s", path="/dev/vda", bus=objects.SCSIDeviceBus(address="1:0:0:0"), tags=["d"]
            ),
            objects.ShareMetadata(share_id="sh", tag="share-tag"),
            objects.DiskMetadata(bus=objects.DeviceBus()),
        ]
    )
    files = tree(request(make_instance(device_metadata=devices)))
    newton = data(files, "openstack/2016-06-30/meta_data.json")["devices"]
    assert newton == [
        {"type": "nic", "mac": "fa:16:3e:00:00:01", "bus": "pci", "address": "0000:00:03.0", "tags": ["n"]},
        {
            "type": "disk",
            "serial": "s",
            "path": "/dev/vda",
            "bus": "scsi",
            "address": "1:0:0:0",
            "tags": ["d"],
        },
    ]
    latest = data(files, "openstack/latest/meta_data.json")["devices"]
    assert [device["type"] for device in latest] == ["nic", "nic", "disk", "share"]
    assert latest[0]["vlan"] == 7
    assert latest[0]["vf_trusted"] is False
    assert latest[3] == {
        "type": "share",
        "share_id": "sh",
        "tag": "share-tag",
        "bus": "none",
        "address": "none",
    }
    assert "devices" not in data(files, "openstack/2015-10-15/meta_data.json")
    assert [d["type"] for d in data(files, "openstack/2020-10-14/meta_data.json")["devices"]][-1] == "disk"


def test_dedicated_cpus():
    topology = SimpleNamespace(cells=[SimpleNamespace(pcpuset={3, 1}), SimpleNamespace(pcpuset={2})])
    files = tree(request(make_instance(numa_topology=topology)))
    assert data(files, "openstack/latest/meta_data.json")["dedicated_cpus"] == [1, 2, 3]
    assert "dedicated_cpus" not in data(files, "openstack/2018-08-27/meta_data.json")


def bdm(source, destination, name, guest_format=None):
    return SimpleNamespace(
        source_type=source, destination_type=destination, device_name=name, guest_format=guest_format
    )


def test_devices_under_their_ec2_names():
    bdms = [
        bdm("image", "local", "/dev/vda"),
        bdm("volume", "volume", "/dev/vdc"),
        bdm("blank", "volume", "/dev/vdb"),
        bdm("blank", "local", "/dev/vdd", "swap"),
        bdm("blank", "local", "/dev/vde"),
    ]
    assert block_mapping(make_instance(), bdms) == {
        "ami": "vda",
        "root": "/dev/vda",
        "ebs0": "/dev/vdb",
        "ebs1": "/dev/vdc",
        "swap": "/dev/vdd",
        "ephemeral0": "/dev/vde",
    }
    old = make_instance(default_ephemeral_device="/dev/vdx", default_swap_device="/dev/vdy")
    assert block_mapping(old, []) == {
        "ami": "vda",
        "root": "/dev/vda",
        "ephemeral0": "/dev/vdx",
        "swap": "/dev/vdy",
    }
    assert block_mapping(make_instance(root_device_name=None), bdms)["root"] == "/dev/sda1"
