"""HTTP doors of the sms area."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody
from supabase import AsyncClient

from sidecar.auth import signed_in_user
from sidecar.database import Database
from sidecar.settings import ServeSettings
from sidecar.sms import own_account, twilio_webhooks
from sidecar.sms.credentials import Vault
from sidecar.sms.own_account import OwnAccount, OwnAccountRequest
from sidecar.sms.twilio_client import TwilioClients
from sidecar.sms.twilio_webhooks import Accounts, Delivery


async def _delivery(request: Request[Any, Any, Any], settings: ServeSettings, accounts: Accounts) -> Delivery:
    # Twilio signs the address it was given, not the one a proxy shows us.
    query = f"?{request.url.query}" if request.url.query else ""
    return await twilio_webhooks.verify(
        await request.body(),
        request.headers.get("content-type", ""),
        request.headers.get("x-twilio-signature"),
        f"{settings.public_url}{request.scope['raw_path'].decode()}{query}",
        accounts,
    )


@post("/webhooks/twilio/inbound", status_code=200, media_type=MediaType.XML, summary="A client's text")
async def receive_inbound_sms(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    twilio_accounts: NamedDependency[Accounts],
) -> Response[str]:
    """Takes a signed inbound text from Twilio; answers with TwiML."""
    delivery = await _delivery(request, settings, twilio_accounts)
    return Response(await twilio_webhooks.receive_inbound(database, delivery), media_type=MediaType.XML)


@post(["/webhooks/twilio/status", "/functions/v1/twilio-webhook"], status_code=204, summary="Delivery status")
async def receive_sms_status(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    twilio_accounts: NamedDependency[Accounts],
    message_id: FromQuery[UUID | None] = None,
) -> None:
    """Takes a signed status callback from Twilio; the sender put `message_id` into its address."""
    delivery = await _delivery(request, settings, twilio_accounts)
    await twilio_webhooks.receive_status(database, delivery, message_id)


@post("/twilio-account", status_code=200, summary="Text through a business's own Twilio account")
async def bring_twilio_account(
    request: Request[Any, Any, Any],
    data: JSONBody[OwnAccountRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    supabase: NamedDependency[AsyncClient],
    twilio_clients: NamedDependency[TwilioClients],
    vault: NamedDependency[Vault],
) -> OwnAccount:
    """For the signed-in owner: from now on the business texts through this account, from this number, and replies to
    the number come here. The token is kept encrypted and is shown to nobody again; sending another one replaces it.
    `rpc("forget_twilio_account")` ends it.
    """
    user_id = await signed_in_user(request, supabase)
    return await own_account.bring(database, twilio_clients, vault, user_id, data, settings.public_url)
