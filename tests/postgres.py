"""A PostgreSQL server of the tests' own, on this machine, as a user without rights."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import find, require


def _programs() -> Path | None:
    """Return the folder with the server's programs: Debian keeps them out of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = find("initdb")
    return debian[-1].parent if debian else Path(found).parent if found else None


@contextmanager
def server() -> Iterator[str]:
    """Start a server with an empty database; yields its address."""
    programs = Path(require("PostgreSQL", str(_programs()) if _programs() else None))
    how: dict[str, object] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": "/"}
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))  # a socket's path must be short
    if os.geteuid() == 0:  # the server refuses to run with all rights
        user = pwd.getpwnam("nobody")
        how |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    subprocess.run([programs / "initdb", "-D", data, "-U", "course", "--auth=trust", "-E", "UTF8"], check=True, **how)
    settings = [f"listen_addresses=127.0.0.1,port={port}", f"unix_socket_directories={folder}", "fsync=off"]
    flags = [part for setting in ",".join(settings).split(",") for part in ("-c", setting)]
    process = subprocess.Popen([programs / "postgres", "-D", data, *flags], **how)
    try:
        for _ in range(200):
            ready = subprocess.run([programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"], check=False)
            if ready.returncode == 0:
                break
            assert process.poll() is None, "PostgreSQL did not start"
            time.sleep(0.1)
        yield f"postgresql://course@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # SIGTERM would wait for those who are connected
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
