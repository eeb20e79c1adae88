"""An ordinary Python program: open files, timers, a subprocess, a generator. It answers the lab's questions.

Runs in the guest with the userland's own interpreter and nothing but the standard library, and little of that.
"""

# ruff: noqa: SIM115, PTH108, PTH110, PTH116, PTH123 - to hold files open is what this is for; pathlib is dear
import _signal as signal
import itertools
import os
import random
import select
import sys
import threading
import time
from binascii import crc32

from witness import Desk, Patience, Witness, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Files:
    """Descriptors whose contents, offsets and flags must stay as they are."""

    def __init__(self, nonce: bytes) -> None:
        self.content = random.Random(nonce + b"files").randbytes(20000)
        write("read.dat", self.content)
        write("deleted.dat", self.content[::-1])
        write("append.dat", b"")
        self.reader = open("read.dat", "rb", buffering=0)
        self.reader.seek(12345)
        self.twin = os.dup(self.reader.fileno())
        self.deleted = open("deleted.dat", "r+b", buffering=0)
        self.deleted.seek(777)
        os.unlink("deleted.dat")
        self.appender = os.open("append.dat", os.O_WRONLY | os.O_APPEND)
        os.write(self.appender, self.content[:100])
        # Text that Python holds back: it is neither in the file nor known to the kernel before a flush.
        self.buffered = open("buffered.txt", "w", buffering=8192)
        self.buffered.write(nonce.hex())

    def describe(self) -> dict[str, object]:
        return {
            "offset": os.lseek(self.twin, 0, os.SEEK_CUR),
            "deleted_offset": self.deleted.tell(),
            "deleted_links": os.fstat(self.deleted.fileno()).st_nlink,
            "deleted_hash": crc32(os.pread(self.deleted.fileno(), 1 << 20, 0)),
            "appended": os.fstat(self.appender).st_size,
            "buffered_on_disk": os.stat("buffered.txt").st_size,
        }

    def part_twin(self) -> None:
        os.close(self.twin)
        self.twin = os.open("read.dat", os.O_RDONLY)
        os.lseek(self.twin, 12345, os.SEEK_SET)

    def undelete(self) -> None:
        write("deleted.dat", self.content[::-1])
        self.deleted.close()
        self.deleted = open("deleted.dat", "r+b", buffering=0)
        self.deleted.seek(777)

    def forget_append(self) -> None:
        os.close(self.appender)
        self.appender = os.open("append.dat", os.O_WRONLY)

    def forget_buffered(self) -> None:
        self.buffered.close()
        self.buffered = open("buffered.txt", "w")

    def verify(self, nonce: bytes) -> "Iterator[tuple[str, bool]]":
        yield "reader: wrong bytes at its offset", self.reader.read(500) == self.content[12345:12845]
        moved = os.lseek(self.twin, 0, os.SEEK_CUR)
        yield "twin: no longer shares the reader's offset", moved == 12845
        yield "deleted file: other bytes", self.deleted.read() == self.content[::-1][777:]
        yield "deleted file: has a name again", os.fstat(self.deleted.fileno()).st_nlink == 0
        yield "deleted file: is in the directory", not os.path.exists("deleted.dat")
        os.lseek(self.appender, 0, os.SEEK_SET)
        os.write(self.appender, b"end")
        yield "appender: does not append", read("append.dat") == self.content[:100] + b"end"
        self.buffered.flush()
        yield "buffered text: lost", read("buffered.txt") == nonce.hex().encode()
        self.buffered.seek(0)
        self.buffered.truncate()


class Timers:
    """An interval timer, a far timerfd where Python has it, a chain of threading timers, a sleeping thread."""

    def __init__(self) -> None:
        self.alarms = 0
        self.fired = 0
        self.naps = 0
        signal.signal(signal.SIGALRM, self._alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        self.timerfd = None
        if hasattr(os, "timerfd_create"):
            self.timerfd = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
            os.timerfd_settime(self.timerfd, initial=3600, interval=0.05)
        self._chain()
        threading.Thread(target=self._nap, daemon=True).start()

    def _alarm(self, _number: int, _frame: object) -> None:
        self.alarms += 1

    def _chain(self) -> None:
        self.fired += 1
        self.timer = threading.Timer(0.05, self._chain)
        self.timer.daemon = True
        self.timer.start()

    def _expires(self) -> bool:
        """Whether the timerfd, set anew, expires; a Python without it is never waited for."""
        if self.timerfd is None:
            return True
        os.timerfd_settime(self.timerfd, initial=0.001, interval=0)
        return bool(select.select([self.timerfd], [], [], Patience.seconds)[0]) and os.read(
            self.timerfd, 8
        ) != bytes(8)

    def _nap(self) -> None:
        for self.naps in itertools.count():
            time.sleep(0.05)

    def describe(self) -> dict[str, object]:
        interval = signal.getitimer(signal.ITIMER_REAL)[1]
        return {
            "alarms": self.alarms,
            "fired": self.fired,
            "naps": self.naps,
            "interval": round(interval, 6),
            "timerfd_left": None if self.timerfd is None else os.timerfd_gettime(self.timerfd)[0],
            "monotonic": time.monotonic(),
        }

    def verify(self) -> "Iterator[tuple[str, bool]]":
        alarms, fired, naps = self.alarms, self.fired, self.naps
        # Counted, not timed: a clock that jumps must not decide how long this takes.
        for _ in Patience.naps():
            if self.alarms > alarms and self.fired > fired and self.naps > naps:
                break
        yield "interval timer: does not fire", self.alarms > alarms
        yield "threading timer: does not fire", self.fired > fired
        yield "sleeping thread: does not wake", self.naps > naps
        yield "timerfd: does not expire", self._expires()


class Companion:
    """A subprocess that counts the lines it is given, in its own memory."""

    SCRIPT = 'secret=$1; n=0; while read -r word; do n=$((n+1)); echo "$n $secret $word"; done'

    def __init__(self) -> None:
        self.secret = os.urandom(8).hex()
        self.lines = 0
        theirs_in, self.input = os.pipe()
        self.output, theirs_out = os.pipe()
        argv = ["/bin/sh", "-c", self.SCRIPT, "companion", self.secret]
        wiring = [(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)]
        self.pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=wiring)
        os.close(theirs_in)
        os.close(theirs_out)
        self.talk("hello")

    def talk(self, word: str) -> bool:
        """Whether the answer is the one that this very subprocess must give."""
        self.lines += 1
        os.write(self.input, f"{word}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            if not select.select([self.output], [], [], Patience.seconds)[0]:
                return False
            chunk = os.read(self.output, 4096)
            if not chunk:
                return False
            answer += chunk
        return answer.decode() == f"{self.lines} {self.secret} {word}\n"

    def verify(self) -> "Iterator[tuple[str, bool]]":
        yield "subprocess: has ended", os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        yield "subprocess: does not answer as before", self.talk("again")
        os.close(self.input)
        yield "subprocess: does not end when its input does", self._ends()

    def _ends(self) -> bool:
        for _ in Patience.naps():
            if (ended := os.waitpid(self.pid, os.WNOHANG)) != (0, 0):
                return ended == (self.pid, 0)
        return False


class Holder:
    """The whole program."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.random = random.Random(self.witness.nonce)
        self.objects = {n: [str(n), {n * n}, (n, float(n))] for n in range(600)}
        self.files = Files(self.witness.nonce)
        self.companion = Companion()
        self.timers = Timers()
        self.damages = {
            "offset": lambda: self.files.reader.seek(12344),
            "twin": self.files.part_twin,
            "deleted": lambda: os.pwrite(self.files.deleted.fileno(), b"\0\0", 5000),
            "undeleted": self.files.undelete,
            "append": self.files.forget_append,
            "buffered": self.files.forget_buffered,
            "itimer": lambda: signal.setitimer(signal.ITIMER_REAL, 3600, 0.05),
            "timer": lambda: self.timers.timer.cancel(),
            "subprocess": self.replace_companion,
            "generator": lambda: self.witness.restart_chain(0),
            "object": lambda: self.objects[300][1].add(1),
        }

    def replace_companion(self) -> None:
        """Another process that knows the secret; it cannot know how many lines there were."""
        os.kill(self.companion.pid, signal.SIGKILL)
        os.waitpid(self.companion.pid, 0)
        secret, self.companion = self.companion.secret, Companion()
        self.companion.secret = secret

    def describe(self) -> dict[str, object]:
        return {
            "companion": self.companion.pid,
            "python": sys.version.split()[0],
            "objects": crc32(repr(self.objects).encode()),
            "random": crc32(repr(self.random.getstate()).encode()),
            **self.files.describe(),
            **self.timers.describe(),
        }

    def verify(self) -> "Iterator[tuple[str, bool]]":
        return itertools.chain(
            self.files.verify(self.witness.nonce), self.companion.verify(), self.timers.verify()
        )


def main() -> None:
    holder = Holder()
    Desk(holder.witness, holder.describe, holder.verify, holder.damages).serve()


main()
