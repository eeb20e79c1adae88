"""One run from end to end: prepare, carry out, report."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import queue
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness import images, kernels
from harness.cache import Cache
from harness.errors import ConfigError
from harness.guests import accelerator
from harness.guests.domain import processor
from harness.guests.guest import Boot, Hardware
from harness.guests.hypervisor import Hypervisor, open_hypervisor
from harness.images import Image
from harness.kernels import Kernel
from harness.matrix import ledger as ledgers
from harness.matrix.cell import Cell
from harness.matrix.conductor import Conductor, Result
from harness.matrix.lab import Lab, kernel_options
from harness.matrix.ledger import Attempt, Ledger
from harness.matrix.workloads import Subject
from harness.migration.checkpoint import CheckpointStore
from harness.report.terminal import from_here
from harness.session import rundir
from harness.session.capacity import Capacity, capacity
from harness.session.selection import Options, Selection
from harness.session.surface import Surfaces
from harness.surface import program

Say = Callable[[str], None]


@dataclass
class Run:
    """A run that goes on. Iterate `results` for the cells' last words."""

    lab: Lab
    capacity: Capacity
    conductor: Conductor
    planned: int
    """Cells, those that a resumed run knew already among them."""
    known: dict[Cell, Attempt]
    inbox: queue.SimpleQueue[Result | None]
    futures: list[Future[None]] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self.lab.directory

    def results(self) -> Iterator[Result]:
        """Each cell's last word as it comes. Raises what a worker raised."""
        left = self.planned - len(self.known)
        while left:
            result = self.inbox.get()
            if result is None:  # a worker ended before its time
                for future in self.futures:
                    if future.done():
                        future.result()
                continue
            left -= 1
            yield result


@contextlib.contextmanager
def open_run(
    options: Options,
    selection: Selection,
    references: dict[str, Subject],
    cells: list[Cell],
    reports: Path,
    say: Say,
) -> Iterator[Run]:
    """Prepare everything, start the workers, and on the way out end them, whatever happened.

    Raises `HarnessError` and its kin if the lab cannot work.
    """
    directory = _directory(options, reports)
    with _without_empty(directory), open_lab(options, selection, references, directory, say) as lab:
        space = capacity(lab.hardware.memory, options.jobs or selection.config.settings.jobs)
        attempts = list(ledgers.read(directory))
        planned = set(cells)
        known = {c: a for c, a in ledgers.final_states(attempts).items() if c in planned}
        before = rundir.read(directory)
        if before is not None:
            rundir.check_same_kernels(before, lab)
            rundir.check_same_workloads(before, lab)
        record = rundir.describe(
            lab,
            selection,
            slots=space.slots,
            cells=len(cells),
            started=before["started"] if before else rundir.now(),
        )
        rundir.write(directory, record)
        rundir.point_latest(directory)
        say(
            f"{len(cells)} cells, {space.slots} guests at once, {lab.hardware.accelerator}, "
            f"isolation {lab.isolation}, in {from_here(directory)}"
        )
        _look_at_surfaces(lab)
        inbox: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        tried = Counter(attempt.cell for attempt in attempts)
        conductor = Conductor(lab, cells, Ledger(directory), inbox.put, done=known, attempts=dict(tried))
        with ThreadPoolExecutor(space.slots, thread_name_prefix="slot") as executor:
            run = Run(lab, space, conductor, len(cells), known, inbox)
            run.futures += conductor.start(executor, space.slots, space.room)
            for future in run.futures:
                future.add_done_callback(lambda _: inbox.put(None))
            try:
                yield run
            finally:
                conductor.abort(run.futures)
        if len(ledgers.final_states(ledgers.read(directory)).keys() & planned) == len(planned):
            rundir.write(directory, record | {"finished": rundir.now()})
            forget_checkpoints(lab)


def _look_at_surfaces(lab: Lab) -> None:
    """Have the surfaces of the kernels written to the folder: what is known now, the rest as guests are booted."""
    surfaces = Surfaces(lab)
    if surfaces.recall():
        program.build(lab.cache)
        lab.visitors.append(surfaces.visit)


@contextlib.contextmanager
def open_lab(
    options: Options,
    selection: Selection,
    references: dict[str, Subject],
    directory: Path,
    say: Say,
) -> Iterator[Lab]:
    """Connect to libvirt and prepare kernels, images and workloads for a run in `directory`.

    Raises `HarnessError` and its kin if the lab cannot work. No guest is left behind.
    """
    cache = Cache()
    with open_hypervisor(selection.config.settings.libvirt_uri, cache) as hypervisor:
        yield _prepare(options, selection, references, cache, hypervisor, directory, say)


def forget_checkpoints(lab: Lab) -> None:
    """A finished run needs its checkpoints no longer; an unfinished one is resumed with them."""
    for userland, scenario, kernel in itertools.product(lab.images, lab.scenarios, lab.kernels):
        lab.store.drop(lab.origin(userland, scenario, kernel))


@contextlib.contextmanager
def _without_empty(directory: Path) -> Iterator[None]:
    """A run that never began leaves no folder."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            directory.rmdir()


def _directory(options: Options, reports: Path) -> Path:
    if options.resume:
        return rundir.to_resume(options.run_dir, reports)
    if options.run_dir is not None:
        if rundir.read(options.run_dir) is not None:
            raise ConfigError(f"{options.run_dir} holds a run already", hint="give --resume to go on with it")
        return rundir.make_directory(options.run_dir.absolute())
    return rundir.new_directory(reports)


def _prepare(
    options: Options,
    selection: Selection,
    references: dict[str, Subject],
    cache: Cache,
    hypervisor: Hypervisor,
    directory: Path,
    say: Say,
) -> Lab:
    config, settings = selection.config, selection.config.settings
    found: dict[str, Kernel] = {}
    for label, spec in config.kernel_entries(selection.kernels).items():
        say(f"kernel {label}")
        prepared = kernels.prepare(label, spec, settings, cache)
        found |= {kernel.label: kernel for kernel in prepared if kernel.label in selection.kernels}
    roots: dict[str, Image] = {}
    wanted = {package for reference in references.values() for package in reference.scenario.needs.packages}
    for name in selection.userlands:
        say(f"userland {name}")
        roots[name] = images.prepare(name, config.userlands[name], settings, cache, options.criu, wanted)
    for reference in references.values():
        for image in roots.values():
            reference.payload(image, cache)
    first = found[selection.kernels[0]]
    boot = Boot(first.image, first.initrd, first.modules_disk, roots[selection.userlands[0]].disk)
    hardware = Hardware(
        accelerator=accelerator.TCG,
        cpu=settings.cpu,
        memory=settings.memory,
        vcpus=settings.vcpus,
        kernel_arguments=settings.kernel_args,
    )
    choice = accelerator.choose(settings.accelerator, hypervisor, boot, hardware, cache)
    say(f"accelerator {choice.accelerator}: {choice.reason}")
    cpu = processor(settings.cpu, choice.accelerator)
    hardware = dataclasses.replace(hardware, accelerator=choice.accelerator, cpu=cpu)
    for label, kernel in found.items():
        for words in kernels.shortcomings(kernel.config.read_text()) if kernel.config else ():
            say(f"{label}: {words}")
    store = CheckpointStore(cache)
    store.prune()
    return Lab(
        run_id=rundir.identity(directory),
        directory=directory,
        cache=cache,
        hypervisor=hypervisor,
        hardware=hardware,
        timeouts=settings.timeouts,
        isolation=options.isolation,
        confirm=options.confirm,
        kernels=found,
        images=roots,
        scenarios=references,
        store=store,
        options={label: kernel_options(kernel) for label, kernel in found.items()},
    )
