"""Where the links of a release lead: to the course's repository, for what stays there, or to the release itself."""

import re

from curriculum.manifest import Manifest


def adapted(manifest: Manifest, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of a release with their links as they are right there.

    Documentation and measurements name all labs, so they stay in the course's repository, and links lead there. If
    `release_repository` says where the release is, its notebooks fetch it, and not the course with all labs.
    """
    there = rf"](https://github.com/{manifest.repository}/blob/main/\1/".encode()
    outside = re.compile(rb"\]\((?:\.\./)+(docs|benchmarks)/")
    course = re.compile(rf"(?<=github\.com/|com/github/){re.escape(manifest.repository)}\b".encode())
    release = (manifest.release_repository or manifest.repository).encode()
    new = {name: outside.sub(there, content) for name, content in files.items() if name.endswith(".md")}
    new |= {name: course.sub(release, content) for name, content in files.items() if name.endswith(".ipynb")}
    return files | new
