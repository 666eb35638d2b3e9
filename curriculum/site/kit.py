"""Pages that describe the kit: what its docstrings say. The code is read, and nothing of it is imported."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import griffe

PACKAGE = "lab_kit"
TOP = "modules"  # the place of the page of the modules that are in no room
SECTIONS = {
    "parameters": "Args",
    "returns": "Returns",
    "yields": "Yields",
    "raises": "Raises",
    "attributes": "Attributes",
}


@dataclass(frozen=True)
class Room:
    """The page of one package of the kit; `files` are its modules, as paths in the repository."""

    place: str
    title: str
    text: str
    files: tuple[str, ...]


def rooms(root: Path) -> list[Room]:
    """Return a page for each package of the kit in the repository `root`, first that of the kit itself."""
    quiet = {"warnings": False}  # of parameters that are described two in a line, as "x, y"
    kit = griffe.load(
        PACKAGE,
        try_relative_path=False,
        search_paths=[root],
        allow_inspection=False,
        docstring_parser="google",
        docstring_options=quiet,
    )
    return [_room(package, root) for package in _packages(kit)]


def _packages(package: griffe.Module) -> Iterator[griffe.Module]:
    yield package
    for name in sorted(package.modules):
        if package.modules[name].is_init_module:
            yield from _packages(package.modules[name])


def _room(package: griffe.Module, root: Path) -> Room:
    modules = [package.modules[name] for name in sorted(package.modules)]
    modules = [module for module in modules if not module.is_init_module and not module.name.startswith("_")]
    inside = package.path.partition(".")[2].replace(".", "/")
    parts = [f"# `{package.path}`", *_docstring(package)]
    for module in modules:
        parts += [f"## `{module.name}.py`", *_docstring(module), *_members(module, "###")]
    return Room(
        place=posixpath.join(PACKAGE, inside or TOP),
        title=inside or PACKAGE,
        text="\n\n".join(parts) + "\n",
        files=tuple(Path(module.filepath).relative_to(root).as_posix() for module in modules),
    )


def _members(owner: griffe.Module | griffe.Class, level: str) -> Iterator[str]:
    """Yield the description of all public classes and functions, in the order of the code."""
    for name, member in owner.members.items():
        if name.startswith("_") or member.is_alias or not member.has_docstring:
            continue
        if member.is_class:
            yield f"{level} `{name}`"
            yield _block(_class_lines(member))
            yield from _docstring(member)
            yield from _members(member, f"{level}#")
        elif member.is_function:
            yield f"{level} `{name}`"
            yield _block([_signature(member)])
            yield from _docstring(member)
        elif "property" in member.labels:
            yield f"{level} `{name}`"
            yield _block([f"{name}: {member.annotation}  # a property"])
            yield from _docstring(member)


def _class_lines(found: griffe.Class) -> list[str]:
    """Return how a class begins: its name, its bases, and what it is made with."""
    bases = ", ".join(str(base) for base in found.bases)
    lines = [f"class {found.name}({bases}):" if bases else f"class {found.name}:"]
    if (init := found.members.get("__init__")) and init.is_function:
        return [*lines, f"    {_signature(init)}"]
    fields = [one for one in found.members.values() if one.is_attribute and one.annotation and one.name[0] != "_"]
    return [*lines, *(f"    {one.name}: {one.annotation}" + _default(one.value) for one in fields)] or lines


def _signature(function: griffe.Function) -> str:
    """Return a function's signature; one that is long has a parameter a line."""
    line = f"def {function.signature(return_type=True)}"
    if len(line) <= 100:
        return line
    before = " " * 4 if function.name == "__init__" else ""
    inside = ",\n".join(f"    {before}{parameter}" for parameter in _parameters(function))
    returned = f" -> {function.returns}" if function.returns else ""
    return f"def {function.name}(\n{inside},\n{before}){returned}"


def _parameters(function: griffe.Function) -> Iterator[str]:
    keyword_only = False
    for one in function.parameters:
        if one.kind is griffe.ParameterKind.keyword_only and not keyword_only:
            keyword_only = True
            yield "*"
        stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(one.kind, "")
        keyword_only = keyword_only or stars == "*"
        annotation = f": {one.annotation}" if one.annotation else ""
        default = "" if stars or one.default is None else f"{' = ' if annotation else '='}{one.default}"
        yield f"{stars}{one.name}{annotation}{default}"


def _default(value: object) -> str:
    return f" = {value}" if value is not None else ""


def _block(lines: list[str]) -> str:
    return "\n".join(["```python", *lines, "```"])


def _docstring(owner: griffe.Object) -> Iterator[str]:
    """Yield the parts of a docstring as Markdown."""
    for section in owner.docstring.parsed if owner.docstring else []:
        kind = section.kind.value
        if kind == "text":
            yield _words(section.value)
        elif kind in SECTIONS:
            yield f"**{SECTIONS[kind]}**"
            yield "\n".join(_item(one, kind) for one in section.value)


def _item(one: griffe.DocstringElement, kind: str) -> str:
    """Return one parameter, result or error, as a list's item."""
    name = getattr(one, "name", "") if kind in ("parameters", "attributes") else str(one.annotation or "")
    description = "\n  ".join(line.strip() for line in _words(one.description).splitlines())
    return f"- `{name}`: {description}" if name else f"- {description}"


def _words(text: str) -> str:
    """Let what docstrings hold be words: `<name>` is no HTML, and # at the beginning of a line no heading."""
    parts = re.split(r"(`[^`]*`|^ {4}.*$)", text, flags=re.MULTILINE)  # code stays as it is
    parts[::2] = [re.sub(r"^#", r"\\#", part.replace("<", "&lt;"), flags=re.MULTILINE) for part in parts[::2]]
    return "".join(parts)
