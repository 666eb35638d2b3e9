"""The version of the course: the kit, the checkpoints, the run folders and the site share it."""

import importlib.metadata

DISTRIBUTION = "text-recognizer-labs"  # as pyproject.toml names it
IN_CHECKPOINTS = "course_version"  # says which version of the course wrote a checkpoint


def course_version() -> str:
    """Return the version of the installed kit, such as `0.3.0`; "unknown" where it is used without being installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
