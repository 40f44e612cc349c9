"""Expressions of sizes in exported programs, such as ``Mul(Integer(2), Symbol('s0', positive=True))``.

Torch has sympy evaluate them as Python. Those that hold calls of known functions, symbols and numbers do nothing else.
"""

from __future__ import annotations

import ast
import re

MAX_LENGTH = 20_000
# fmt: off
SIZE_FUNCTIONS = frozenset({
    "Abs", "Add", "And", "BitwiseFn_bitwise_and", "BitwiseFn_bitwise_or", "BitwiseFn_bitwise_xor", "CeilDiv",
    "CeilToInt", "CleanDiv", "Dummy", "Eq", "Equality", "Float", "FloatPow", "FloatTrueDiv", "FloorDiv",
    "FloorToInt", "Ge", "GreaterThan", "Gt", "Identity", "IntTrueDiv", "Integer",
    "IsNonOverlappingAndDenseIndicator", "LShift", "Le", "LessThan", "Lt", "Max", "Min", "Mod", "ModularIndexing",
    "Mul", "Ne", "Not", "OpaqueUnaryFn_exp", "OpaqueUnaryFn_log", "OpaqueUnaryFn_log2", "OpaqueUnaryFn_sqrt", "Or",
    "Piecewise", "Pow", "PowByNatural", "PythonMod", "RShift", "Rational", "RoundDecimal", "RoundToInt",
    "StrictGreaterThan", "StrictLessThan", "Symbol", "ToFloat", "TruncToFloat", "TruncToInt", "Unequality", "Where",
    "ceiling", "floor", "sqrt",
})
# fmt: on
"""Of sympy, and of torch/utils/_sympy/functions.py."""
SIZE_CONSTANTS = frozenset({"True", "False", "true", "false", "oo", "int_oo", "zoo", "nan"})
ASSUMPTIONS = frozenset(
    {"positive", "negative", "nonnegative", "nonpositive", "integer", "real", "finite", "zero", "nonzero", "precision"}
    | {"commutative", "rational", "evaluate", "size_like", "dummy_index"}
)
"""Keywords that say something of a symbol or number."""
SYMBOL = re.compile(r"[A-Za-z_]{1,8}\d+")
PLAIN_TEXT = re.compile(r"[\w.+\-]{1,80}")
ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Tuple, ast.Load)
OPERATIONS = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop)


def is_size(expression: object) -> bool:
    """Whether a text is arithmetic on sizes and nothing else."""
    if not isinstance(expression, str) or len(expression) > MAX_LENGTH:
        return False
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_arithmetic(node) for node in ast.walk(tree))


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in SIZE_FUNCTIONS
    if isinstance(node, ast.keyword):
        return node.arg in ASSUMPTIONS and isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Name):
        return node.id in SIZE_FUNCTIONS | SIZE_CONSTANTS or SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant):
        return (
            PLAIN_TEXT.fullmatch(node.value) is not None
            if isinstance(node.value, str)
            else not isinstance(node.value, bytes)
        )
    return isinstance(node, ARITHMETIC + OPERATIONS)
