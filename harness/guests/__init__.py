"""libvirt guests: accelerator probe, domain XML, boot, snapshot, reset, exec, console, and testinfra's backend."""
