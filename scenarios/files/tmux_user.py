"""Starts tmux and sits before it: a terminal of its own with a client attached, a shell with jobs in the window.

With the argument `stopped` one of the jobs is stopped.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios

from peers import is_running, settle, start
from witness import Desk, Patience, Witness, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from witness import Check

HAS_STOPPED = sys.argv[1:] == ["stopped"]
ROWS, COLUMNS = 30, 100
LOOKS = 20
"""Looks at the screen until what is typed must have come; each starts a process, 0.3 s in an emulated guest."""
ENVIRONMENT = {"TERM": "xterm", "LANG": "C.UTF-8", "SHELL": "/bin/bash", "HISTFILE": "/dev/null"}
# What neither a clock nor this question moves.
SESSION = (
    "#{pid} #{start_time} #{session_id} #{session_created} #{pane_id} #{pane_pid} #{pane_tty} #{client_pid}"
)
JOB = "cat" if HAS_STOPPED else "sleep"
LOOP = "n=0; while read -r word; do n=$((n + 1)); echo $n:$word:$secret; done"


class Terminal:
    """What a terminal emulator does: it holds a pty's other end and takes what is to be drawn."""

    def __init__(self, argv: "list[str]") -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, {**os.environ, **ENVIRONMENT})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.drawn = b""

    def draw(self, seconds: float = 0) -> None:
        """Take what is drawn; of all that came only the end is kept."""
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                drawn = os.read(self.fd, 65536)
            except OSError:
                return
            self.drawn = (self.drawn + drawn)[-20000:]
            seconds = 0

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def size(self) -> tuple[int, int]:
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(self.fd, termios.TIOCGWINSZ, bytes(8)))
        return rows, columns


class Tmux:
    """The server, the attached client, the shell and its jobs."""

    def __init__(self) -> None:
        os.environ.update(ENVIRONMENT)
        for name in ("TMUX", "TMUX_PANE"):
            os.environ.pop(name, None)
        self.witness = Witness()
        self.secret = self.witness.word("secret")
        self.begin()

    def begin(self) -> None:
        # In the foreground: as a daemon it would be a child of init and leave the tree.
        self.server = start(["tmux", "-D", "-f", "/dev/null", "-S", "tmux.socket"], "tmux.log")
        # Asked for an option, tmux does not start a server of its own.
        settle(
            "tmux does not listen", lambda: self.tmux("show-options", "-s", "exit-empty") == "exit-empty off"
        )
        new = ["new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS - 1), "bash --norc --noprofile -i"]
        self.tmux("set-option", "-g", "history-limit", "500", ";", *new)
        self.terminal = Terminal(["tmux", "-S", "tmux.socket", "attach-session"])
        settle("no client is attached", self.is_attached)
        self.fill_shell()

    def is_attached(self) -> bool:
        self.terminal.draw()
        return self.tmux("list-clients", "-F", "#{client_pid}") == str(self.terminal.pid)

    def fill_shell(self) -> None:
        """A secret in a variable, a job in the background, perhaps one stopped, one in front that counts lines."""
        for line in (
            "PS1='ready> '",
            f"secret={self.secret}",
            "sleep 50000 &",
            *(("cat", "\x1a") if HAS_STOPPED else ()),
            f"seq 200; {LOOP}",
            "one",
            "two",
        ):
            self.terminal.type(line if line == "\x1a" else f"{line}\r")
            settle(f"the shell does not take {line!r}", lambda line=line: self.has_taken(line))

    def has_taken(self, line: str) -> bool:
        self.terminal.draw()
        wanted = {"\x1a": "Stopped", "one": f"1:one:{self.secret}", "two": f"2:two:{self.secret}"}.get(
            line, line[-20:]
        )
        return wanted in self.screen()

    def tmux(self, *arguments: str) -> str:
        """What another client of the server prints; its error if there is one."""
        reading, writing = os.pipe()
        wiring = [(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_DUP2, writing, 2)]
        argv = ["tmux", "-S", "tmux.socket", *arguments]
        client = os.posix_spawnp("tmux", argv, os.environ, file_actions=wiring, setsigmask=[])
        os.close(writing)
        said = b""
        while chunk := os.read(reading, 65536):
            said += chunk
        os.close(reading)
        os.waitpid(client, 0)
        return said.decode("utf-8", "replace").rstrip("\n")

    def screen(self) -> str:
        """The window's text with its history, as the server remembers it."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-500")

    def shell(self) -> int:
        number = self.tmux("display-message", "-p", "#{pane_pid}")
        return int(number) if number.isdigit() else -1

    def jobs(self) -> list[list[str]]:
        """The shell and its children: who they are, with state, group, session; of each the terminal's front group."""
        shell = self.shell()
        found, fronts = [], []
        for number in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):  # noqa: PTH208
            try:
                name, _, rest = read(f"/proc/{number}/stat").decode().rpartition(") ")
            except OSError:
                continue
            words = rest.split()
            if int(words[1]) == shell or int(number) == shell:
                found.append(f"{name}) {' '.join((words[0], *words[2:4]))}")
                fronts.append(words[5])
        return [found, fronts]

    def describe(self) -> dict[str, object]:
        self.terminal.draw()
        jobs, fronts = self.jobs()
        return {
            "server": self.server,
            "client": self.terminal.pid,
            "session": self.tmux("display-message", "-p", SESSION),
            "size": self.tmux("display-message", "-p", "#{window_width} #{window_height}"),
            "terminal": list(self.terminal.size()),
            "jobs": jobs,
            "fronts": fronts,
            "history": self.tmux("display-message", "-p", "#{history_size}"),
            "seen": len(re.findall(r"(?m)^\d+$", self.screen())),
        }

    def verify(self) -> "Iterator[Check]":
        yield "tmux is not this process's child any more", is_running(self.server)
        yield "history: has not every line", self.numbers() == list(range(1, 201))
        yield "foreground job: does not count on", self.types("three\r", f"3:three:{self.secret}")
        yield "client: nothing is drawn on the terminal", self.is_drawn("3:three")
        yield (
            "Ctrl-C: does not end the foreground job",
            self.interrupts() and self.types("echo end=$?\r", "end=130"),
        )
        yield "shell: has lost its variable", self.types("echo $secret$secret\r", self.secret * 2)
        jobs = "\n2\n" if HAS_STOPPED else "\n1\n"
        yield "shell: does not know its jobs", self.types("jobs | grep -c -e Stopped -e Running\r", jobs)
        if HAS_STOPPED:
            woken = self.types("fg\r", "fg\ncat") and self.types("back\r", "back\nback")
            yield "stopped job: does not go on", woken
            yield "stopped job: does not end", self.types("\x04echo ended=$?\r", "ended=0")
        yield "resizing: the shell is not told", self.resizes()

    def numbers(self) -> list[int]:
        return [int(line) for line in self.screen().split("\n") if re.fullmatch(r"\d+", line)]

    def types(self, keys: str, wanted: str) -> bool:
        """Whether what is typed on the terminal brings the wanted text onto the screen."""
        self.terminal.type(keys)
        for _ in range(LOOKS):
            self.terminal.draw(0.05)
            if wanted in self.screen() + "\n":
                return True
        return False

    def interrupts(self) -> bool:
        """Whether Ctrl-C brings the shell's prompt back."""
        self.terminal.type("\x03")
        for _ in range(LOOKS):
            self.terminal.draw(0.05)
            if self.screen().rstrip().endswith("ready>"):
                return True
        return False

    def is_drawn(self, text: str) -> bool:
        for _ in Patience.naps():
            self.terminal.draw()
            if text.encode() in self.terminal.drawn:
                return True
        return False

    def resizes(self) -> bool:
        """The terminal's kernel side tells the client, the client the server, the server's pty the shell."""
        fcntl.ioctl(self.terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS + 5, COLUMNS - 20, 0, 0))
        os.kill(self.terminal.pid, 28)
        settled = f"{ROWS + 4} {COLUMNS - 20}"
        return any(self.types("stty size\r", settled) for _ in range(2))

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {
            "typed": lambda: self.types("stray\r", f"3:stray:{self.secret}"),
            "interrupted": self.interrupts,
            "history": lambda: self.tmux("clear-history"),
            "job": self.kill_job,
            "detached": self.reattach,
        }

    def kill_job(self) -> None:
        job = next(line for line in self.jobs()[0] if f"({JOB})" in line)
        os.kill(int(job.split()[0]), 9)
        settle("the job lives", lambda: not any(f"({JOB})" in line for line in self.jobs()[0]))

    def reattach(self) -> None:
        self.tmux("detach-client", "-a")
        self.tmux("detach-client")
        os.waitpid(self.terminal.pid, 0)
        self.terminal = Terminal(["tmux", "-S", "tmux.socket", "attach-session"])
        settle("no client is attached", self.is_attached)


def main() -> None:
    tmux = Tmux()
    Desk(tmux.witness, tmux.describe, tmux.verify, tmux.damages()).serve()


main()
