"""`kernels.yaml` as frozen, validated objects: what there is to run, before anything is fetched."""

from harness.config.loader import load
from harness.config.models import (
    Accelerator,
    Config,
    Criu,
    DebKernel,
    FileKernel,
    KernelSpec,
    PackageKernel,
    Profile,
    Settings,
    Timeouts,
    Userland,
)
from harness.config.selection import select

__all__ = [
    "Accelerator",
    "Config",
    "Criu",
    "DebKernel",
    "FileKernel",
    "KernelSpec",
    "PackageKernel",
    "Profile",
    "Settings",
    "Timeouts",
    "Userland",
    "load",
    "select",
]
