"""The surface of a real guest: the probe runs there, its record keeps to the schema, and a reset forgets it."""

from __future__ import annotations

import json

import pytest
from stage import HARDWARE, shell

from harness.cache import Cache
from harness.deadline import Deadline
from harness.guests.guest import Guest
from harness.images import Image, compile_workload
from harness.kernels import Kernel
from harness.migration.criu import Criu
from harness.surface import catalogue, program
from harness.surface.probe import EACH, GUEST_PATH, Subject, ask
from harness.surface.record import problems, text_of

pytestmark = pytest.mark.vm


def test_a_guest_tells_its_surface(
    guest: Guest, trixie: Image, debian_6_12: Kernel, lab_cache: Cache
) -> None:
    subject = Subject("debian-6.12", debian_6_12, trixie, HARDWARE)
    said = guest.run(trixie.criu_path, "--help", deadline=Deadline.after(30)).text
    criu = Criu.told(trixie.criu_path, trixie.criu_version, said)
    assert len(criu.features) > 30
    each = compile_workload(trixie, (EACH,), ("-shared", "-fPIC"), lab_cache)[EACH.stem]
    record = ask(subject, guest, criu, program.build(lab_cache), each)
    assert problems(json.loads(text_of(record))) == []
    assert set(record.findings) == set(catalogue.load().entries)
    lost = [id for id, one in record.findings.items() if one.result in ("silent", "timeout")]
    died = [id for id, one in record.findings.items() if one.result.startswith("SIG")]
    assert (lost, died) == ([], [])
    found = record.findings
    assert found["sockopt.buf-lock.inet"].result == "ok"
    assert found["sockopt.passcred.inet"].result == "ok"
    assert found["madvise.guard-install"].result == "EINVAL"
    assert found["ptrace.get-rseq-configuration"].value == 24
    assert found["sysctl.sem_next_id"].value == 4242
    assert found["behaviour.clone3-chosen-pid"].value == 4242
    assert isinstance(mappings := found["mapping.special"].value, tuple)
    assert [item.split()[0] for item in mappings] == ["[vvar]", "[vdso]"]
    told = record.criu["trixie"]
    assert (told.version, told.returncode, told.said[-1]) == ("4.1.1", 0, "Looks good.")
    assert set(told.features) == set(criu.features)
    assert told.features["sockopt_buf_lock"]
    assert not told.features["timer_cr_ids" if "timer_cr_ids" in told.features else "apparmor_stacking"]
    singly = {
        name: guest.run(*criu.check_feature(name), deadline=Deadline.after(30)).returncode == 0
        for name in criu.features
    }
    assert told.features == singly
    guest.reset()
    assert shell(guest, f"test -e {GUEST_PATH} || echo gone").text == "gone\n"
