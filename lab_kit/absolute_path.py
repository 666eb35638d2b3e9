"""A type for flags that are paths: they mean the same file from any working directory."""

from pathlib import Path

from jsonargparse.typing import register_type


class AbsolutePath(str):
    """A path, given relative to the working directory or not, as the run's `config.yaml` keeps it."""


# A flag of this type means the same file in any working directory: also where a run is resumed.
register_type(AbsolutePath, deserializer=lambda text: AbsolutePath(Path(text).expanduser().resolve()))
