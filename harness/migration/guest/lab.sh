#!/bin/sh
# The lab's steps inside a guest; the host calls `lab STEP ARGUMENTS`. Under emulation a fork and exec costs 20 to
# 40 ms, so what the shell can do itself is done by it. Each step prints what the host wants to know, nothing else.
#
#   lab prepare                        once, before the snapshot
#   lab modules                        let the kernel load what CRIU asks about
#   lab warm CRIU                      that, and let CRIU find out about the kernel, before the snapshot
#   lab start own|shared COMMAND...    unpack the input, start the workload, print its pid
#   lab adopt FILE                     print the pid in a file of the work directory: the tree's, from now on
#   lab dump COMMAND...                run CRIU, print its exit code, its seconds and the uptime
#   lab pack                           write work directory and images to the out port
#   lab restore UPTIME COMMAND...      unpack the input, run CRIU, print its exit code and its seconds
#   lab unpack UPTIME                  unpack the input and no more, for a container engine
#   lab clean                          end the workload, forget its files
set -u
WORK=/work
CHECKPOINT=/checkpoint
OUT=/dev/virtio-ports/kmatrix.out
INPUT=/run/kmatrix/input
HAND=/usr/lib/kmatrix/hand
UNPACK=/usr/lib/kmatrix/unpack
# Far above every pid of the guest's own, so that the same numbers are free on the other side.
FIRST_PID=20000

uptime() {
	read -r now _ </proc/uptime
}

fail() {
	echo "lab: $*" >&2
	exit 64
}

unpack() {
	$UNPACK $INPUT / || fail "cannot unpack the input disk"
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

start() {
	network=$1
	shift
	unpack
	cd $WORK || fail "no $WORK"
	echo $FIRST_PID >/proc/sys/kernel/ns_last_pid || fail "cannot set ns_last_pid"
	$HAND start "$network" "$@" </dev/null >stdout.log 2>&1 &
	echo $! >$CHECKPOINT/pid
	echo $!
}

adopt() {
	pid=
	read -r pid <"$WORK/$1"
	[ -n "$pid" ] || fail "no pid in $1"
	echo "$pid" >$CHECKPOINT/pid
	echo "$pid"
}

# A command's exit code and its seconds, by the clock that the host cannot see.
timed() {
	uptime
	started=$now
	"$@" >>$CHECKPOINT/logs/criu.out 2>&1
	code=$?
	uptime
	echo "$code $started $now"
}

# Without time namespaces (before 5.6) CLOCK_MONOTONIC of the restored process is this kernel's. A guest younger than the
# one that dumped would be the lab's doing, not the kernel's: wait until it is older.
grow_older() {
	[ -e /proc/self/ns/time ] && return
	uptime
	while [ "${now%.*}" -le "${1%.*}" ]; do
		sleep 0.1
		uptime
	done
}

restore() {
	unpack
	grow_older "$1"
	shift
	timed "$@"
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
start) start "$@" ;;
adopt) adopt "$@" ;;
dump) timed "$@" ;;
pack) exec tar -cf $OUT -b 512 -C / work checkpoint/images checkpoint/pid ;;
restore) restore "$@" ;;
unpack) unpack && grow_older "$1" ;;
clean) clean ;;
*) fail "no step $step" ;;
esac
