#!/bin/sh
# The lab's steps around one ZDTM test inside a guest. `test.conf` says which test, and how it wants to be run.
#
#   zdtm.sh start                 start the test, say in the file `ready` what came of it, end
#   zdtm.sh dump CRIU...          what CRIU's runner does before and after a dump
#   zdtm.sh restore CRIU...       what it does before a restore, and what moving to another machine takes
#   zdtm.sh hook STEP             run the test's hook, if it has one
WORK=/work
TEST=$WORK/test
LOGS=/checkpoint/logs
# A rehearsed test's directory as it was before its start, and as it came from the other machine.
PRISTINE=$WORK/pristine.tar
ARRIVED=$WORK/arrived
PLACE=/run/zdtm
ROOT=$PLACE/root/root
DEV=$PLACE/dev
SKIP=77
TMPDIR=$WORK/tmp
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export TMPDIR PATH
# FLAVOUR NAME ARGUMENTS SUID HOOK CHECKSKIP CGROUPS NETFILTER NOTIFY REHEARSED FILES
. $WORK/bin/test.conf
OWN=zdtm/static/$NAME
umask 0000
cd $TEST || exit 1

# CRIU's runner makes these once for all tests: a controller that appears during a dump confuses CRIU.
make_cgroups() {
	for name in zdtmtst zdtmtst.defaultroot; do
		mkdir -p $PLACE/cgroup
		mount -t cgroup -o "none,name=$name" zdtm $PLACE/cgroup && mkdir -p $PLACE/cgroup/holder.kmatrix &&
			umount -l $PLACE/cgroup || return 1
	done
}

stage() {
	if [ "$CGROUPS" = yes ]; then
		make_cgroups || return 1
	fi
	[ "$FLAVOUR" = host ] && return 0
	mkdir -p $ROOT $DEV && $WORK/bin/eye stage $TEST $ROOT $DEV
}

unfit() {
	[ "$CHECKSKIP" = yes ] && ! $OWN.checkskip >/dev/null 2>&1
}

hook() {
	[ "$HOOK" = yes ] || return 0
	$OWN.hook "$1"
}

tell() {
	echo "$*" >$WORK/ready
	exit 0
}

environment() {
	read -r KMATRIX_NONCE </proc/sys/kernel/random/uuid
	ZDTM_THREAD_BOMB=5
	export KMATRIX_NONCE ZDTM_THREAD_BOMB
	if [ "$NOTIFY" = yes ]; then
		export ZDTM_NOTIFY_FDIN=100 ZDTM_NOTIFY_FDOUT=101
	fi
	if [ "$SUID" = no ]; then
		# CRIU's own numbers: its runner can dump as this user
		export ZDTM_UID=18943 ZDTM_GID=58467 ZDTM_GROUPS="27495 48244"
	fi
	if [ "$FLAVOUR" != host ]; then
		export ZDTM_NEWNS=1 ZDTM_ROOT=$ROOT ZDTM_DEV=$DEV
	fi
	if [ "$FLAVOUR" = uns ]; then
		export ZDTM_USERNS=1
	fi
}

start() {
	if [ "$REHEARSED" = yes ] && [ ! -e $PRISTINE ]; then
		tar -cf $PRISTINE -C $WORK "${TEST##*/}" || tell fail "the test's files cannot be kept"
	fi
	stage || tell fail "the test's root cannot be made"
	unfit && tell skip "its .checkskip says that this kernel cannot run it"
	if [ "$FLAVOUR" != host ]; then
		# shellcheck disable=SC2086  # a list of files
		cp -L --parents $FILES $TEST || tell fail "the test's libraries cannot be copied"
	fi
	environment
	hooked=
	if [ "$HOOK" = yes ]; then
		hook --post-start &
		hooked=$!
	fi
	place=$TEST
	[ "$FLAVOUR" = host ] || place=$ROOT
	cd "$place/zdtm/static" || tell fail "no directory $place/zdtm/static"
	# shellcheck disable=SC2086  # a list of arguments
	./"$NAME" $ARGUMENTS
	code=$?
	[ -z "$hooked" ] || wait $hooked || tell fail "its hook --post-start ended with $?"
	[ $code = 0 ] || tell fail "the test did not start: it ended with $code"
	[ "$FLAVOUR" = host ] || chmod 0700 $PLACE/root
	tell ok
}

# The mounts that a rehearsed test, or its hook, has made below its directory, outside of what is checkpointed.
own_mounts() {
	while read -r _ _ _ _ mount _; do
		case $mount in
		$TEST/*) echo "$mount" ;;
		esac
	done </proc/self/mountinfo
}

# In the words of CRIU's log, because that is where the lab looks for the reason.
complain() {
	echo "Error (zdtm): $2" >>$LOGS/"$1".log
	exit 1
}

dump() {
	read -r ZDTM_TEST_PID <$OWN.pid
	export ZDTM_TEST_PID
	hook --pre-dump || complain dump "its hook --pre-dump ended with $?"
	"$@" || exit $?
	rm -f $OWN.pid
	if [ "$REHEARSED" = yes ]; then
		# what is seen through them is the machine's, and no file that could be moved
		own_mounts | sort -r | xargs -r umount -l || complain dump "what the test has mounted cannot be unmounted"
	fi
	if [ "$NETFILTER" = yes ]; then
		iptables-save >$WORK/netfilter.4 && ip6tables-save >$WORK/netfilter.6 ||
			complain dump "the netfilter rules cannot be saved"
		nft list table inet CRIU >$WORK/netfilter.nft 2>/dev/null
	fi
	exit 0
}

# CRIU's dump locks the connections with netfilter rules, and its restore takes the lock away. In the flavour host the
# rules are the machine's: without them another machine's kernel resets a connection that is not whole yet.
lock_network() {
	iptables-restore <$WORK/netfilter.4 && ip6tables-restore <$WORK/netfilter.6 || return 1
	[ ! -s $WORK/netfilter.nft ] || nft -f $WORK/netfilter.nft
}

# The files as they came from the other machine, around what the rehearsal has mounted.
settle() {
	find . -xdev ! -type d -delete || return 1
	for mount in $(own_mounts); do
		rm -rf "$ARRIVED/${mount#"$TEST"/}"
	done
	cp -a $ARRIVED/. . && rm -rf $ARRIVED
}

# What a test, or its hook, has made outside of what is checkpointed is still there when CRIU's runner restores, because
# it does so on the machine of the dump. Another machine gets it as that one did: the test is started there from the same
# files, its processes are killed, and its hook clears away what it wants the restore to make.
rehearse() {
	mv $TEST $ARRIVED && tar -xf $PRISTINE -C $WORK && cd $TEST || return 1
	rm -f $WORK/ready
	(start)
	read -r word reason <$WORK/ready
	case $word in
	ok) ;;
	skip) exit $SKIP ;;
	*) complain restore "what the test has outside of itself cannot be made: $reason" ;;
	esac
	read -r pid <$OWN.pid
	$WORK/bin/eye kill "$pid" 10 && hook --pre-restore && settle
}

restore() {
	if [ "$REHEARSED" = yes ]; then
		rehearse || complain restore "what the test has outside of itself cannot be made"
	else
		stage || complain restore "the test's root cannot be made"
		[ "$FLAVOUR" = host ] || chmod 0700 $PLACE/root
		unfit && exit $SKIP
	fi
	if [ "$NETFILTER" = yes ]; then
		lock_network || complain restore "the netfilter rules of the dump cannot be set"
	fi
	# Unless rehearsed, not the hook's --pre-restore: it clears away what the dump has left, and here is nothing of it.
	exec "$@"
}

step=$1
shift
case $step in
start) start ;;
dump) dump "$@" ;;
restore) restore "$@" ;;
hook)
	[ -e $OWN.pid ] && read -r ZDTM_TEST_PID <$OWN.pid
	export ZDTM_TEST_PID ZDTM_IMG_DIR=/checkpoint
	hook "$1"
	;;
esac
