"""Evaluates the conditions of ``dsl.If``: the part of CEL that KFP's compiler writes.

``kfp.local`` pastes values into the expression as text, so a quote in a value changes its meaning,
and an expression it cannot read counts as false. Here values are bound by name, and an unreadable
expression is an error.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from headrace.components.shared.errors import ConfigError

_TOKEN = re.compile(
    r"""inputs\.parameter_values\[(?P<key>'[^']*'|"[^"]*")\]
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<and>&&) | (?P<or>\|\|) | (?P<not>!(?!=)) | (?P<word>\b(?:true|false|null)\b)""",
    re.VERBOSE,
)
_WORDS = {"true": "True", "false": "False", "null": "None"}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CASTS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "double": float,
    "string": str,
    "bool": bool,
}


def inputs_of(condition: str) -> list[str]:
    """The names of the task inputs that a condition reads."""
    return [match["key"][1:-1] for match in _TOKEN.finditer(condition) if match["key"]]


def evaluate(condition: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a condition holds.

    Args:
        condition: The trigger policy's expression.
        arguments: The task's input values.

    Raises:
        ConfigError: The expression is not one that KFP's compiler writes.
    """
    values: dict[str, Any] = {}

    def python(match: re.Match[str]) -> str:
        if match["key"]:
            name = f"value_{len(values)}"
            values[name] = arguments.get(match["key"][1:-1])
            return name
        if match["word"]:
            return _WORDS[match["word"]]
        return match["text"] or (" and " if match["and"] else " or " if match["or"] else " not ")

    try:
        tree = ast.parse(_TOKEN.sub(python, condition).strip(), mode="eval")
        return bool(_evaluate(tree.body, values))
    except (SyntaxError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"The condition `{condition}` cannot be evaluated: {error}.",
            fix="Compare step outputs or parameters with plain constants; a text constant must "
            "not contain a quote. Then compile the pipeline again.",
        ) from error


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.BoolOp(op=op, values=parts):
            results = (_evaluate(part, values) for part in parts)
            return all(results) if isinstance(op, ast.And) else any(results)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, values)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, values)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return _CASTS[name](_evaluate(argument, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _COMPARE[type(op)](_evaluate(left, values), _evaluate(right, values))
    raise ValueError(f"`{ast.unparse(node)}` is not supported")
