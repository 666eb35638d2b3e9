"""HTML pages from Jinja2 templates that are files beside the code: whatever is put into them is escaped."""

import functools
from pathlib import Path

import jinja2


@functools.cache
def template(path: Path) -> jinja2.Template:
    """Return the template in a file; a name that it uses and is not given is an error."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(path.read_text(encoding="utf-8"))
