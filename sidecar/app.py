"""The HTTP service: wires settings, database, clients and handlers. Nothing is decided here."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import structlog
from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.openapi import OpenAPIConfig
from supabase import AsyncClientOptions, acreate_client

from sidecar.clients.handlers import dispatch_push
from sidecar.clients.push import Expo
from sidecar.database import Database, create_pool
from sidecar.errors import EXCEPTION_HANDLERS
from sidecar.health import healthz, readyz
from sidecar.money.handlers import (
    connect,
    export_money,
    open_checkout,
    open_customer_portal,
    receive_stripe_event,
    refund,
)
from sidecar.money.stripe_client import DOOR, BoundedClient, create_client
from sidecar.sms.credentials import Vault
from sidecar.sms.handlers import bring_twilio_account, receive_inbound_sms, receive_sms_status
from sidecar.sms.twilio_client import TwilioClients
from sidecar.sms.twilio_webhooks import Accounts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from sidecar.settings import ServeSettings

log = structlog.get_logger()

MAX_BODY_BYTES = 1_000_000
"""Stripe's and Twilio's deliveries are a few kilobytes; anything near this is not one."""


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""A method is a word of the caller's; only these are logged as they come."""


class RequestLog:
    """One line per request: route template, status, duration, request id. Never a path, query, header or body.

    Goes around the whole service, because Litestar's own middleware does not see requests that no route takes.
    """

    def __init__(self, service: ASGIApp) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log when the answer begins; the caller gets the request id back as X-Request-Id."""
        if scope["type"] != ScopeType.HTTP:
            await self._service(scope, receive, send)
            return
        request_id = uuid4().hex
        began = time.monotonic()

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
                log.info(
                    "request",
                    method=scope["method"] if scope["method"] in METHODS else "other",
                    route=scope.get("path_template", "unmatched"),
                    status=message["status"],
                    duration_ms=round((time.monotonic() - began) * 1000),
                    request_id=request_id,
                )
            await send(message)

        await self._service(scope, receive, observe)


def create_app(settings: ServeSettings) -> Litestar:
    """The service for these settings; opens its connections at start-up and closes them at shutdown."""
    pool = create_pool(settings.database_url, "coach-os serve")
    database = Database(pool)
    stripe_http = BoundedClient(DOOR)
    vault = Vault(settings.credentials_keys)
    twilio_clients = TwilioClients(settings.twilio, vault)
    expo = Expo(settings.expo)
    twilio_accounts = Accounts(database, settings.twilio, vault)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        await pool.open()
        async with httpx.AsyncClient(timeout=10) as auth_http, twilio_clients, expo:
            app.state.supabase = await acreate_client(
                settings.supabase_url,
                settings.supabase_publishable_key,
                AsyncClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=auth_http),
            )
            try:
                yield
            finally:
                await stripe_http.close_async()  # type: ignore[no-untyped-call]
                await pool.close()

    app = Litestar(
        route_handlers=[
            healthz,
            readyz,
            receive_stripe_event,
            open_checkout,
            refund,
            open_customer_portal,
            connect,
            export_money,
            receive_inbound_sms,
            receive_sms_status,
            bring_twilio_account,
            dispatch_push,
        ],
        # The web app calls from the browser, with a token in a header: no cookies, and no other origin.
        cors_config=CORSConfig(
            allow_origins=[settings.web_origin],
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            max_age=600,
        ),
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "settings": Provide(lambda: settings, sync_to_thread=False),
            "stripe_client": Provide(lambda: stripe_client, sync_to_thread=False),
            "expo": Provide(lambda: expo, sync_to_thread=False),
            "twilio_accounts": Provide(lambda: twilio_accounts, sync_to_thread=False),
            "twilio_clients": Provide(lambda: twilio_clients, sync_to_thread=False),
            "vault": Provide(lambda: vault, sync_to_thread=False),
            "supabase": Provide(lambda: app.state.supabase, sync_to_thread=False),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[lifespan],
        logging_config=None,
        openapi_config=OpenAPIConfig(title="Coach OS sidecar", version="0.1.0"),
        request_max_body_size=MAX_BODY_BYTES,
    )
    app.asgi_handler = RequestLog(app.asgi_handler)
    stripe_client = create_client(settings.stripe_secret_key, settings.stripe_api_base, stripe_http)
    return app
