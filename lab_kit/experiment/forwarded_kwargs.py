"""See whether constructors always pass their `**kwargs` on as they are, so that what stands for them can be read."""

import ast
import inspect
import textwrap

CHANGING = ("update", "setdefault", "popitem", "clear")  # methods of dict


def changed_in(a_class: type, frameworks: tuple[type, ...]) -> type | None:
    """Return the class, `a_class` or one that it is derived from, whose constructor does not pass its `**kwargs` on.

    It changes them, or passes on a copy, or passes them on in one case and not in another. A constructor that never
    passes them on is not meant: there, `**kwargs` stands for nothing.

    Args:
        a_class: whose constructors are read.
        frameworks: base classes where reading stops.
    """
    for base in a_class.__mro__:
        if base in frameworks:
            return None
        if "__init__" in vars(base) and _changes_kwargs(base.__init__):
            return base
    return None


def _changes_kwargs(constructor: object) -> bool:
    try:
        function = ast.parse(textwrap.dedent(inspect.getsource(constructor))).body[0]
    except (OSError, TypeError, SyntaxError):  # it has no source, as in C
        return False
    if not isinstance(function, ast.FunctionDef) or function.args.kwarg is None:
        return False
    name = function.args.kwarg.arg

    def is_kwargs(node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == name

    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _is_constructor(node)]
    unpacked = [[word.value for word in call.keywords if word.arg is None] for call in calls]
    if any(not is_kwargs(value) for values in unpacked for value in values):
        return True  # a copy, which may hold something else
    if any(unpacked) and not all(unpacked):
        return True  # in one case and not in another
    for node in ast.walk(function):
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()) if is_kwargs(node):
                return True
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()) if is_kwargs(value):
                return True
            case ast.Attribute(value=value, attr=method) if is_kwargs(value) and method in CHANGING:
                return True
            case ast.Expr(ast.Call(ast.Attribute(value=value, attr="pop"))) if is_kwargs(value):
                return True  # what is taken out goes nowhere
    return False


def _is_constructor(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"
