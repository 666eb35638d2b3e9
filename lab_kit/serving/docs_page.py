"""The API description as a web page, with a form to try it."""

import json
from html import escape
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("docs.html")


def docs_page(api: dict[str, Any]) -> str:
    """Return the HTML page of an OpenAPI description; the server must replace {{nonce}} in it.

    Args:
        api: the description, as `api_description.describe_api` returns it.
    """
    page = TEMPLATE.read_text(encoding="utf-8")
    operations = [
        _operation(path, method, operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    parts = {
        "{{about}}": escape(api["info"]["description"]),
        "{{version}}": escape(api["info"]["version"]),
        "{{operations}}": "\n".join(operations),
        "{{schemas}}": "\n".join(_schema(name, schema) for name, schema in api["components"]["schemas"].items()),
    }
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(_row(number, answer) for number, answer in sorted(operation["responses"].items()))
    sent = "".join(
        f"<li><code>{escape(kind)}</code> {_type(content['schema'])}</li>"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    note = f"<p>{_as_html(operation['description'])}</p>" if "description" in operation else ""
    return (
        f'<section class="card"><h3><b class="{method}">{method.upper()}</b> <code>{escape(path)}</code> '
        f"<span>{escape(operation['summary'])}</span></h3>{note}"
        f"{f'<p>Send:</p><ul>{sent}</ul>' if sent else ''}"
        f"<details><summary>Answers</summary><table><thead><tr><th>Status</th><th>What it means</th><th>Content</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></details></section>"
    )


def _row(number: str, answer: dict[str, Any]) -> str:
    kinds = "".join(
        f"<code>{escape(kind)}</code> {_type(content['schema'])}" for kind, content in answer["content"].items()
    )
    return f"<tr><td><b>{number}</b></td><td>{_as_html(answer['description'])}</td><td>{kinds}</td></tr>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'' if field in schema['required'] else ' <i>optional</i>'}</td>"
        f"<td>{_type(about)}</td><td>{_as_html(about.get('description', ''))}</td></tr>"
        for field, about in schema["properties"].items()
    )
    return (
        f'<section class="card" id="{escape(name)}"><h3>{escape(name)}</h3><table><thead><tr><th>Field</th>'
        f"<th>Type</th><th>Description</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _type(schema: dict[str, Any]) -> str:
    """Return a short HTML description of the type of a JSON schema."""
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
        return "list of " + (_type(items) if "$ref" in items or items.get("type") != "object" else _object_type(items))
    if schema.get("type") == "object" and "properties" in schema:
        return _object_type(schema)
    if schema.get("type") == "number" and schema.get("maximum") == 1:
        return "number, 0 to 1"
    return escape(schema.get("type", "anything"))


def _object_type(schema: dict[str, Any]) -> str:
    inside = ", ".join(f"<code>{escape(name)}</code>: {_type(about)}" for name, about in schema["properties"].items())
    return f"{{{inside}}}"


def _as_html(text: str) -> str:
    """Return a text as HTML; parts between backticks become code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
