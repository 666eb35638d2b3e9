"""The server's description as a page for people, with a form to try it."""

import json
from html import escape
from pathlib import Path
from typing import Any

FRAME = Path(__file__).with_name("docs.html")


def docs_page(about: dict[str, Any]) -> str:
    """Return the page of an OpenAPI description; where it says {{nonce}}, the server puts one.

    Args:
        about: the description, as `openapi.description` returns it.
    """
    frame = FRAME.read_text(encoding="utf-8")
    operations = [_operation(path, way, told) for path, ways in about["paths"].items() for way, told in ways.items()]
    parts = {
        "{{about}}": escape(about["info"]["description"]),
        "{{version}}": escape(about["info"]["version"]),
        "{{operations}}": "\n".join(operations),
        "{{schemas}}": "\n".join(_schema(name, told) for name, told in about["components"]["schemas"].items()),
    }
    for mark, text in parts.items():
        frame = frame.replace(mark, text)
    return frame


def _operation(path: str, way: str, told: dict[str, Any]) -> str:
    rows = "".join(_row(number, answer) for number, answer in sorted(told["responses"].items()))
    sent = "".join(
        f"<li><code>{escape(kind)}</code> {_type(content['schema'])}</li>"
        for kind, content in told.get("requestBody", {}).get("content", {}).items()
    )
    note = f"<p>{_marked(told['description'])}</p>" if "description" in told else ""
    return (
        f'<section class="card"><h3><b class="{way}">{way.upper()}</b> <code>{escape(path)}</code> '
        f"<span>{escape(told['summary'])}</span></h3>{note}"
        f"{f'<p>Send:</p><ul>{sent}</ul>' if sent else ''}"
        f"<details><summary>Answers</summary><table><thead><tr><th>Status</th><th>What it means</th><th>Content</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></details></section>"
    )


def _row(number: str, answer: dict[str, Any]) -> str:
    kinds = "".join(
        f"<code>{escape(kind)}</code> {_type(content['schema'])}" for kind, content in answer["content"].items()
    )
    return f"<tr><td><b>{number}</b></td><td>{_marked(answer['description'])}</td><td>{kinds}</td></tr>"


def _schema(name: str, told: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'' if field in told['required'] else ' <i>optional</i>'}</td>"
        f"<td>{_type(about)}</td><td>{_marked(about.get('description', ''))}</td></tr>"
        for field, about in told["properties"].items()
    )
    return (
        f'<section class="card" id="{escape(name)}"><h3>{escape(name)}</h3><table><thead><tr><th>Entry</th>'
        f"<th>Type</th><th>What it is</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _type(schema: dict[str, Any]) -> str:
    """Return what a schema takes, in a few words."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema:
        few = schema["enum"][:8]
        more = f", ... ({len(schema['enum'])} in all)" if len(schema["enum"]) > len(few) else ""
        return ", ".join(f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>" for value in few) + more
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if schema.get("type") == "array":
        items = schema["items"]
        return "list of " + (_type(items) if "$ref" in items or items.get("type") != "object" else _entries(items))
    if schema.get("type") == "object" and "properties" in schema:
        return _entries(schema)
    if schema.get("type") == "number" and schema.get("maximum") == 1:
        return "number, 0 to 1"
    return escape(schema.get("type", "anything"))


def _entries(schema: dict[str, Any]) -> str:
    inside = ", ".join(f"<code>{escape(name)}</code>: {_type(about)}" for name, about in schema["properties"].items())
    return f"{{{inside}}}"


def _marked(text: str) -> str:
    """Return a sentence as HTML; what stands between ` and ` is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
