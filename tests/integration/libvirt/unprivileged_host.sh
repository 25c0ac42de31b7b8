#!/bin/sh
# A host of its own for an agent that is not root: users, sudo, libvirt, Open vSwitch and devices that nobody
# else sees. Runs in namespaces for mounts, processes and the network, and is gone with them.
#   unprivileged_host.sh DIRECTORY PYTHON REPOSITORY
set -eu
directory=$1 python=$2 repository=$3
user=computed-test

# A view of /sys that shows this network and no other.
mkdir -p "$directory/cgroup" "$directory/etc" "$directory/etc-work" "$directory/local" "$directory/local-work"
mount --rbind /sys/fs/cgroup "$directory/cgroup"
mount -t sysfs none /sys
mount --rbind "$directory/cgroup" /sys/fs/cgroup
ip link set lo up

# What is written here stays here.
mount -t overlay -o "lowerdir=/etc,upperdir=$directory/etc,workdir=$directory/etc-work" overlay /etc
mount -t overlay -o "lowerdir=/usr/local,upperdir=$directory/local,workdir=$directory/local-work" overlay /usr/local
for place in /run/libvirt /run/openvswitch /run/sudo /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
	mkdir -p $place
	mount -t tmpfs -o mode=0755 none $place
done

# Guests of the machine's own libvirt are no business of this one.
rm -rf /etc/libvirt/qemu
# The Python that runs the tests may live in root's own directory, and tox keeps its environments to itself.
open_way() {
	place=$(readlink -f "$1")
	while [ "$place" != / ]; do
		case $(stat -c %A "$place") in
		d????????[xt]*) ;;
		d*)
			upper=$(mktemp -d "$directory/way-XXXXXX")
			mkdir "$upper/new" "$upper/work"
			chmod 0711 "$upper/new" "$upper"
			mount -t overlay -o "lowerdir=$place,upperdir=$upper/new,workdir=$upper/work" overlay "$place"
			;;
		esac
		place=$(dirname "$place")
	done
}
open_way "$(dirname "$python")"
open_way "$python"
open_way "$repository"

# As an operator sets it up.
useradd --system --no-create-home --shell /bin/sh --groups libvirt,kvm $user
mkdir -p /etc/computed/rootwrap.d /etc/sudoers.d
cp "$repository/etc/computed/rootwrap.conf" /etc/computed/
cp "$repository"/etc/computed/rootwrap.d/* /etc/computed/rootwrap.d/
echo "$user ALL=(root) NOPASSWD: /usr/local/bin/computed-rootwrap /etc/computed/rootwrap.conf *" >/etc/sudoers.d/computed
chmod 0440 /etc/sudoers.d/computed
for program in "computed-rootwrap computed.cmd.rootwrap main" "privsep-helper oslo_privsep.daemon helper_main"; do
	set -- $program
	printf '#!%s -I\nimport sys\nsys.path.insert(0, "%s")\nfrom %s import %s\nsys.exit(%s())\n' \
		"$python" "$repository" "$2" "$3" "$3" >"/usr/local/bin/$1"
	chmod 0755 "/usr/local/bin/$1"
done
printf '%s\n' "[DEFAULT]" "compute_driver = libvirt.LibvirtDriver" "instances_path = $directory/instances" \
	"rootwrap_config = /etc/computed/rootwrap.conf" "[libvirt]" "virt_type = qemu" "cpu_mode = custom" \
	"cpu_models = Nehalem" "[vnc]" "enabled = false" >/etc/computed/computed.conf
install -d -o $user -g $user "$directory/instances" "$directory/results"

# As Debian does it, without systemd and polkit.
printf '%s\n' 'unix_sock_group = "libvirt"' 'unix_sock_rw_perms = "0770"' 'auth_unix_rw = "none"' >/etc/libvirt/libvirtd.conf
# Small enough for the guest to fill: the next log is made by virtlogd, for root only.
echo 'max_size = 4096' >/etc/libvirt/virtlogd.conf
# As where a file system cannot remember to whom libvirt is to give a disk back: root gets it.
printf '%s\n' 'cgroup_controllers = []' 'remember_owner = 0' >>/etc/libvirt/qemu.conf
virtlogd -d -p /run/libvirt/virtlogd.pid
libvirtd -d -p /run/libvirt/libvirtd.pid
ovsdb-tool create "$directory/ovs.db" /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server "$directory/ovs.db" --remote=punix:/run/openvswitch/db.sock --remote=ptcp:6640:127.0.0.1 \
	--detach --pidfile=/run/openvswitch/ovsdb-server.pid --log-file="$directory/ovs.log" 2>/dev/null
ovs-vsctl --no-wait init
ovs-vswitchd unix:/run/openvswitch/db.sock --detach --pidfile=/run/openvswitch/ovs-vswitchd.pid \
	--log-file="$directory/ovs.log" 2>/dev/null
ovs-vsctl --timeout=20 add-br br-int -- set Bridge br-int datapath_type=netdev

cd /
status=0
setpriv --reuid $user --regid $user --init-groups --inh-caps=-all env -i PATH=/usr/local/bin:/usr/bin:/bin \
	"$python" -I "$repository/tests/integration/libvirt/unprivileged_agent.py" "$repository" "$directory" || status=$?

# What is left of it, seen by root.
{
	echo "domains:$(virsh -c qemu:///system list --all --name | tr -d '\n')"
	echo "ports:$(ovs-vsctl list-ports br-int | tr '\n' ' ')"
	echo "files:$(ls "$directory/instances" | tr '\n' ' ')"
	echo "taps:$(ip -br link | grep -o '^tap[^ ]*' | tr '\n' ' ' || true)"
} >"$directory/left"
exit $status
