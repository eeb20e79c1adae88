"""One ZDTM test in one flavour, as the lab's workload."""

from __future__ import annotations

import io
import json
import math
import shlex
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from testinfra.host import Host

from harness.cache import Cache, key_of, sha256_of
from harness.errors import CannotRun
from harness.images import Image
from harness.images.workload import compile_workload
from harness.migration.criu import RESTORE_LOG
from harness.scenario import WORK, Facts, Needs, Scenario, Workload
from harness.suites.zdtm.build import Build, Built
from harness.suites.zdtm.desc import Desc
from harness.suites.zdtm.state import assert_marked, assert_same, processes

_GUEST = Path(__file__).parent / "guest"
_EYE = _GUEST / "eye.c"
_SCRIPT = _GUEST / "zdtm.sh"
_AROUND = ("/bin/sh", f"{WORK}/bin/zdtm.sh")
_TEST = f"{WORK}/test"
_PLACE = "/run/zdtm"
_STATIC = "zdtm/static"
_DIRECTORIES = ("bin", "sbin", "etc", "lib", "lib64", "dev", "tmp", "usr", "proc", "run")
"""Of a root of its own, as CRIU's runner makes it; `/usr/bin` and its like lead back."""
_LINKS = ("bin", "sbin", "lib", "lib64")
_SLOWER = 3.0
"""How much longer than CRIU's runner an emulated test may take."""
_TURN = 15
"""Seconds of one wait: less than a command in a guest may take."""
_LATE = 4
"""How `hand await` ends when it has waited in vain."""


@dataclass(frozen=True)
class Case:
    """A test in a flavour (`host`, `ns`, `uns`)."""

    test: Built
    flavour: str
    build: Build
    sysctls: tuple[str, ...] = ()
    """What both kernels must have set for it."""
    told_by_restore: bool = False
    """It asks what a restore has done to it, though its `.desc` has no `reqrst`."""
    restless: bool = False
    """It maps memory when it likes, so mappings are not compared."""
    rehearsed: bool = False
    """It leans on what it, or its hook, has made outside of what is checkpointed: another machine gets that by starting
    and killing it there once."""
    refusal: str | None = None
    """Words (a regular expression) with which a CRIU that was built without what it needs refuses the dump."""

    @property
    def name(self) -> str:
        """`zdtm.pipe00.ns`."""
        return f"zdtm.{self.test.name}.{self.flavour}"

    @cached_property
    def desc(self) -> Desc:
        """What its `.desc` says."""
        return self.test.description

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return f"CRIU's test {self.test.name}, flavour {self.flavour}"

    @cached_property
    def scenario(self) -> Scenario:
        """How the lab runs it."""
        pidfile = f"test/{_STATIC}/{self.test.name}.pid"
        own = self.flavour != "host"
        root = (f"--root={_PLACE}/root/root",) if own else ()
        features = [*self.desc.features, *(["userns"] if self.flavour == "uns" else [])]
        return Scenario(
            command=(*_AROUND, "start"),
            tags=("zdtm",),
            needs=Needs(packages=self.test.packages, features=tuple(features)),
            criu=(*self.desc.options, f"--pidfile={WORK}/{pidfile}", *root),
            dump=(*self.desc.dump_options, *(("--external=mnt[/dev]:ZDTM_DEV",) if own else ())),
            restore=(
                *self.desc.restore_options,
                *((f"--external=mnt[ZDTM_DEV]:{_PLACE}/dev",) if own else ()),
            ),
            around=_AROUND,
            pidfile=pidfile,
            sysctls=self.sysctls,
            refusal="" if self.must_refuse else self.refusal,
        )

    @property
    def must_refuse(self) -> bool:
        """Whether CRIU must not be able to dump it (`crfail`)."""
        return "crfail" in self.desc.flags

    @property
    def asks_restore(self) -> bool:
        """Whether it can only pass after a restore."""
        return self.told_by_restore or "reqrst" in self.desc.flags

    @property
    def sha256(self) -> str:
        """Changes with the program, how it is run, and the lab's own part."""
        own = [sha256_of(path) for path in (_EYE, _SCRIPT)]
        return key_of(
            test=self.test.sha256,
            desc=self.test.desc,
            configuration=self.configuration(),
            sysctls=self.sysctls,
            restless=self.restless,
            refusal=self.refusal,
            asks_restore=self.asks_restore,
            own=own,
        )

    def configuration(self) -> str:
        """`test.conf`: what `zdtm.sh` must know."""
        cgroups = self.test.name.startswith("cgroup") or any("cgroup" in o for o in self.desc.options)
        every = (*self.desc.options, *self.desc.dump_options, *self.desc.restore_options)
        tcp = any(option.startswith("--tcp-") for option in every)
        # CRIU's runner puts a test's libraries below `/lib`, and lets `/usr/lib` lead there
        files = " ".join(sorted({file.removeprefix("/usr") for file in self.test.files}))
        values = {
            "FLAVOUR": self.flavour,
            "NAME": self.test.name,
            "ARGUMENTS": " ".join(self.test.arguments),
            "SUID": _yes("suid" in self.desc.flags),
            "HOOK": _yes(runs_hook(self.test.hook)),
            "CHECKSKIP": _yes(self.test.checkskip),
            "CGROUPS": _yes(cgroups),
            "NETFILTER": _yes(tcp and self.flavour == "host"),
            "NOTIFY": _yes("pre-dump-notify" in self.desc.flags),
            "REHEARSED": _yes(self.rehearsed),
            "FILES": files if self.flavour != "host" else "",
        }
        return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())

    def payload(self, image: Image, cache: Cache) -> Path:
        """The test's own files and the lab's, and the places where its output goes."""
        eye = compile_workload(image, (_EYE,), (), cache)["eye"]
        key = key_of(case=self.sha256, eye=sha256_of(eye))

        def make(directory: Path) -> None:
            with tarfile.open(directory / "payload.tar", "w", format=tarfile.GNU_FORMAT) as tar:
                _fill(tar, self, eye)

        return cache.entry("payloads", key, make) / "payload.tar"

    def ready(self, host: Host, workload: Workload) -> None:
        """Wait until the test has daemonised. Raises `CannotRun` with its own words if it cannot be run here."""
        for _ in range(self._turns):
            done = host.run(f"cd {WORK} && {workload.hand} await {workload.pid} ready {_TURN} && cat ready")
            if done.rc != _LATE:
                break
        word, _, reason = done.stdout.strip().partition(" ")
        if word == "skip":
            raise CannotRun(f"{self.name}: {reason}")
        if word == "fail":
            raise CannotRun(f"{self.name}: {reason}: {self._said(host)}")
        assert word == "ok", f"the test did not say what became of it: {self._said(host)}"

    def remember(self, host: Host, workload: Workload) -> Facts:
        """Its processes, each with its nonce, descriptors, mappings and mounts."""
        facts = self._look(host, workload)
        assert_marked(processes(facts, own_namespaces=self._own))
        return facts

    def check(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that the same processes go on and that the test, told to end, finds its state whole and says PASS.

        A test that asks what a restore has done to it (`reqrst`) has nothing to say in a baseline.
        """
        if self.must_refuse or self.asks_restore:
            restored = host.run(f"test -e {RESTORE_LOG}").rc == 0
            self._check(host, workload, before, stop=restored or self.must_refuse)
            assert not (restored and self.must_refuse), (
                "CRIU saved and restored what the test says that it cannot save"
            )
        else:
            self._check(host, workload, before)

    def refused(self, host: Host, workload: Workload, before: Facts) -> None:
        """Assert that a dump which failed, as it must, has left the test whole."""
        self._check(host, workload, before)

    def _check(self, host: Host, workload: Workload, before: Facts, *, stop: bool = True) -> None:
        after = self._look(host, workload)
        assert not after["gone"], f"the test's first process is gone: {self._said(host)}"
        own = self._own
        assert_same(
            processes(before, own_namespaces=own),
            processes(after, own_namespaces=own),
            mappings=not self.restless,
        )
        if not stop:
            return
        self._hook(host, "--post-restore")
        self._stop(host, workload)
        self._hook(host, "--clean")

    def _stop(self, host: Host, workload: Workload) -> None:
        arguments = f"{workload.pid} {shlex.quote(f'{_TEST}/{_STATIC}/{self.test.name}.out')} {_TURN}"
        said = _json(host, f"exec {WORK}/bin/eye stop {arguments}")
        assert not said["early"], f"the test had ended before it was told to: {_tail(said['out'])}"
        assert said["signalled"], "there was no process to be told to end"
        for _ in range(self._turns - 1):
            if said["gone"]:
                break
            said = _json(host, f"exec {WORK}/bin/eye wait {arguments}")
        assert said["gone"], f"the test did not end within {self._turns * _TURN} s"
        last = said["out"].strip().rpartition("\n")[2]
        text = said["out"] or said["unfinished"]
        assert "PASS" in last.split(), f"the test says: {_tail(text)}\n{text}"

    def _hook(self, host: Host, step: str) -> None:
        if not runs_hook(self.test.hook):
            return
        done = host.run(shlex.join([*_AROUND, "hook", step]))
        assert done.rc == 0, f"its hook {step} ended with {done.rc}: {_tail(done.stdout + done.stderr)}"

    def _look(self, host: Host, workload: Workload) -> Facts:
        return {**_json(host, f"exec {WORK}/bin/eye look {workload.pid}"), "pid": workload.pid}

    def _said(self, host: Host) -> str:
        """The last of what the test and its starter printed."""
        own = shlex.quote(f"{_TEST}/{_STATIC}/{self.test.name}.out")
        return _tail(host.run(f"tail -n 3 {own} {own}.inprogress {WORK}/stdout.log 2>/dev/null").stdout)

    @property
    def _turns(self) -> int:
        return math.ceil(self.desc.seconds * _SLOWER / _TURN)

    @property
    def _own(self) -> bool:
        return self.flavour != "host"


def runs_hook(hook: str | None) -> bool:
    """Whether a test's hook is run. Those with CRIU's Python library only print, and never say no."""
    return hook is not None and "import pycriu" not in hook


def _fill(tar: tarfile.TarFile, case: Case, eye: Path) -> None:
    for path in (*_parents("work/bin"), "work/test", "work/tmp"):
        _directory(tar, path, 0o777 if path != "work" else 0o755)
    if case.flavour != "host":
        for name in _DIRECTORIES:
            _directory(tar, f"work/test/{name}", 0o777)
        for name in _LINKS:
            link = tarfile.TarInfo(f"work/test/usr/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, f"../{name}"
            tar.addfile(link)
    # as CRIU's runner does: tests that give up root write their output here
    for path in ("work/test/zdtm", f"work/test/{_STATIC}"):
        _directory(tar, path, 0o777)
    _file(tar, "work/bin/eye", eye.read_bytes())
    _file(tar, "work/bin/zdtm.sh", _SCRIPT.read_bytes())
    _file(tar, "work/bin/test.conf", case.configuration().encode())
    for name in (case.test.name, f"{case.test.name}.hook", f"{case.test.name}.checkskip"):
        if (program := case.build.program(name)).is_file():
            _file(tar, f"work/test/{_STATIC}/{name}", program.read_bytes())


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _directory(tar: tarfile.TarFile, path: str, mode: int) -> None:
    member = tarfile.TarInfo(path)
    member.type, member.mode = tarfile.DIRTYPE, mode
    tar.addfile(member)


def _file(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(data), 0o755
    tar.addfile(member, io.BytesIO(data))


def _json(host: Host, command: str) -> dict[str, Any]:
    done = host.run(command)
    assert done.rc == 0, f"cannot look at the test: {done.stderr.strip()}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _tail(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "nothing"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
