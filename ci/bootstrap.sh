#!/bin/bash
# Makes a Debian 12 host ready for kmatrix: host packages, and a Python environment in .venv.
#
# Root, or an ordinary user; sudo is used only when packages are missing. What is there is not done twice.
# KMATRIX_PYTHON is the interpreter that .venv is made from.
set -euo pipefail

readonly LAB_BROKEN=6
python=${KMATRIX_PYTHON:-/usr/bin/python3}

say() { echo "bootstrap: $*" >&2; }

fail() {
    say "$@"
    exit "$LAB_BROKEN"
}

# The packages in the table that both this script and `kmatrix doctor` read.
wanted_packages() { awk '!/^#/ && NF { print $1 }' harness/host-packages.txt; }

missing_packages() {
    local installed
    # dpkg-query fails if it does not know a package, and still prints the others.
    # shellcheck disable=SC2046
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(wanted_packages) 2>/dev/null || true)
    comm -23 <(wanted_packages | sort) <(sed -n 's/^installed //p' <<<"$installed" | sort)
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_packages() {
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        fail "packages are missing and there is no sudo; as root: apt-get install --no-install-recommends $*"
    fi
    say "installing $*"
    # A foreign source that is broken does not matter if Debian's own lists came through.
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update || say "apt-get update had errors, going on"
    keep_daemons_down
    # An installation that was interrupted earlier; apt-get refuses to work until it is finished.
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "$@"
    let_daemons_up
}

# libvirt-daemon-system would start libvirtd, virtlogd and a network bridge. A policy of the host's own is left alone;
# one of ours that is already there was left by a bootstrap that was killed.
policy=/usr/sbin/policy-rc.d
keep_daemons_down() {
    if [ ! -e "$policy" ]; then
        trap let_daemons_up EXIT
        as_root install -m 755 ci/policy-rc.d "$policy"
    fi
}

let_daemons_up() {
    if cmp -s ci/policy-rc.d "$policy"; then
        as_root rm -f "$policy"
    fi
}

# Everything that .venv is made from. If it is what the stamp says, there is nothing to do.
recipe() {
    "$python" -c 'import sys; print(sys.version)'
    pwd
    sha256sum pyproject.toml ci/constraints.txt
}

check_python() {
    [ -x "$python" ] || fail "there is no $python"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python is older than 3.11, which kmatrix needs; Debian 12 has it"
}

# Whether the environment there is can be brought up to date in place: neither left half-made by an interrupted call
# nor made from another interpreter.
usable_venv() {
    [ ! -e .venv/unfinished ] &&
        [ -x .venv/bin/python ] &&
        [ "$(.venv/bin/python -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null)" = \
            "$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')" ]
}

make_venv() {
    if [ -e .venv ] && [ ! -w .venv ]; then
        fail "$PWD/.venv belongs to another user; remove it: sudo rm -r $PWD/.venv"
    fi
    if ! usable_venv; then
        rm -rf .venv
    fi
    mkdir -p .venv
    touch .venv/unfinished
    rm -f .venv/stamp
    if [ ! -x .venv/bin/python ]; then
        say "making the Python environment in $PWD/.venv"
        "$python" -m venv .venv
    fi
    say "installing the Python packages"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint ci/constraints.txt --editable '.[dev]'
    recipe >.venv/stamp
    rm .venv/unfinished
}

main() {
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    local missing
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086
        install_packages $missing
    fi
    check_python
    mkdir -p .stamps
    # Two at once in one checkout: the second waits and finds everything made.
    exec 9>.stamps/setup.lock
    flock 9
    if [ -e .venv/unfinished ] || [ "$(recipe)" != "$(cat .venv/stamp 2>/dev/null)" ]; then
        make_venv
    fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
