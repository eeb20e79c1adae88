"""The QEMU guest agent, spoken to through libvirt: run a command under a deadline, write a small file.

Reference: QEMU's `qga/qapi-schema.json`. An agent's reply may hold 10 MiB at most (libvirt's QEMU_AGENT_MAX_RESPONSE)
and large replies have been seen to kill the channel, so bulk data leaves the guest by the `kmatrix.out` port instead.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libvirt
import libvirt_qemu

from harness.deadline import Deadline
from harness.errors import DeadlineExceeded, GuestCommandFailed, GuestLost

POLL_FIRST = 0.004
POLL_LONGEST = 0.05
ANSWER_SECONDS = 10
"""How long a healthy agent may take for one reply: under TCG on a loaded host tens of milliseconds are usual."""


@dataclass(frozen=True)
class CommandResult:
    """What a command in the guest gave back. `stdout` and `stderr` are untrusted bytes."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode("utf-8", "replace")


class Agent:
    """The agent of one domain. `watch` is called while waiting and raises if the guest is in trouble."""

    def __init__(self, domain: libvirt.virDomain, watch: Callable[[], None]) -> None:
        self._domain = domain
        self._watch = watch

    def ask(self, command: str, deadline: Deadline, **arguments: Any) -> Any:  # noqa: ANN401  the agent's JSON
        """One agent command. Raises `GuestLost` when nobody answers and `GuestCommandFailed` on the agent's own error."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        seconds = max(1, min(ANSWER_SECONDS, round(deadline.remaining)))
        try:
            reply = libvirt_qemu.qemuAgentCommand(self._domain, json.dumps(request), seconds, 0)
        except libvirt.libvirtError as error:
            self._watch()
            code = error.get_error_code()
            if code in (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_OPERATION_INVALID):
                raise GuestLost(f"the guest's agent does not answer {command}: {error}") from error
            raise GuestCommandFailed(f"the guest's agent refuses {command}: {error}") from error
        return json.loads(reply)["return"]

    def alive(self) -> bool:
        """Whether the agent answers within a second."""
        try:
            self.ask("guest-ping", Deadline.after(1))
        except (GuestLost, GuestCommandFailed):
            return False
        return True

    def run(
        self, argv: tuple[str, ...], deadline: Deadline, stdin: bytes = b"", environment: tuple[str, ...] = ()
    ) -> CommandResult:
        """Run a command to its end. Raises `DeadlineExceeded`; the command is then killed, as far as it lets itself."""
        started = time.monotonic()
        arguments: dict[str, Any] = {"path": argv[0], "arg": list(argv[1:]), "capture-output": True}
        if stdin:
            arguments["input-data"] = base64.b64encode(stdin).decode()
        if environment:
            arguments["env"] = list(environment)
        pid = self.ask("guest-exec", deadline, **arguments)["pid"]
        pause = POLL_FIRST
        while True:
            status = self.ask("guest-exec-status", Deadline.after(ANSWER_SECONDS), pid=pid)
            if status["exited"]:
                break
            if deadline.passed:
                self._kill(pid)
                raise DeadlineExceeded(f"{' '.join(argv)[:200]}: not done within {deadline.seconds:g} s")
            self._watch()
            time.sleep(min(pause, deadline.remaining))
            pause = min(pause * 1.5, POLL_LONGEST)
        return CommandResult(
            argv=argv,
            # A command ended by a signal has no exit code; shells call it 128 + signal.
            returncode=status.get("exitcode", 128 + status.get("signal", 0)),
            stdout=base64.b64decode(status.get("out-data", "")),
            stderr=base64.b64decode(status.get("err-data", "")),
            seconds=time.monotonic() - started,
        )

    def _kill(self, pid: int) -> None:
        self.ask("guest-exec", Deadline.after(ANSWER_SECONDS), path="/bin/kill", arg=["-KILL", str(pid)])

    def write(self, path: str, data: bytes, deadline: Deadline) -> None:
        """Write a small file (under a MiB) in the guest."""
        handle = self.ask("guest-file-open", deadline, path=path, mode="w")
        self.ask("guest-file-write", deadline, handle=handle, **{"buf-b64": base64.b64encode(data).decode()})
        self.ask("guest-file-close", deadline, handle=handle)
