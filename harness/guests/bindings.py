"""libvirt's Python bindings, quieted before they start.

libvirt reads its logging environment when the module is imported and otherwise writes warnings about every domain
(`is tainted: custom-monitor`) to stderr, in the middle of a progress line. Errors reach us as exceptions all the
same. Set LIBVIRT_LOG_OUTPUTS to see what libvirt has to say.
"""

from __future__ import annotations

import os

os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null")

import libvirt
import libvirt_qemu

__all__ = ["libvirt", "libvirt_qemu"]
