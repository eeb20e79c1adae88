"""The first true error of real CRIU logs, and signatures that name the cause and nothing else.

The log excerpts are the relevant lines of public reports, named beside each.
"""

from __future__ import annotations

import pytest

from harness.verdict.signature import SIGNATURE_LIMIT, error_lines, first_error, normalize

MOUNT_SLAVE = """\
(00.034502)      7: Error (criu/mount-v2.c:966): mnt-v2: Failed to make mount 476 slave: Invalid argument
(00.034694) Error (criu/mount.c:3689): mnt: Can't remove the directory /tmp/.criu.mntns.iLwsbF: Device or resource busy
(00.034723) Error (criu/cr-restore.c:2637): Restoring FAILED.
(00.035067) Error (criu/cr-restore.c:1536): 30584 killed by signal 9: Killed
(00.035626) Error (criu/cgroup.c:1970): cg: cgroupd: recv req error: No such file or directory
"""
SEGFAULT = """\
(00.204853) Error (criu/cr-restore.c:1562): 206 killed by signal 11: Segmentation fault
(00.204903) Error (criu/cr-restore.c:2483): Restoring FAILED.
"""
LEGACY_IPTABLES = """\
(00.062021) iptables has nft backend: iptables-save v1.8.8 (nf_tables)
Error (criu/util.c:626): execvp("iptables-legacy-save", ...) failed: No such file or directory
(00.062793) Error (criu/util.c:641): exited, status=1
(00.062800) Error (criu/util.c:1566): iptables-legacy-save -V failed
(00.070632) skipping iptables dump - no legacy version present
(00.091000) Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: Operation not supported
(00.091020) Error (criu/sockets.c:628): sockets: Can't get 1:34 opt: Operation not supported
(00.092000) Error (criu/cr-dump.c:1681): Dump files (pid: 873) failed with -1
(00.093000) Error (criu/cr-dump.c:2111): Dumping FAILED.
"""
RAW_DIAG = """\
Error (criu/libnetlink.c:27): ERROR -2 reported by netlink (No such file or directory)
Warn  (criu/sockets.c:791): sockets: The current kernel doesn't support ipv4 raw_diag module
Error (criu/sk-inet.c:122): inet: Unsupported proto 255 for socket 10c69
Error (criu/cr-dump.c:1347): Dump files (pid: 19166) failed with -1
"""
NETLINK = """\
(00.443001) Error (criu/libnetlink.c:57): -22 reported by netlink: Invalid argument
(00.464067) Error (criu/namespaces.c:1126): Namespaces dumping finished with error 59904
"""
DEVTMPFS = """\
(00.743321)  20001: mnt-v2: \tMounting devtmpfs @34 (0)
(00.747588)  20001: No tmpfs-dev-5.tar.gz.img image
(00.747931)  20001: No tmpfs-34.tar.gz.img image
(00.765066) Error (criu/cr-restore.c:2320): Restoring FAILED.
(00.781627) Error (criu/cr-restore.c:1262): 20001 killed by signal 9: Killed
"""
UDPLITE = """\
(00.003000) sockets: Sockets collect procedure family AF_INET proto IPPROTO_UDPLITE: -2
(00.005426) Running network-unlock scripts
(00.008801) Error (criu/cr-dump.c:2128): Dumping FAILED.
"""
RESTORER = """\
(00.018500) pie: 828449: Restoring scheduler params 0.0.0
(00.018574) pie: 828449: Error (criu/pie/restorer.c:1518): Can't restore 0x7f1164021000 mapping with 0xfffffffffffffff4
(00.019000) Error (criu/cr-restore.c:1415): 828449 exited, status=1
"""
GLUED = (
    "(00.000000) Unable to get $HOME directory, local configuration file will not be used."
    "(00.000112) Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds\n"
)
OLD = "(00.512345)  37: Error (sk-inet.c:721): Can't bind inet socket (id 19): Cannot assign requested address\n"


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (MOUNT_SLAVE, "Error (criu/mount-v2.c:966): mnt-v2: Failed to make mount 476 slave: Invalid argument"),
        (SEGFAULT, "Error (criu/cr-restore.c:1562): 206 killed by signal 11: Segmentation fault"),
        (LEGACY_IPTABLES, "Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: Operation not supported"),
        (RAW_DIAG, "Error (criu/sk-inet.c:122): inet: Unsupported proto 255 for socket 10c69"),
        (NETLINK, "Error (criu/libnetlink.c:57): -22 reported by netlink: Invalid argument"),
        (DEVTMPFS, "No tmpfs-dev-5.tar.gz.img image"),
        (UDPLITE, "sockets: Sockets collect procedure family AF_INET proto IPPROTO_UDPLITE: -2"),
        (
            RESTORER,
            "Error (criu/pie/restorer.c:1518): Can't restore 0x7f1164021000 mapping with 0xfffffffffffffff4",
        ),
        (GLUED, "Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds"),
        (OLD, "Error (sk-inet.c:721): Can't bind inet socket (id 19): Cannot assign requested address"),
        ("(00.1) Error (criu/cr-dump.c:2128): Dumping FAILED.\n", "Error (criu/cr-dump.c:2128): Dumping FAILED."),
    ],
    ids=["2694", "2229", "1976", "588", "1059", "devtmpfs", "3002", "1784", "glued", "old", "only-that"],
)  # fmt: skip
def test_first_true_error(log: str, error: str) -> None:
    assert first_error(log) == error


def test_a_cause_that_is_no_error_counts_only_where_no_error_says_more() -> None:
    """On 7.3 every dump of CRIU 4.1.1 prints it, also one that fails of guard pages."""
    guard = "pie: 20001: Error (criu/pie/parasite.c:104): Can't splice all pages to pipe (20480/13)\n"
    said = "sockets: Sockets collect procedure family AF_INET proto IPPROTO_UDPLITE: -2"
    failed = "Error (criu/cr-dump.c:2128): Dumping FAILED."
    assert list(error_lines(f"(00.1) {said}\n(00.2) {failed}\n")) == [said, failed]
    assert said not in list(error_lines(f"(00.1) {said}\n{guard}(00.2) {failed}\n"))


@pytest.mark.parametrize(
    "log",
    [
        "",
        "(00.1) Warn  (criu/net.c:2910): Unable to get tun network namespace\n",
        LEGACY_IPTABLES.split("(00.091")[0],
        MOUNT_SLAVE + "(00.9) Restore finished successfully. Tasks resumed.\n",
        "(00.9) Dumping finished successfully\n(01.0) Error (criu/cgroup.c:19): cg: cgroupd: recv req error: x\n",
        "a workload that prints Error: something\n",
    ],
    ids=["empty", "warning", "harmless", "restored", "cgroupd", "other"],
)
def test_no_error_where_criu_reports_none(log: str) -> None:
    assert first_error(log) is None


def test_an_error_after_success_counts() -> None:
    log = "(00.9) Restore finished successfully. Tasks resumed.\n" + SEGFAULT
    assert first_error(log) == SEGFAULT.split("\n", 1)[0].partition(") ")[2]


def test_a_hostile_log_is_survived() -> None:
    log = (
        "\x00\x1b[31m\udc80\n"
        + "(" * 100_000
        + "\nError ("
        + "a" * 1_000_000
        + "\nError (x.c:1): "
        + "b" * 1_000_000
    )
    error = first_error(log)
    assert error is not None
    assert error.startswith("Error (x.c:1): bbb")
    assert len(normalize(error)) <= SIGNATURE_LIMIT


# The symptoms of the 39 breakages that are known, as CRIU or their reporters word them.
SYMPTOMS = """
mnt-v2: Failed to make mount 476 slave: Invalid argument
sockets: Can't get 1:16(34) opt: Operation not supported
vdso: Unexpected rt vDSO area bounds
vdso: Not all dynamic entries are present
vdso: ELF header magic mismatch
pagemap-cache: PAGEMAP_SCAN: Invalid argument
1234 killed by signal 11: Segmentation fault
1236353 has rseq but kernel lacks get_rseq_conf feature
failed sys_rseq(0x7f0011223344, 33, 0, 1392848979) = -22
Sockets collect procedure family AF_INET proto IPPROTO_UDPLITE: -2
soccr: Can't turn TCP repair mode ON: Operation not permitted
restore of tcp with full buffers did not end within 60 s
xstate differs: restored frame lost component 9
Can't dump page with parasite
map at 0x7f2211000000 lost VM_DROPPABLE
Can't create timers, kernel don't give them
Can't write kernel/sem_next_id: Operation not permitted
parse_fdinfo_pid_s: error parsing [map_type: 1] for 7
Can't set flock of type LOCK_MAND: Invalid argument
cg: Failed writing -1 to memory.kmem.limit_in_bytes: Operation not supported
sockets: Can't set 1:72 (len 4): Protocol not available
cg: Can't mount controller net_cls: Device or resource busy
vdso: Delta is too big
pidfd: Can't dump fd 5: unknown anon inode
uffd: Failed to get uffd API: Operation not permitted
Unable to remap a private vma: Invalid argument
mnt: /var/lib/overlay/merged/bin/sh resolved to ./
max xsave frame exceed xsave_struct (11008 4096)
PTRACE_SETFPREGS: Can't set FPU registers for 812: Invalid argument
Unsupported mapping found [uprobes] 0x7fffffffe000
AppArmor label unconfined cannot be read
mnt: Can't mount cgroup2 "": Invalid argument
AUXV is too small: 44 entries
pac: can't set keys for 33: Invalid argument
vdso: vvar layout mismatch
hw breakpoint of 31 did not fire
TASK_SIZE 0x7ffffffff000 does not match image
fifo: Can't open fifo of 12 in userns: Permission denied
pagemap: nr_pages missing in entry 3
""".strip().splitlines()

PAIRS = [
    (
        "(00.034502)      7: Error (criu/mount-v2.c:966): mnt-v2: Failed to make mount 476 slave: Invalid argument",
        "Error (criu/mount-v2.c:971): mnt-v2: Failed to make mount 12 slave: Invalid argument",
        "mount-v2.c: mnt-v2: Failed to make mount N slave: Invalid argument",
    ),
    (
        "Error (criu/sockets.c:628): sockets: Can't set 1:72 (len 4): Protocol not available",
        "Error (sockets.c:99): sockets: Can't set 1:72 (len 4): Protocol not available",
        "sockets.c: sockets: Can't set 1:72 (len 4): Protocol not available",
    ),
    (
        "Error (criu/pie/restorer.c:1518): Can't restore 0x7f1164021000 mapping with 0xfffffffffffffff4",
        "Error (criu/pie/restorer.c:1520): Can't restore 0x55aa0000 mapping with 0xfffffffffffffff4",
        "restorer.c: Can't restore 0xN mapping with -ENOMEM",
    ),
    (
        "Error (criu/mount.c:3689): mnt: Can't remove /tmp/.criu.mntns.iLwsbF: Device or resource busy",
        "Error (criu/mount.c:1): mnt: Can't remove /tmp/.criu.mntns.AAAAAA: Device or resource busy",
        "mount.c: mnt: Can't remove PATH: Device or resource busy",
    ),
    (
        "Error (criu/sk-inet.c:122): inet: Can't dump corked dgram socket 114dabc",
        "Error (criu/sk-inet.c:127): inet: Can't dump corked dgram socket 3e4",
        "sk-inet.c: inet: Can't dump corked dgram socket N",
    ),
    (
        "Error (criu/namespaces.c:235): Can't open /proc/30584/ns/net: No such file or directory",
        "Error (criu/namespaces.c:235): Can't open /proc/7/ns/net: No such file or directory",
        "namespaces.c: Can't open /proc/N/ns/net: No such file or directory",
    ),
    (
        "AssertionError: process 4242 did not report within 20 s",
        "AssertionError: process 7 did not report within 5.5 s\nsecond line",
        "AssertionError: process N did not report within N s",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "signature"), PAIRS, ids=range(len(PAIRS)))
def test_same_cause_has_one_signature(one: str, other: str, signature: str) -> None:
    assert normalize(one) == normalize(other) == signature


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_known_symptom_keeps_its_words(symptom: str) -> None:
    line = f"(00.017041)   2817: Error (criu/file.c:321): {symptom}"
    signature = normalize(line)
    assert signature == normalize(line.replace("2817", "99").replace(":321", ":12").replace("017041", "9"))
    assert normalize(signature) == signature
    words = [word for word in symptom.replace("(", " ").split() if word.isalpha()]
    assert set(words) <= set(signature.replace("(", " ").split())


def test_known_symptoms_stay_apart() -> None:
    assert len(SYMPTOMS) == 39
    assert len({normalize(symptom) for symptom in SYMPTOMS}) == 39


def test_numbers_that_are_the_cause_are_kept() -> None:
    different = [
        "x killed by signal 11", "x killed by signal 7", "Can't set 1:72", "Can't set 1:49", "failed with -1",
        "failed with -22", "Unsupported proto 58", "Unsupported proto 255",
    ]  # fmt: skip
    assert len({normalize(text) for text in different}) == len(different)
