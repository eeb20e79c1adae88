#!/bin/sh
# pid 1 of every guest, on Linux 3.11 as on 7.3: no step is assumed to work, each failure is said on the console.
# Under emulation a fork costs 5 to 10 ms, so what the shell can do itself is done by it.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
LANG=C.UTF-8
export PATH HOME LANG

say() {
	echo "kmatrix: $*" >/dev/console
}

try() {
	"$@" || say "failed with status $?: $*"
}

# The initrd may have moved its own mounts here already.
[ -e /proc/self/stat ] || try mount -t proc -o nosuid,nodev,noexec proc /proc
[ -e /sys/kernel ] || try mount -t sysfs -o nosuid,nodev,noexec sys /sys
[ -e /dev/null ] || try mount -t devtmpfs -o mode=0755 dev /dev
exec </dev/null >/dev/console 2>&1
try mount -t tmpfs -o mode=0755,nosuid,nodev run /run
try mount -t tmpfs -o mode=1777,nosuid,nodev tmp /tmp
mkdir -p /dev/pts /dev/shm /dev/virtio-ports /run/kmatrix /run/lock
try mount -t devpts -o mode=0620,gid=5,ptmxmode=0666,nosuid,noexec devpts /dev/pts
try mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
# What udev makes of a module's static node: opening it loads the driver. CRIU probes it.
mkdir /dev/net && mknod -m 0666 /dev/net/tun c 10 200
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
	[ -e "/dev/${link%%:*}" ] || ln -s "${link#*:}" "/dev/${link%%:*}"
done
# cgroup2 came with 4.5. Before that the guest has no cgroups, and CRIU finds none to save.
while read -r nodev filesystem; do
	if [ "$filesystem" = cgroup2 ]; then
		try mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
	fi
done </proc/filesystems
# Without a udev nobody else loads the driver (a module before 6.12) or names the ports, and their numbers depend on the
# order in which they were added. The host announces them one by one, after the driver is there.
modprobe -q virtio_console
tries=0
until [ -e /dev/virtio-ports/kmatrix.agent ] && [ -e /dev/virtio-ports/kmatrix.out ]; do
	for port in /sys/class/virtio-ports/*; do
		name=
		[ -r "$port/name" ] && read -r name <"$port/name"
		[ -n "$name" ] && ln -sf "../${port##*/}" "/dev/virtio-ports/$name"
	done
	tries=$((tries + 1))
	if [ $tries -gt 100 ]; then
		echo "KMATRIX-BOOT-FAILED: no virtio-serial port kmatrix.agent or kmatrix.out" >/dev/console
		break
	fi
	[ -e /dev/virtio-ports/kmatrix.out ] || sleep 0.05
done

echo kmatrix >/proc/sys/kernel/hostname
# An oops is evidence: the guest says so on its console and goes on, unless the kernel's command line wants a panic.
read -r cmdline </proc/cmdline
case " $cmdline " in
*" oops=panic "*) ;;
*) echo 0 >/proc/sys/kernel/panic_on_oops ;;
esac
try ip link set lo up

read -r release </proc/sys/kernel/osrelease
read -r version </proc/sys/kernel/version
case $release in
[23].*)
	# the nft behind Debian's iptables asks for what these kernels do not have, and CRIU calls iptables
	for name in iptables iptables-restore iptables-save ip6tables ip6tables-restore ip6tables-save; do
		ln -sf "/usr/sbin/${name%%-*}-legacy${name#"${name%%-*}"}" "/etc/alternatives/$name"
	done
	;;
esac

# A cache made by another kernel gives false results.
rm -f /run/criu.kdat

read -r uptime _ </proc/uptime
say "Linux $release $version, up $uptime s"
echo KMATRIX-READY >/dev/console

# The shell stays and reaps what loses its parent. An agent that dies does not come back: the lab takes the guest for
# lost and boots another.
/usr/lib/kmatrix/agent /dev/virtio-ports/kmatrix.agent >>/run/kmatrix/agent.log 2>&1
say "the agent ended with status $?"
while :; do
	sleep 3600
done
