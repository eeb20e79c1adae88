#!/bin/busybox sh
# The first process of every guest: finds the root disk, mounts it, hands over to the image's own init.
# Disks are known by their virtio serial (since Linux 2.6.36), not by letter: letters follow the probing order.

patience=100 # tenths of a second to wait for a disk

fail() {
	echo "KMATRIX-BOOT-FAILED: $1"
	sync
	sleep 0.2
	poweroff -f
	# a kernel without ACPI cannot power off; PID 1 must not return, that would look like a panic
	while :; do sleep 60; done
}

# disk SERIAL: print the device with that serial, waiting for it to appear
disk() {
	tries=0
	while [ "$tries" -lt "$patience" ]; do
		for file in /sys/block/vd*/serial; do
			[ -r "$file" ] || continue
			if [ "$(cat "$file")" = "$1" ]; then
				name=${file#/sys/block/}
				echo "/dev/${name%/serial}"
				return 0
			fi
		done
		tries=$((tries + 1))
		sleep 0.1
	done
	return 1
}

mount -t devtmpfs dev /dev || fail "this kernel has no devtmpfs"
exec </dev/console >/dev/console 2>&1
mount -t proc proc /proc || fail "this kernel has no /proc"
mount -t sysfs sys /sys || fail "this kernel has no /sys"

# in the order of their names, dependencies first; a module this CPU has no use for may refuse
for module in /modules/*.ko; do
	[ -e "$module" ] || continue
	insmod "$module" || echo "kmatrix: $module was not loaded"
done

root=$(disk root) || fail "no disk with serial root: virtio_pci or virtio_blk is missing, or the disk is"
mount -t ext4 -o rw "$root" /root || fail "$root (root) cannot be mounted as ext4"

if [ -e /has-modules-disk ]; then
	modules=$(disk modules) || fail "no disk with serial modules"
	[ -d /root/lib/modules ] || fail "the image has no directory /lib/modules"
	mount -t ext4 -o ro "$modules" /root/lib/modules || fail "$modules (modules) cannot be mounted as ext4"
fi

[ -x /root/usr/lib/kmatrix/init ] || fail "the image has no /usr/lib/kmatrix/init"
mount --move /dev /root/dev || fail "/dev cannot be moved into the image"
umount /sys
umount /proc
exec switch_root /root /usr/lib/kmatrix/init
fail "switch_root did not work"
