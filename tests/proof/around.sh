#!/bin/sh
# What is done on purpose around CRIU: around.sh TRICK dump|restore CRIU...
set -eu
trick=$1 step=$2
shift 2
DUMPED_UNDER=/work/dumped-under
read -r release </proc/sys/kernel/osrelease

if [ "$step" = dump ]; then
	echo "$release" >$DUMPED_UNDER
	exec "$@"
fi
read -r before <$DUMPED_UNDER

case $trick in
tell)
	"$@"
	[ "$before" = "$release" ] || : >/work/restored
	;;
crash)
	[ "$before" != "$release" ] || exec "$@"
	"$@" &
	until [ -s /checkpoint/logs/restore.log ]; do :; done
	# a panic, as from any fault of the kernel's own: `c` of Documentation/admin-guide/sysrq.rst
	echo c >/proc/sysrq-trigger
	;;
collide)
	read -r wanted </checkpoint/pid
	echo $((wanted - 1)) >/proc/sys/kernel/ns_last_pid
	sleep 600 </dev/null >/dev/null 2>&1 &
	[ $! = "$wanted" ] || exit 70
	exec "$@"
	;;
esac
