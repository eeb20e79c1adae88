#!/bin/sh
# What is done on purpose around a restore: around.sh TRICK dump|restore CRIU...
set -eu
trick=$1 step=$2
shift 2
[ "$step" = restore ] || exec "$@"

case $trick in
tell)
	"$@"
	: >/work/restored
	;;
crash)
	read -r release </proc/sys/kernel/osrelease
	case $release in
	6.16.*)
		"$@" &
		until [ -s /checkpoint/logs/restore.log ]; do :; done
		# a panic, as from any fault of the kernel's own: `c` of Documentation/admin-guide/sysrq.rst
		echo c >/proc/sysrq-trigger
		;;
	*) exec "$@" ;;
	esac
	;;
collide)
	read -r wanted </checkpoint/pid
	echo $((wanted - 1)) >/proc/sys/kernel/ns_last_pid
	sleep 600 </dev/null >/dev/null 2>&1 &
	[ $! = "$wanted" ] || exit 70
	exec "$@"
	;;
esac
