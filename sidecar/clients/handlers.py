"""HTTP doors of the clients area."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from supabase import AsyncClient

from sidecar.auth import is_service, signed_in_user
from sidecar.clients import push
from sidecar.clients.push import Dispatched, Expo, Push
from sidecar.database import Database
from sidecar.settings import ServeSettings


@post("/functions/v1/push-dispatch", status_code=200, summary="Push to clients' devices")
async def dispatch_push(
    request: Request[Any, Any, Any],
    data: JSONBody[Push | list[Push]],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    supabase: NamedDependency[AsyncClient],
    expo: NamedDependency[Expo],
) -> Dispatched:
    """Pushes one message, or several, to all devices of each client: with the project's secret key as bearer, as the
    existing route sends it, or as a signed-in coach to clients of their own. `results` says of each how many devices
    it went to, or why to none: `no_device`, `client_not_found`, `DeviceNotRegistered` or another of Expo's own codes,
    `provider_refused`, `provider_unavailable`. 503 `push_not_configured` when there is no push service.
    """
    user_id = None if is_service(request, settings.supabase_secret_key) else await signed_in_user(request, supabase)
    return await push.dispatch(database, expo, data if isinstance(data, list) else [data], user_id)
