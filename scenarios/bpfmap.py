"""BPF maps: a frozen array, an array that two descriptors and a child share, and a hash with gaps.

Contents, names, sizes, flags and frozenness are compared; writes through each descriptor must show in the others.
Left out because CRIU knows no way to make them again: maps of other types, BTF, programs, pins in a bpffs
(https://github.com/checkpoint-restore/criu/pull/1219).

CRIU carries both types since 3.15 if it was built with libbpf. Debian's is not (3.17.1, 4.1.1 and 4.2.1 alike): it
refuses such a descriptor as one that it does not know, which is the expected result there.

Leans on bpf(2): map names (4.15), BPF_MAP_FREEZE (5.2), batched lookups (5.6). The field
map_extra in fdinfo (5.16, https://github.com/torvalds/linux/commit/9330986c0300) broke CRIU until 3.17.
"""

from __future__ import annotations

from harness.scenario import Needs, Scenario

SCENARIO = Scenario(
    command=("bin/bpfmap",),
    sources=("bpfmap.c",),
    needs=Needs(config=("CONFIG_BPF_SYSCALL",), kernel="5.6"),
    refusal=r"anon_inode:bpf-map",
)

CORRUPTIONS = {
    "value": "table: byte 23",
    "gap": "table: its entries: is 15, expected 14",
    "thawed": "frozen array: takes a value",
    "unshared": "open array, written through the second descriptor",
    "name": "'frozen': .*'other type",
}
