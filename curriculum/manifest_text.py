"""Add to the text of labs.toml: its comments and its order stay as they are."""

import json
import re
import tomllib
from typing import Any

from curriculum.manifest import NAME
from lab_kit.errors import UserError


def with_lab(text: str, settings: dict[str, Any]) -> str:
    """Return the text with one more [[lab]], behind the others."""
    lines = text.splitlines()
    last = _start(lines, -1)
    table = ["", "[[lab]]", *(f"{name} = {_value(value)}" for name, value in settings.items())]
    wanted = tomllib.loads(text)
    wanted["lab"].append(settings)
    return _checked([*lines[: (end := _end(lines, last))], *table, *lines[end:]], wanted)


def with_file(text: str, lab: int, file: str) -> str:
    """Return the text with one more file in the `adds` of a lab, behind the others."""
    lines = text.splitlines()
    start = _start(lines, lab - 1)
    wanted = tomllib.loads(text)
    wanted["lab"][lab - 1]["adds"].append(file)
    table = range(start, _end(lines, start))
    adds = next((number for number in table if re.match(r"adds\s*=", lines[number])), start)
    if re.fullmatch(r"adds\s*=\s*\[\s*\]", lines[adds]):
        lines[adds] = f"adds = [\n    {_value(file)},\n]"
    elif lines[adds].endswith("]"):
        lines[adds] = f"{lines[adds][:-1]}, {_value(file)}]"
    elif close := [number for number in table if number > adds and lines[number] == "]"]:
        lines.insert(close[0], f"    {_value(file)},")
    return _checked(lines, wanted)


def with_export(text: str, package: str, module: str, name: str) -> str:
    """Return the text with a module and its class in a package's [exports], behind the others."""
    lines = text.splitlines()
    header = f'[exports."{package}"]' if "/" in package else f"[exports.{package}]"
    wanted = tomllib.loads(text)
    wanted.get("exports", {}).setdefault(package, {})[module] = [name]
    if header in lines:
        lines.insert(_end(lines, lines.index(header)), f"{module} = {_value([name])}")
    return _checked(lines, wanted)


def _start(lines: list[str], lab: int) -> int:
    """Return where a lab's table begins, by its place; the first line where it is written in another way."""
    starts = [number for number, line in enumerate(lines) if line == "[[lab]]"]
    return starts[lab] if lab < len(starts) and starts else 0


def _end(lines: list[str], start: int) -> int:
    """Return where the table that begins at `start` ends: before the next one, and the comment above that."""
    end = next((number for number in range(start + 1, len(lines)) if lines[number].startswith("[")), len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # words, numbers and lists of them are the same in TOML


def _checked(lines: list[str], wanted: dict[str, Any]) -> str:
    """Return the lines as a text; raises UserError where it does not say what is wanted."""
    text = "\n".join(lines) + "\n"
    try:
        if tomllib.loads(text) == wanted:
            return text
    except tomllib.TOMLDecodeError:
        pass
    raise UserError(f"{NAME} is written in a way that this command cannot add to: add the new lines by hand.")
