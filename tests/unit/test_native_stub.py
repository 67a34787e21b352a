"""The hand-written stub of the compiled module says what is there, all of it and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import alsamm._c as boundary
from alsamm._c import ffi, lib

STUB = Path(boundary.__file__).with_name("_native.pyi")


def members(name: str) -> dict[str, ast.stmt]:
    """What the stub's class of that name has."""
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {_name(item): item for item in node.body}
    raise AssertionError(f"the stub has no class {name}")


def _name(item: ast.stmt) -> str:
    if isinstance(item, ast.FunctionDef):
        return item.name
    assert isinstance(item, ast.AnnAssign), ast.dump(item)
    assert isinstance(item.target, ast.Name), ast.dump(item)
    return item.target.id


def functions() -> dict[str, ast.FunctionDef]:
    return {name: item for name, item in members("Lib").items() if isinstance(item, ast.FunctionDef)}


def expected(ctype: Any) -> str:
    """What the stub is to call a C type."""
    if ctype.kind == "void":
        return "None"
    if ctype.kind == "enum":
        return "int"
    if ctype.kind == "primitive":
        return "float" if ctype.cname in {"float", "double"} else "int"
    return "CData"


def function_type(name: str) -> Any:
    ctype: Any = ffi.typeof(getattr(lib, name))
    return ctype.item if ctype.kind == "pointer" else ctype


def test_every_name_of_lib_is_in_the_stub() -> None:
    assert sorted(set(dir(lib)) - set(members("Lib"))) == []


def test_every_name_of_the_stub_is_in_lib() -> None:
    assert sorted(set(members("Lib")) - set(dir(lib))) == []


def test_constants_are_integers_and_functions_are_functions() -> None:
    for name, item in members("Lib").items():
        assert isinstance(getattr(lib, name), int) == isinstance(item, ast.AnnAssign), name


def test_functions_have_the_arguments_and_results_of_c() -> None:
    for name, item in functions().items():
        ctype = function_type(name)
        told = [ast.unparse(argument.annotation) for argument in item.args.posonlyargs[1:] if argument.annotation]
        if not ctype.args:
            assert [argument.arg for argument in item.args.args] == ["self"], name
        assert told == [expected(argument) for argument in ctype.args], name
        assert item.returns is not None
        assert ast.unparse(item.returns) == expected(ctype.result), name


def test_every_name_of_the_stubs_ffi_is_there() -> None:
    assert [name for name in members("FFI") if not hasattr(ffi, name)] == []
