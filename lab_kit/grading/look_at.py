"""Name what a person should look at in homework: code that reaches for what it is judged by, and does not need it."""

import ast
import warnings
from collections.abc import Iterator, Mapping

MOST = 10  # lines about one student
USUAL = {  # modules that homework may well need
    "__future__", "abc", "asyncio", "bisect", "collections", "concurrent", "contextlib", "copy", "dataclasses", "enum",
    "fractions", "functools", "heapq", "itertools", "math", "numbers", "operator", "PIL", "queue", "random", "re",
    "statistics", "string", "threading", "time", "typing", "warnings",
    "lab_kit", "numpy", "pytorch_lightning", "text_recognizer", "torch", "torchmetrics", "torchvision", "training",
}  # fmt: skip
REACHING = {  # names that lead to files, to other code, or to what a check sees and does
    "os", "sys", "builtins", "inspect", "importlib", "io", "subprocess", "ctypes", "gc", "pickle", "grading", "testing",
    "modules", "settrace", "setprofile", "addaudithook", "monitoring", "meta_path", "attrgetter", "methodcaller",
    "tb_frame", "f_back", "f_globals", "f_locals", "f_builtins", "f_code", "gi_frame", "cr_frame", "ag_frame",
    "load", "save", "from_file", "fromfile", "tofile", "memmap", "loadtxt", "genfromtxt", "read_text", "read_bytes",
    "write_text", "write_bytes", "jit", "hub", "ops", "library", "package", "cpp_extension", "ctypeslib",
    "get_type_hints", "as_subclass", "register_module_forward_hook", "register_module_forward_pre_hook",
}  # fmt: skip
BUILT_IN = {
    "open", "exec", "eval", "compile", "globals", "locals", "vars", "getattr", "setattr", "delattr", "breakpoint",
    "__import__", "__builtins__", "__loader__", "__spec__",
}  # fmt: skip
DEFINED = {  # special methods that give no false answer to a check; what else is special is worth a look
    "__init__", "__post_init__", "__len__", "__getitem__", "__iter__", "__next__", "__call__", "__repr__", "__enter__",
    "__exit__", "__all__", "__slots__", "__name__", "__doc__", "__main__", "__file__",
}  # fmt: skip
VALUES = {
    "int", "float", "bool", "str", "bytes", "list", "tuple", "dict", "set", "type", "Tensor", "Parameter", "ndarray",
}  # fmt: skip
SET_ON_OTHERS = {"grad", "data", "requires_grad", "weight", "bias"}  # attributes that training sets


def suspicious(files: Mapping[str, bytes]) -> list[str]:
    """Return a line for each thing in homework that a person should look at. None of them costs a point.

    Args:
        files: path in the lab -> content.
    """
    found = []
    for name, content in files.items():
        try:
            with warnings.catch_warnings(action="ignore"):
                lines = sorted({line for node in ast.walk(ast.parse(content)) for line in _in(node)})
        except (SyntaxError, ValueError):
            continue  # the checks say so
        except (RecursionError, MemoryError):
            found.append(f"Look at {name}: it is nested too deeply to be looked through here.")
            continue
        found += [f"Look at {name}, line {line}: it {what}." for line, what in lines]
    more = [f"Look at {len(found) - MOST} more lines like these."] if len(found) > MOST else []
    return found[:MOST] + more


def _in(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Return line number and description of what is worth a look in one node of the syntax tree."""
    match node:
        case ast.Import(names=names):
            for one in names:
                if _unusual(one.name) or one.asname == "self":
                    yield node.lineno, f"imports {one.name}"
        case ast.ImportFrom(module=module, names=names):
            for path in (f"{module or ''}.{one.name}" for one in names):
                if _unusual(path) and not node.level:
                    yield node.lineno, f"imports {path}"
        case ast.Attribute(attr=name) if name in REACHING or _special(name):
            yield node.lineno, f"uses {name}"
        case ast.Attribute(value=ast.Name("self")):
            return
        case ast.Attribute(attr=name) if name.startswith("_") and name not in DEFINED:
            yield node.lineno, f"uses {name}"
        case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()) if name not in SET_ON_OTHERS:
            yield node.lineno, f"sets {ast.unparse(node)[:60]}"
        case ast.Name("self", ast.Store()):
            yield node.lineno, "gives something else the name self"
        case ast.Name(id=name) if name in BUILT_IN or _special(name):
            yield node.lineno, f"uses {name}"
        case ast.Constant(value=str(text)) if ("_" in text and text in REACHING) or _special(text):
            yield node.lineno, f"names {text}"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _special(name):
            yield node.lineno, f"defines {name}"
        case ast.ClassDef(name=name, bases=bases):
            for base in bases:
                if (text := ast.unparse(base)[:60]).split(".")[-1] in VALUES:
                    yield node.lineno, f"makes {name} a kind of {text}"
        case ast.Call(func=ast.Name("type"), args=args) if len(args) != 1:
            yield node.lineno, "makes a class with type()"


def _unusual(path: str) -> bool:
    first, *others = path.split(".")
    return first not in USUAL or any(name in REACHING or name.startswith(("_", "*")) for name in others)


def _special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and len(name) > 4 and name not in DEFINED
