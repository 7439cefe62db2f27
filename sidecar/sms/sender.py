"""Sends what is due in the outbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import aiohttp
import structlog
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from sidecar.logging import describe_exception

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.settings import TwilioSettings

log = structlog.get_logger()

BATCH = 50
TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt: sent, failed, retry or unknown (see app.settle_sms)."""

    kind: str
    provider_message_id: str | None = None
    error_code: str | None = None


class TwilioSender:
    """Sends one text through twilio-python. Use as `async with`: it holds the HTTP session."""

    def __init__(self, settings: TwilioSettings, status_callback: str) -> None:
        self._settings = settings
        self._status_callback = status_callback

    async def __aenter__(self) -> TwilioSender:
        self._http = AsyncTwilioHttpClient()
        self._client = Client(self._settings.account_sid, self._settings.auth_token.reveal(), http_client=self._http)
        self._client.api.base_url = self._settings.api_base
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def send(self, message_id: UUID, to: str, sender: str, body: str) -> Outcome:
        """Try once. Twilio's refusal is final, except 429 and 5xx; no answer at all is `unknown`.

        Source of the codes: https://www.twilio.com/docs/api/errors
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):  # twilio's asynchronous client does not keep to its own
                message = await self._client.messages.create_async(
                    to=to, from_=sender, body=body, status_callback=f"{self._status_callback}?message_id={message_id}"
                )
        except (TwilioRestException, TwilioServiceException) as error:
            retry = error.status == 429 or error.status >= 500
            return Outcome("retry" if retry else "failed", error_code=str(error.code or error.status))
        except aiohttp.ClientConnectorError:
            return Outcome("retry", error_code="provider_unreachable")  # never connected: nothing was accepted
        except (TimeoutError, aiohttp.ClientError):
            return Outcome("unknown", error_code="no_answer")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, Twilio was called
            log.error("sms_answer_unreadable", **describe_exception(error))
            return Outcome("unknown", error_code="answer_unreadable")
        if not message.sid:
            return Outcome("unknown", error_code="answer_unreadable")
        return Outcome("sent", provider_message_id=message.sid)


async def send_due(database: Database, sender: TwilioSender) -> int:
    """Send every text due now, in batches; returns how many were handled. Any number may run at once."""
    handled = 0
    while batch := await database.rows("claim_sms", p_now=datetime.now(UTC), p_limit=BATCH):
        outcomes = await asyncio.gather(
            *(_send_one(database, sender, m["message_id"], m["to_phone"], m["from_phone"], m["body"]) for m in batch)
        )
        handled += len(batch)
        log.info(
            "sms_batch",
            sent=outcomes.count("sent"),
            failed=outcomes.count("failed"),
            unknown=outcomes.count("unknown"),
            count=len(batch),
        )
    return handled


async def _send_one(database: Database, sender: TwilioSender, message_id: UUID, to: str, from_: str, body: str) -> str:
    outcome = await sender.send(message_id, to, from_, body)
    await database.value(
        "settle_sms",
        p_message_id=message_id,
        p_outcome=outcome.kind,
        p_provider_message_id=outcome.provider_message_id,
        p_error_code=outcome.error_code,
    )
    return outcome.kind
