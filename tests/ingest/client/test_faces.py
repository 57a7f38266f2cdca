"""The two faces are one: the same names, the same parameters, the same promises."""

import inspect

import pytest

from ingest import client
from ingest.client import aio

FUNCTIONS = sorted(name for name in client.__all__ if inspect.isfunction(getattr(client, name)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_coroutine_has_its_functions_name_parameters_and_docstring(name: str) -> None:
    function, coroutine = getattr(client, name), getattr(aio, name)
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.signature(coroutine) == inspect.signature(function)
    assert coroutine.__doc__ == function.__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_promises_and_has_types(name: str) -> None:
    function = getattr(client, name)
    assert function.__doc__
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())
