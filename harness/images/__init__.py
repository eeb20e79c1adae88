"""Where root disks come from: mmdebstrap, a reproducible ext4, the guest's init, workloads built for it."""

from harness.images.image import Image, prepare
from harness.images.workload import compile_workload

__all__ = ["Image", "compile_workload", "prepare"]
