"""Stripe's request encoding and its expandable fields."""

import copy
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import parse_qsl

from devstack.standins.server import Json


class StripeError(Exception):
    """A refusal in Stripe's own shape: https://docs.stripe.com/api/errors."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        """`kind` is what Stripe calls the error's `type`."""
        super().__init__(code or kind)
        self.status = status
        self.body: Json = {"error": {"message": message, "type": kind}}
        if code is not None:
            self.body["error"] |= {"code": code, "doc_url": f"https://docs.stripe.com/error-codes#{code}"}
        if param is not None:
            self.body["error"]["param"] = param


def missing(param: str) -> StripeError:
    """Say that a required parameter is missing."""
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(param: str, message: str) -> StripeError:
    """Say that a parameter has a wrong value."""
    return StripeError(message, param=param)


def decode_form(text: str) -> Json:
    """Decode `a[b][0][c]=v` into nested objects and lists; values stay text.

    Raises a StripeError when one name is used as a value and as an object.
    """
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = name.replace("]", "").split("[")
        node, keys = root, [first, *rest]
        for key in keys[:-1]:
            node = node.setdefault(key or str(len(node)), {})
            if not isinstance(node, dict):
                raise invalid(first, f"Invalid object: {first}")
        node[keys[-1] or str(len(node))] = value
    return {name: _with_lists(value) for name, value in root.items()}


def _with_lists(value: object) -> object:
    if not isinstance(value, dict):
        return value
    children = {key: _with_lists(child) for key, child in value.items()}
    if children and all(key.isdecimal() for key in children):
        return [children[key] for key in sorted(children, key=int)]
    return children


def integer(value: object, param: str) -> int:
    """Read a whole number."""
    try:
        return int(str(value))
    except ValueError as error:
        message = f"Invalid integer: {value}"
        raise StripeError(message, code="parameter_invalid_integer", param=param) from error


def expand(resource: Json, paths: Iterable[str], find: Callable[[str], Json | None]) -> Json:
    """Give a copy of `resource` in which ids on `paths` are replaced by the objects they name.

    https://docs.stripe.com/api/expanding_objects
    """
    expanded = copy.deepcopy(resource)
    for path in paths:
        _expand_path(expanded, path.split("."), find)
    return expanded


def _expand_path(node: Json, keys: Sequence[str], find: Callable[[str], Json | None]) -> None:
    key, *rest = keys
    if key not in node:
        raise invalid("expand", f"This property cannot be expanded ({key}).")
    value = node[key]
    if isinstance(value, str):
        found = find(value)
        if found is None:
            raise invalid("expand", f"This property cannot be expanded ({key}).")
        node[key] = value = copy.deepcopy(found)
    if rest and isinstance(value, dict):
        _expand_path(value, rest, find)
