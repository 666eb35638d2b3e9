"""Take from a process what homework does not need: other people's files, programs, the network, and too much memory.

Where the system can keep a process to some folders, it does (see `landlock`), and each process of root's becomes a user
of its own. Everywhere, an audit hook (PEP 578) sees what Python code opens and starts; it cannot be removed again. It
stops what students try, and no attacker who knows Python's inside: a person should read what `look_at` names.
"""

import os
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab_kit.grading import landlock

READS = {"open", "os.listdir", "os.scandir", "os.chdir"}
WRITES = {  # event -> how many of its first arguments are paths
    "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.chmod": 1, "os.chown": 1, "os.truncate": 1, "os.utime": 1,
    "os.rename": 2, "shutil.rmtree": 1,
}  # fmt: skip
REFUSED = {
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn", "os.fork",
    "os.forkpty", "os.link", "os.symlink", "resource.setrlimit", "resource.prlimit",
    "socket.connect", "socket.bind", "socket.getaddrinfo", "os.kill", "os.killpg", "ctypes.dlopen", "ctypes.dlsym",
    "gc.get_objects", "gc.get_referrers", "gc.get_referents",
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
USERS = range(61184, 65520)  # numbers of users that no system gives to a person
SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev/zero", "/dev/urandom", "/nix/store")  # no secrets


def limit_memory(gigabytes: float) -> None:
    """Let this process take so much more memory than it has; more is a MemoryError. Windows and macOS set no limit."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + int(gigabytes * 1e9)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def become_nobody(folder: Path, *needed: Path) -> None:
    """Give up the rights of root, where this is root and anybody may read what is needed.

    The user is another one for each process, so that none can reach the files or the processes of the others.

    Args:
        folder: what the process shall own.
        needed: files and folders that it has to read.
    """
    if getattr(os, "geteuid", lambda: 1)() != 0 or not all(map(_open_to_all, [folder, *needed])):
        return
    user = USERS[os.getpid() % len(USERS)]
    with suppress(OSError):  # a container may not have these users, or not the right to become one
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def _open_to_all(path: Path) -> bool:
    """Say whether every folder on the way to a path lets other users pass; the last one is not asked."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def install(secret: Sequence[Path], public: Sequence[Path], own: Path) -> None:
    """Refuse, from now on and for good, what homework does not need; each refusal is a PermissionError.

    Args:
        secret: folders that must not be read.
        public: folders within these that may be.
        own: the only folder that may be written to.
    """
    landlock.restrict(own, [Path(path) for path in (*SYSTEM, *sys.path, sys.prefix, sys.base_prefix, *public)])
    realpath, fspath, within = os.path.realpath, os.fspath, _within
    hidden, shown = [realpath(path) for path in secret], [realpath(path) for path in public]
    shown += {realpath(path) for path in (sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"))}
    mine, devices, is_folder = realpath(own), ("/dev/null", "/dev/zero", "/dev/urandom"), os.path.isdir

    def check(path: object, writing: bool) -> None:
        if path is None or isinstance(path, int):  # the working directory, or what is open already
            return
        place = realpath(os.fsdecode(fspath(path)))
        if within(place, [mine]):
            return
        if within(place, hidden) and not within(place, shown):
            raise PermissionError(f"homework may not read {place}")
        if writing and not within(place, devices):
            raise PermissionError(f"homework may not write {place}")

    def check_no_folder(path: object) -> None:
        name = os.fsdecode(fspath(path))
        if ".." in name.replace(os.sep, "/").split("/") or (is_folder(name) and not within(realpath(name), [mine])):
            raise PermissionError(f"homework may not open {name}")

    def watch(event: str, arguments: tuple) -> None:
        if event in REFUSED:
            raise PermissionError(f"homework may not use {event}")
        if event in READS and arguments:
            _, mode, flags = arguments if event == "open" else (None, "", 0)
            check(arguments[0], bool((flags or 0) & WRITING))
            if mode is None:  # os.open, which may take a path that is relative to any open folder
                check_no_folder(arguments[0])
        elif event in WRITES:
            for path in arguments[: WRITES[event]]:
                with suppress(TypeError):  # no path: what was called refuses it
                    check(path, writing=True)

    sys.addaudithook(watch)


def _within(place: str, folders: Sequence[str]) -> bool:
    return any(place == folder or place.startswith(folder + os.sep) for folder in folders)
