#!/bin/sh
# What the lab does in a guest once a boot; the host calls `lab STEP ARGUMENTS`. What an attempt needs is in static
# programs (`images/guest`), for which no shell has to start.
#
#   lab prepare        before the snapshot
#   lab modules        let the kernel load what CRIU asks about
#   lab warm CRIU      that, and let CRIU find out about the kernel, before the snapshot
#   lab clean          end the workload, forget its files
set -u
WORK=/work
CHECKPOINT=/checkpoint
OUT=/dev/virtio-ports/kmatrix.out
INPUT=/run/kmatrix/input

fail() {
	echo "lab: $*" >&2
	exit 64
}

# Where a cell's own part of the kernel's messages begins, and how tainted the kernel is there. `logs` marks the end.
mark() {
	read -r tainted </proc/sys/kernel/tainted
	echo "<6>kmatrix: a cell begins, tainted $tainted" >/dev/kmsg
}

prepare() {
	for disk in /sys/block/vd*; do
		serial=
		read -r serial <"$disk/serial"
		[ "$serial" = input ] && ln -sf "/dev/${disk##*/}" $INPUT
	done
	[ -e $INPUT ] || fail "there is no disk with serial input"
	[ -c $OUT ] || fail "there is no port kmatrix.out"
	mkdir -p $WORK $CHECKPOINT/images $CHECKPOINT/logs
	mark
}

# What a first dump and restore, or a CRIU that checks the kernel, would have it load one by one: the modules were seen
# in lsmod before and after, with sockets of every kind and a network lock. A kernel has them built in, as modules, or not
# at all.
modules() {
	legacy=
	read -r release </proc/sys/kernel/osrelease
	case $release in
	[23].*) legacy="ip_tables ip6_tables iptable_filter ip6table_filter" ;;
	esac
	# shellcheck disable=SC2086  # a list of words
	modprobe -qab unix_diag inet_diag tcp_diag udp_diag raw_diag af_packet_diag netlink_diag \
		nf_tables nft_compat xt_mark xt_tcpudp nf_conntrack_netlink $legacy 2>/dev/null
}

# While a workload is frozen there is no time for CRIU to find out about the kernel. Only worth its seconds where a
# snapshot keeps it.
warm() {
	modules
	timeout 20 "$1" check >/run/kmatrix/criu-check.log 2>&1
	echo "exit status $?" >>/run/kmatrix/criu-check.log
	mark
}

# A container of an earlier cell: the engine's own state is outside the two directories that are removed.
end_containers() {
	for runtime in runc crun; do
		[ -d "/run/$runtime/kmatrix" ] && "$runtime" delete --force kmatrix
	done
	[ -d /run/containers ] && podman --storage-driver vfs rm --all --force
	[ -d $WORK/container/rootfs ] && [ -e $WORK/container/config ] && lxc-stop -P $WORK -n container --kill
	[ -e /run/netns/kmatrix ] && ip netns delete kmatrix
}

# Only for guests that are not reset between cells. The input disk changes under the guest's page cache.
clean() {
	read -r pid <$CHECKPOINT/pid && kill -KILL -- "-$pid" 2>/dev/null
	end_containers >/dev/null 2>&1
	rm -rf $WORK $CHECKPOINT
	mkdir -p $WORK $CHECKPOINT/images $CHECKPOINT/logs
	dmesg --clear
	echo 1 >/proc/sys/vm/drop_caches
	mark
}

step=$1
shift
case $step in
prepare) prepare ;;
modules) modules ;;
warm) warm "$@" ;;
clean) clean ;;
*) fail "no step $step" ;;
esac
