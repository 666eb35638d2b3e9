"""Let Linux itself keep a process to some folders: what is no rule of Python's, no Python code gets around.

Landlock is part of Linux since 5.13, and needs no rights of root. Source: https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # numbers of system calls, the same on all processors
VERSION = 1  # asks `CREATE_RULESET` what the system knows
BENEATH = 1  # the kind of a rule: what lies in a folder
NO_NEW_PRIVILEGES = 38  # of prctl: Linux asks for it first
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, IOCTL = (1 << bit for bit in (0, 1, 2, 3, 15))
READ = READ_FILE | READ_FOLDER
KNOWN_SINCE = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: IOCTL}  # version -> rights in files and folders
TCP = 0b11  # to listen and to connect; since version 4
SCOPES = 0b11  # Unix sockets and signals to other processes; since version 6


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64)]


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Return the version of Landlock; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, VERSION), 0)


def restrict(own: Path, public: Iterable[Path]) -> bool:
    """Let this process read what is in `public`, read and write what is in `own`, and start no program; for good.

    Where Linux is new enough, it has no network and sends no signal to other processes, either.

    Returns:
        Whether the system can do that.
    """
    known = version()
    if not known:
        return False
    system = ctypes.CDLL(None).syscall
    every = sum(rights for since, rights in KNOWN_SINCE.items() if since <= known)
    attributes = _Ruleset(every, TCP if known >= 4 else 0, SCOPES if known >= 6 else 0)
    ruleset = system(CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    if ruleset < 0:
        return False
    for path in public:
        with suppress(OSError):  # not on every machine
            _allow(system, ruleset, path, READ if path.is_dir() else READ_FILE)
    _allow(system, ruleset, Path(os.devnull), READ_FILE | WRITE_FILE)
    _allow(system, ruleset, own, every & ~EXECUTE)
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = system(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return done


def _allow(system: "ctypes._FuncPointer", ruleset: int, path: Path, rights: int) -> None:
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        system(ADD_RULE, ruleset, BENEATH, ctypes.byref(_Rule(rights, folder)), 0)
    finally:
        os.close(folder)
