import subprocess, time
import pytest
from tests.integration.guest_image import marks
from tests.integration.libvirt.test_plane import guest  # noqa
from tests.integration.plane import hypervisor

def sh(c):
    r = subprocess.run(c, shell=True, capture_output=True, text=True); return f"$ {c}\n{r.stdout}{r.stderr}\n"


DIAG = ["ip -s link show {tap}", "ovs-vsctl --columns=name,ofport,error,external_ids,statistics list interface {tap}", "ovs-vsctl show", "ovs-appctl fdb/show {br}", "ovs-ofctl dump-ports {br}", "ovs-ofctl dump-flows {br}", "ovs-appctl dpctl/dump-flows netdev@ovs-netdev", "tail -30 {root}/log/ovs-vswitchd.log", "cat {root}/neutron/dhcp/*/host {root}/neutron/dhcp/*/leases", "tail -60 {root}/log/neutron-openvswitch-agent.log | cut -c1-300"]

def look(guest, port):
    out = ""
    for _ in range(3):
        for c in DIAG:
            out += sh(c.format(tap=f"tap{port[:11]}", br=guest.site.host.bridge, root=guest.site.host.settings.root))
        time.sleep(3)
    open("/tmp/repro.out","w").write(out + guest.console())

@pytest.mark.timeout(1800, func_only=True)
def test_repro(guest, cloud):
    (port,) = cloud.wait_ports_active([guest.id])
    guest.ready(boots=1)
    for n in range(2, 20):
        guest.demo.reboot_server(guest.id, "HARD"); time.sleep(1)
        guest.verbs.active()
        guest.ready()
        print(n, "ready", time.strftime("%X"), marks(guest.console(), "address"), flush=True)
        with guest.second_interface() as interface:
            t=time.time()
            link = guest.said("link", 2)[1]
            both = guest.said("address", 2)
            print(n, "address after", time.time()-t, [a.values for a in both], flush=True)
            for a in both:
                if "ip" not in a.values:
                    look(guest, interface.port_id if "eth1" in str(a) else port.id)
                    raise SystemExit("caught")
        guest.said("gone", 1)
