#!/bin/sh
# Builds CRIU's tests inside a root with the userland's compiler, and gathers what a guest needs of them.
#   build.sh JOBS [TEST...]      without tests: all
# /build/criu is the source, /build/deps the programs that tests with a root of their own ask for, one a line; what comes
# out is in /build/out: `static/`, `names`, `commands`, `libraries`, `owners`, `deps`, `make.log`.
set -u
jobs=$1
shift
OUT=/build/out
TESTS=/build/criu/test/zdtm
cd $TESTS || exit 1
mkdir -p $OUT/static

names=$(printf 'include Makefile\nkmatrix-names:\n\t@echo $(TST)\n' | make -s -C static -f - kmatrix-names | tail -n 1)
echo "$names" >$OUT/names
[ $# -gt 0 ] && names=$*
make -k -j "$jobs" -C lib libzdtmtst.a >$OUT/make.log 2>&1 || exit 1
# One that does not compile is left out, and said to be.
# shellcheck disable=SC2086  # a list of tests
make -k -j "$jobs" -C static $names >>$OUT/make.log 2>&1

built=
for name in $names; do
	[ -x "static/$name" ] && built="$built $name"
done
for name in $built; do
	for file in "$name" "$name.desc" "$name.hook" "$name.checkskip"; do
		[ -e "static/$file" ] && cp -L "static/$file" $OUT/static/
	done
done

# shellcheck disable=SC2086
make -s -k -n -C static $(printf '%s.pid ' $built) 2>/dev/null >$OUT/commands

libraries() {
	# ldd's two forms: "name => path (address)" and "path (address)"
	ldd "$1" 2>/dev/null | sed -n 's/^\t.* => \(\/[^ ]*\) .*/\1/p; s/^\t\(\/[^ ]*\) .*/\1/p' | tr '\n' ' '
}

for name in $built; do
	echo "$name $(libraries "static/$name")"
done >$OUT/libraries
# Which packages a guest must have for them.
for file in $(cut -s -d ' ' -f 2- $OUT/libraries | tr ' ' '\n' | sort -u); do
	echo "$file $(dpkg-query -S "*/${file##*/}" | sed -n '1s/[:,].*//p')"
done >$OUT/owners
while IFS='|' read -r line; do
	for file in $(echo "$line" | tr '|' ' '); do
		if [ -e "$file" ]; then
			echo "$line $file $(libraries "$file")"
			break
		fi
	done
done </build/deps >$OUT/deps
exit 0
