"""CRIU's command lines. A CRIU of 2014 is as welcome as today's: only options that the binary knows are given to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

IMAGES = "/checkpoint/images"
LOGS = "/checkpoint/logs"
DUMP_LOG = f"{LOGS}/dump.log"
RESTORE_LOG = f"{LOGS}/restore.log"

_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]+)")
_FEATURES = re.compile(
    r"--feature FEAT\s+only check a particular feature, one of:(?P<names>.*?)\n\s*\n", re.DOTALL
)

_SWITCHES = frozenset({"--ghost-fiemap", "--mntns-compat-mode"})
"""Options that can be taken back (`--no-ghost-fiemap`), which the help does not say."""
_REPLACED = frozenset({"--enable-external-masters", "--ext-mount-map", "--ext-unix-sk"})
"""What `--external` (2.0) replaced is still understood, and no longer in the help."""

# CRIU's exit code cannot be trusted either way (1.3.1 and 1.7.2 return 0 from a failed `restore -d`), but every
# version since 1.0 says these words, and says them last.
DUMP_DONE = "Dumping finished successfully"
RESTORE_DONE = "Restore finished successfully"


@dataclass(frozen=True)
class Criu:
    """One CRIU binary in a guest."""

    path: str
    version: str
    options: frozenset[str]
    """The long options that its `--help` names."""
    features: tuple[str, ...] = ()
    """What `check --feature` can be asked for, by its `--help`."""

    @classmethod
    def told(cls, path: str, version: str, help_text: str) -> Criu:
        """What a CRIU's `--help` says of it."""
        return cls(path, version, known_options(help_text), feature_names(help_text))

    def missing(self, wanted: tuple[str, ...]) -> list[str]:
        """Which of a scenario's options this CRIU does not know."""
        return [option for option in wanted if option.partition("=")[0] not in self.options]

    def dump(self, pid: int, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
        """argv that checkpoints the tree under `pid` and ends it."""
        return (self.path, "dump", "-t", str(pid), "-D", IMAGES, "-o", DUMP_LOG, "-v4", *extra)

    def restore(self, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
        """argv that brings the tree back and leaves it running."""
        return (self.path, "restore", "-D", IMAGES, "-o", RESTORE_LOG, "-v4", "-d", *extra)

    def check_feature(self, name: str) -> tuple[str, ...]:
        """argv that ends with 0 if the kernel has a feature (criu(8), "check")."""
        return (self.path, "check", "--feature", name)


def known_options(help_text: str) -> frozenset[str]:
    """The long options that `criu --help` names, and those that it takes without naming them."""
    named = frozenset(_OPTION.findall(help_text))
    untold = {f"--no-{name.removeprefix('--')}" for name in _SWITCHES & named}
    return named | untold | (_REPLACED if "--external" in named else frozenset())


def feature_names(help_text: str) -> tuple[str, ...]:
    """The features that a CRIU knows, by its own `--help`."""
    found = _FEATURES.search(help_text)
    return tuple(name for name in re.split(r"[,\s]+", found["names"]) if name) if found else ()
