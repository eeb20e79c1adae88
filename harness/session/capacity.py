"""How many guests this host carries."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil

from harness.errors import HostError

OVERHEAD = 96 << 20
"""Bytes that a guest's QEMU takes beyond the guest's memory (measured: 70 to 90 MiB)."""
SPARE = 512 << 20
"""Bytes left for the host."""


@dataclass(frozen=True)
class Capacity:
    """Workers, and booted guests a worker may keep. One more guest a worker is booted for second attempts."""

    slots: int
    room: int


def capacity(
    guest_memory: int, jobs: int | None, *, available: int | None = None, cores: int | None = None
) -> Capacity:
    """As many slots as cores and memory allow, or `jobs`. Sizes in bytes.

    Raises `HostError` if not even one guest fits.
    """
    if available is None:
        available = psutil.virtual_memory().available
    if cores is None:
        cores = len(os.sched_getaffinity(0))
    guests = (available - SPARE) // (guest_memory + OVERHEAD)
    if guests < 2:
        raise HostError(
            f"{available >> 20} MiB of memory are free; two guests of {guest_memory >> 20} MiB need "
            f"{(2 * (guest_memory + OVERHEAD) + SPARE) >> 20} MiB",
            hint="end something, or make settings.memory in kernels.yaml smaller",
        )
    slots = jobs or max(1, min(cores, guests // 2))
    return Capacity(slots, max(1, guests // slots - 1))
