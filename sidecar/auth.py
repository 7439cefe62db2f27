"""Who a request comes from: a user whose access token Supabase Auth knows, or who has the project's secret key."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from uuid import UUID

from supabase import AsyncClient, AuthApiError, AuthError

from sidecar.errors import Refusal

if TYPE_CHECKING:
    from litestar import Request

    from sidecar.settings import Secret


def _bearer(request: Request[Any, Any, Any]) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def is_service(request: Request[Any, Any, Any], secret_key: Secret | None) -> bool:
    """Whether the request carries the Supabase project's secret key, as the existing routes and functions do."""
    token = _bearer(request).encode("utf-8", "replace")
    return secret_key is not None and hmac.compare_digest(token, secret_key.reveal().encode())


async def signed_in_user(request: Request[Any, Any, Any], supabase: AsyncClient) -> UUID:
    """The user whose access token the request carries; Supabase Auth says whether it is valid. 401 otherwise."""
    token = _bearer(request)
    answer = None
    if token and token.isascii():
        try:
            answer = await supabase.auth.get_user(token)
        except AuthError as error:
            # Only Supabase's own "no" means that the token is bad; anything else says nothing about it.
            if not isinstance(error, AuthApiError) or error.status == 429 or error.status >= 500:
                raise Refusal(
                    503, "auth_unavailable", "Supabase Auth does not answer just now; try again shortly."
                ) from None
    if answer is None:
        raise Refusal(401, "sign_in_required", "Send the coach's access token: Authorization: Bearer <token>.")
    return UUID(answer.user.id)
