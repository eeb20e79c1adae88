#!/bin/sh
# What a container engine needs in a guest besides its own commands; the host calls `container STEP ARGUMENTS` between
# its other steps. The bundle (root file system, configuration) and the volume travel; all else is made again.
#
#   container rootfs                   once: a root file system of the userland's loader, libc, shell and the workload
#   container image NAME               once: an archive of that root file system, which `podman load` takes
#   container network NAME             a network namespace with loopback up, where the engine leaves that to others
#   container security                 what a host with AppArmor has mounted
#   container find COMMAND...          print the pid that COMMAND prints, and the pid by which that process knows itself
set -u
WORK=/work
BUNDLE=$WORK/container
ROOTFS=$BUNDLE/rootfs
CHECKPOINT=/checkpoint
LOADER=/lib64/ld-linux-x86-64.so.2

fail() {
	echo "container: $*" >&2
	exit 64
}

# Each program and the libraries that the userland's own loader finds for it: `name => path (address)` or `path (address)`.
rootfs() {
	mkdir -p $WORK/volume $ROOTFS/bin $ROOTFS/dev $ROOTFS/etc $ROOTFS/proc $ROOTFS/sys $ROOTFS/tmp $ROOTFS/work
	cp $WORK/bin/* /bin/sh $ROOTFS/bin || fail "cannot copy the programs"
	for program in "$ROOTFS"/bin/*; do
		$LOADER --list "$program"
	done | while read -r name arrow path _; do
		[ "$arrow" = "=>" ] || path=$name
		[ "${path#/}" = "$path" ] || [ -e "$ROOTFS$path" ] && continue
		mkdir -p "$ROOTFS${path%/*}" && cp -L "$path" "$ROOTFS$path" || fail "cannot copy $path"
	done
	[ -e $ROOTFS$LOADER ] || fail "the workload has no loader"
}

# The format of `docker save`: both sides load the same bytes, so that the image's id, which a checkpoint names, is the same.
image() {
	cd $BUNDLE || fail "no $BUNDLE"
	tar -cf layer.tar -C rootfs . || fail "cannot archive the root file system"
	sum=$(sha256sum layer.tar)
	printf '{"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:%s"]}}\n' \
		"${sum%% *}" >image.json
	printf '[{"Config": "image.json", "RepoTags": ["%s"], "Layers": ["layer.tar"]}]\n' "$1" >manifest.json
	tar -cf image.tar manifest.json image.json layer.tar || fail "cannot archive the image"
	rm -rf rootfs layer.tar image.json manifest.json
}

network() {
	ip netns add "$1" && ip -n "$1" link set lo up || fail "cannot make a network namespace"
}

# Whether a kernel has AppArmor CRIU reads there, liblxc elsewhere: where it is not mounted they disagree. CRIU's cache of
# what the kernel has was made without it.
security() {
	[ -e /sys/kernel/security/lsm ] && return
	mount -t securityfs securityfs /sys/kernel/security || fail "cannot mount securityfs"
	rm -f /run/criu.kdat
}

find() {
	pid=$("$@") || fail "there is no container: $* ended with $?"
	own=
	while read -r name value; do
		[ "$name" = NSpid: ] && own=${value##*[!0-9]}
	done <"/proc/$pid/status"
	[ -n "$own" ] || fail "there is no process '$pid'"
	echo "$pid" >$CHECKPOINT/pid
	echo "$pid $own"
}

step=$1
shift
case $step in
rootfs) rootfs ;;
image) image "$@" ;;
network) network "$@" ;;
security) security ;;
find) find "$@" ;;
*) fail "no step $step" ;;
esac
