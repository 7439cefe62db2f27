"""Stripe's lists: newest first, filtered, a page at a time. https://docs.stripe.com/api/pagination"""

import operator
from collections.abc import Callable, Iterable, Sequence

from stripe import RequestOptions
from stripe.params import (
    ApplicationFeeListParams,
    BalanceTransactionListParams,
    ChargeListParams,
    DisputeListParams,
    EventListParams,
    PayoutListParams,
    RefundListParams,
)

from devstack.standins.server import Json
from devstack.standins.stripe_forms import StripeError, integer, invalid

_MAX_PAGE = 100
_MAX_TYPES = 20
_CREATED: dict[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_PAGING = {"limit", "starting_after", "ending_before", "created", "expand"}
# What the pinned version's own client may send; Stripe refuses every other name.
_PARAMS = {
    "application_fees": ApplicationFeeListParams,
    "balance_transactions": BalanceTransactionListParams,
    "charges": ChargeListParams,
    "disputes": DisputeListParams,
    "events": EventListParams,
    "payouts": PayoutListParams,
    "refunds": RefundListParams,
}
LISTED = frozenset(_PARAMS) - {"events"}
"""Collections whose objects are kept as they are."""


def page(collection: str, everything: Iterable[Json], params: Json) -> Json:
    """One page of a collection; `everything` as it came about. Objects are found by any field that is a parameter."""
    known = frozenset(_PARAMS[collection].__annotations__) - frozenset(RequestOptions.__annotations__)
    for name in params:
        if name not in known:
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    if len(params.get("types", [])) > _MAX_TYPES:
        raise invalid("types", f"Array types exceeded maximum {_MAX_TYPES} allowed elements.")
    found = sorted(everything, key=operator.itemgetter("created"))
    found.reverse()
    found = [each for each in found if _in_span(each["created"], params.get("created", {}))]
    for name in params.keys() - _PAGING:
        found = [each for each in found if _is(each, name, params[name])]
    found = _from_cursor(found, params)
    limit = integer(params.get("limit", "10"), "limit")
    if not 1 <= limit <= _MAX_PAGE:
        raise StripeError("This value must be between 1 and 100.", param="limit")
    backwards = "ending_before" in params
    return {
        "object": "list",
        "data": found[-limit:] if backwards else found[:limit],
        "has_more": len(found) > limit,
        "url": f"/v1/{collection}",
    }


def _in_span(created: int, span: object) -> bool:
    if not isinstance(span, dict):
        return created == integer(span, "created")
    for name in span:
        if name not in _CREATED:
            raise invalid("created", f"Received unknown parameter: created[{name}]")
    return all(_CREATED[name](created, integer(bound, f"created[{name}]")) for name, bound in span.items())


def _is(each: Json, name: str, wanted: object) -> bool:
    if name == "types":
        return each["type"] in (wanted if isinstance(wanted, list) else [wanted])
    if name == "type" and str(wanted).endswith("*"):
        return str(each["type"]).startswith(str(wanted)[:-1])
    if name not in each:
        raise StripeError(f"The stand-in does not list by {name}.", param=name)
    return bool(each[name] == wanted)


def _from_cursor(found: Sequence[Json], params: Json) -> list[Json]:
    ids = [each["id"] for each in found]
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise StripeError(f"No such object: '{params[name]}'", code="resource_missing", param=name)
    if "starting_after" in params:
        return list(found[ids.index(params["starting_after"]) + 1 :])
    if "ending_before" in params:
        return list(found[: ids.index(params["ending_before"])])
    return list(found)
