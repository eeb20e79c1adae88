"""`kmatrix surface`: the kernels' surfaces, one boot each, several at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.cache import Cache
from harness.errors import HarnessError
from harness.session.capacity import capacity
from harness.session.selection import Options, choose
from harness.session.session import open_lab
from harness.session.surface import Surfaces
from harness.surface import program
from harness.surface.record import Record

Say = Callable[[str], None]


def survey(options: Options, directory: Path, say: Say) -> tuple[list[Record], list[HarnessError]]:
    """Probe what the options choose and nobody has probed yet; the records go below `directory`.

    Returns every record and what went wrong with the others. Raises `HarnessError` if the lab cannot work.
    """
    selection = choose(options, Cache())
    failures: list[HarnessError] = []
    with open_lab(options, selection, {}, directory, say) as lab:
        surfaces = Surfaces(lab)
        missing = surfaces.recall()
        if missing:
            program.build(lab.cache)

            def one(number: int) -> None:
                label, userland = missing[number]
                try:
                    surfaces.boot(userland, label, f"surface-{number}")
                    say(f"{label} under {userland}: probed")
                except HarnessError as error:
                    failures.append(error)

            slots = capacity(lab.hardware.memory, options.jobs or selection.config.settings.jobs).slots
            with ThreadPoolExecutor(slots, thread_name_prefix="surface") as executor:
                list(executor.map(one, range(len(missing))))
        return list(surfaces.records.values()), failures
