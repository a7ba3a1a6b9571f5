"""The `config.json` of an OCI runtime: a container without capabilities, in namespaces of its own. Pure.

Source: opencontainers/runtime-spec, config.md and config-linux.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builder.run.model import AIRFLOW_HOME, SCRATCH, SHARED_MEMORY, RunWish
from builder.run.process import Process

_MASKED = (
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def runtime_config(process: Process, wish: RunWish, *, root: Path, home: Path, hosts: Path) -> dict[str, Any]:
    """Make a runtime's config.

    Args:
        process: what to start.
        wish: what the caller wants.
        root: the unpacked root folder.
        home: the folder to mount at AIRFLOW_HOME.
        hosts: the file to mount at /etc/hosts.
    """
    host_network = wish.network == "host"
    kinds = ["pid", "mount", "ipc", "uts"] + ([] if host_network else ["network"])
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": wish.terminal,
            "user": {"uid": process.uid, "gid": process.gid, "umask": 0o002},
            "args": list(process.argv),
            "env": [f"{name}={value}" for name, value in process.env],
            "cwd": process.workdir,
            "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": wish.read_only},
        "mounts": [*_system_mounts(), *_scratch_mounts(), *_wished_mounts(wish, home, hosts)],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
    }


def _system_mounts() -> list[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        },
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": quiet},
        {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro", *quiet]},
    ]


def _scratch_mounts() -> list[dict[str, Any]]:
    return [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}
        for path in (*SCRATCH, SHARED_MEMORY)
    ]


def _wished_mounts(wish: RunWish, home: Path, hosts: Path) -> list[dict[str, Any]]:
    names = ["/etc/resolv.conf"] if wish.network == "host" else []
    return [
        _bind(str(home), AIRFLOW_HOME, read_only=False),
        _bind(str(hosts), "/etc/hosts", read_only=True),
        *(_bind(name, name, read_only=True) for name in names),
        *(_bind(str(volume.source), volume.target, read_only=volume.read_only) for volume in wish.volumes),
    ]


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    options = ["rbind", "ro" if read_only else "rw", "nosuid", "nodev"]
    return {"destination": target, "type": "bind", "source": source, "options": options}
