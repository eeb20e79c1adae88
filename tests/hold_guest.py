"""Run as a program: hold a hypervisor with a running guest until killed. Prints its directories and QEMU's pid."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from stage import HARDWARE

from harness.cache import Cache
from harness.deadline import Deadline
from harness.errors import GuestError
from harness.guests.guest import Boot, Guest
from harness.guests.hypervisor import EMBED, open_hypervisor


def _boot(guest: Guest) -> None:
    try:
        guest.boot(Deadline.after(600))
    except GuestError as error:
        print("error", error, flush=True)  # noqa: T201


def main(files: list[str]) -> None:
    """`files` are kernel, initrd, modules disk and root disk."""
    image, initrd, modules_disk, root_disk = map(Path, files)
    with open_hypervisor(EMBED, Cache()) as hypervisor:
        guest = Guest(hypervisor, "held", Boot(image, initrd, modules_disk, root_disk), HARDWARE)
        threading.Thread(target=_boot, args=(guest,), daemon=True).start()
        while not guest.qemu_pid:
            time.sleep(0.05)
        print(hypervisor.root, hypervisor.directory, guest.qemu_pid, flush=True)  # noqa: T201
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1:])
