"""A container by user namespaces alone: the program `python -m builder.run.namespaces SPEC`, started by userns.py.

1. Enter new user, mount, pid, ipc and uts namespaces, and a network one when wanted; the caller becomes the image's user.
   Where root asks for it (`as_root`), without a user namespace: the command then gets a user of this machine without rights.
2. Fork: the child is process 1 of the new pid namespace.
3. Mount the root folder, memory file systems, devices, /proc and the volumes; then make the root read-only.
4. Make it the root, let go of the old one, give up every privilege for good, become the command.

It needs no tool and no privilege, only that the kernel allows user namespaces. SPEC is a JSON file, see `Spec`.
Standard library only, so that nothing is imported between the namespaces and the command.

Source: user_namespaces(7), mount_namespaces(7), pivot_root(2).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn, NotRequired, TypedDict

from builder.run.foreground import exit_status, forwarding

_CLONE = {"mount": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000}
_CLONE_NETWORK = 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20, 0x1000, 0x4000, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_LOCKED = {2: _MS_NOSUID, 4: _MS_NODEV, 8: _MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""statvfs flags that a user namespace must keep when it mounts again, and mount's word for them."""
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


class Spec(TypedDict):
    """What to run; every path is absolute."""

    argv: list[str]
    env: dict[str, str]
    workdir: str
    uid: int
    gid: int
    root: str
    read_only: bool
    network: bool
    """Whether this machine's network is shared."""
    scratch: list[str]
    """Paths in the container to mount memory file systems on."""
    binds: list[tuple[str, str, bool]]
    """Source, target in the container, read-only; the target exists, below the root or what was bound before."""
    failure: str
    """A file to write to when the command cannot be started."""
    as_root: NotRequired[bool]
    """The caller is root, and the command's user is to be one of this machine, without a user namespace."""
    scratch_options: NotRequired[str]
    """Options of the memory file systems, as `size=64m`, besides their mode."""
    limits: NotRequired[dict[str, int]]
    """Of the command and each of its children, by resource.RLIMIT's names in lower case, as `cpu`. Whoever has limits is also
    the first to be ended where memory runs out."""


def main(arguments: list[str]) -> int:
    """Run a spec; `--probe`, or `--probe root` for `as_root`, only tries whether it would work."""
    if arguments[0] == "--probe":
        return _probe(as_root=arguments[1:] == ["root"])
    spec: Spec = json.loads(Path(arguments[0]).read_bytes())
    failure = os.open(spec["failure"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _enter(spec["uid"], spec["gid"], own_network=not spec["network"], as_root=spec.get("as_root", False))
    except OSError as error:
        os.write(failure, str(error).encode())
        return 1
    child = os.fork()
    if child == 0:
        _become(spec, failure)
    with forwarding(child):
        return exit_status(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _probe(*, as_root: bool) -> int:
    try:
        _enter(os.geteuid(), os.getegid(), own_network=True, as_root=as_root)
        _mount("tmpfs", "/tmp", "tmpfs")  # noqa: S108 - in a mount namespace of its own
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 1
    return 0


def _enter(uid: int, gid: int, *, own_network: bool, as_root: bool) -> None:
    """Step 1."""
    flags = sum(_CLONE.values()) | (_CLONE_NETWORK if own_network else 0)
    if as_root:
        _checked(_libc.unshare(flags & ~_CLONE["user"]), "namespaces")
    else:
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        _checked(_libc.unshare(flags), "user namespaces")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    if own_network:
        _start_loopback()


def _become(spec: Spec, failure: int) -> NoReturn:
    """Steps 3 and 4, in process 1 of the container."""
    try:
        _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
        _mount_all(spec, Path(spec["root"]))
        _limit(spec)
        _make_root(spec["root"])
        os.chdir(spec["workdir"])
        os.umask(0o022)
        if spec.get("as_root"):
            _leave_root(spec["uid"], spec["gid"])
        _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        # The user is not root in here, so all capabilities go with the execve.
        os.execve(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - no shell wanted
    except OSError as error:
        os.write(failure, str(error).encode())
    os._exit(1)


def _limit(spec: Spec) -> None:
    limits = spec.get("limits", {})
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(number)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (least, least))
    if limits:
        Path("/proc/self/oom_score_adj").write_text("1000")


def _leave_root(uid: int, gid: int) -> None:
    """Become a user without rights. All capabilities go with it; so does the wish to end with the parent, renewed here."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def _mount_all(spec: Spec, root: Path) -> None:
    _mount(str(root), str(root), None, _MS_BIND | _MS_REC)
    _mount_devices(root / "dev")
    options = ",".join(filter(None, ("mode=1777", spec.get("scratch_options"))))
    for target in spec["scratch"]:
        _mount("tmpfs", str(root) + target, "tmpfs", _MS_NOSUID | _MS_NODEV, options)
    try:
        _mount("proc", str(root / "proc"), "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    except PermissionError:
        # Inside another container, whose /proc is partly covered, only that one can be shown again.
        _mount("/proc", str(root / "proc"), None, _MS_BIND | _MS_REC)
    for source, target, read_only in spec["binds"]:
        _bind(source, str(root) + target, read_only=read_only)
    if spec["read_only"]:
        _remount_read_only(str(root))


def _mount_devices(folder: Path) -> None:
    _mount("tmpfs", str(folder), "tmpfs", _MS_NOSUID, "mode=0755")
    for name in _DEVICES:
        (folder / name).touch()
        _mount(f"/dev/{name}", str(folder / name), None, _MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        (folder / name).symlink_to(target)
    for name in ("pts", "shm"):
        (folder / name).mkdir()
    _mount("devpts", str(folder / "pts"), "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")


def _bind(source: str, target: str, *, read_only: bool) -> None:
    _mount(source, target, None, _MS_BIND | _MS_REC)
    if read_only:
        _remount_read_only(target)


def _remount_read_only(target: str) -> None:
    present = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _LOCKED.items() if present & bit)
    _mount(None, target, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _make_root(root: str) -> None:
    """Step 4: stack the new root onto the old one, and detach the old."""
    os.chdir(root)
    _checked(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    arguments: list[Any] = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), data and data.encode()), f"mount on {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
