"""HTTP doors of the sms area."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from sidecar.database import Database
from sidecar.settings import ServeSettings
from sidecar.sms import twilio_webhooks


async def _parameters(request: Request[Any, Any, Any], settings: ServeSettings) -> Any:  # noqa: ANN401
    # Twilio signs the address it was given, not the one a proxy shows us.
    query = f"?{request.url.query}" if request.url.query else ""
    return twilio_webhooks.verify(
        await request.body(),
        request.headers.get("x-twilio-signature"),
        f"{settings.public_url}{request.scope['raw_path'].decode()}{query}",
        settings.twilio,
    )


@post("/webhooks/twilio/inbound", status_code=200, media_type=MediaType.XML, summary="A client's text")
async def receive_inbound_sms(
    request: Request[Any, Any, Any], database: NamedDependency[Database], settings: NamedDependency[ServeSettings]
) -> Response[str]:
    """Takes a signed inbound text from Twilio; answers with TwiML."""
    parameters = await _parameters(request, settings)
    return Response(await twilio_webhooks.receive_inbound(database, parameters), media_type=MediaType.XML)


@post(["/webhooks/twilio/status", "/functions/v1/twilio-webhook"], status_code=204, summary="Delivery status")
async def receive_sms_status(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    settings: NamedDependency[ServeSettings],
    message_id: FromQuery[UUID | None] = None,
) -> None:
    """Takes a signed status callback from Twilio; the sender put `message_id` into its address."""
    parameters = await _parameters(request, settings)
    await twilio_webhooks.receive_status(database, parameters, message_id)
