"""Sends what is due in the outbox."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp
import structlog
from psycopg import IntegrityError
from psycopg.types.json import Jsonb
from twilio.base.exceptions import TwilioRestException, TwilioServiceException

from sidecar.logging import describe_exception
from sidecar.sms.credentials import CredentialsUnreadableError, Vault
from sidecar.sms.twilio_client import TIMEOUT_S, Account, TwilioClients, retry_after_s, time_limit

if TYPE_CHECKING:
    from psycopg.rows import DictRow
    from twilio.rest import Client

    from sidecar.database import Database
    from sidecar.settings import TwilioSettings

__all__ = ["TIMEOUT_S", "Outcome", "Text", "TwilioSender", "send_due", "settle"]

log = structlog.get_logger()

BATCH = 50
CONCURRENCY = 100
"""So many calls are under way at once; Twilio answers 429 to an account that it finds too busy."""

FRESH = timedelta(minutes=2)
"""A text that waited longer for its call is given back: after five minutes another sender looks for it."""

PAUSES_S = {401: 60, 404: 60, 429: 5}
"""Nothing is wrong with the text: the account or its token is unknown to Twilio, or it is asked for too much. The
others of this account wait so many seconds, unless Twilio says how long."""
QUEUE_FULL = "21611"
"""https://www.twilio.com/docs/api/errors/21611: the sender's queue at Twilio has no room."""


@dataclass(frozen=True, slots=True)
class Text:
    """A claimed text, and which attempt at it this is."""

    message_id: UUID
    attempt: int
    to: str
    sender: str
    body: str
    account: Account
    claimed_at: datetime

    @classmethod
    def of(cls, row: DictRow, claimed_at: datetime) -> Text:
        """From a row of app.take_sms() or app.sms_in_doubt()."""
        own = row["account_sid"] is not None
        account = Account(row["org_id"], row["account_sid"], row["secret"]) if own else Account()
        return cls(
            row["message_id"], row["attempt"], row["to_phone"], row["from_phone"], row["body"], account, claimed_at
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; kinds and fields are those of app.settle_sms_batch()."""

    kind: str
    provider_message_id: str | None = None
    error_code: str | None = None
    retry_after_s: int | None = None
    http_status: int | None = None


class TwilioSender:
    """Sends one text through twilio-python. Use as `async with`: it holds the HTTP session."""

    def __init__(self, settings: TwilioSettings, status_callback: str, vault: Vault | None = None) -> None:
        self.clients = TwilioClients(settings, vault)
        self.stopping = False
        self._status_callback = status_callback
        self._paused_until: dict[str | None, float] = {}

    async def __aenter__(self) -> TwilioSender:
        await self.clients.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.clients.__aexit__()

    def stop(self) -> None:
        """Claim no more texts; those under way are finished."""
        self.stopping = True

    async def send(self, text: Text) -> Outcome:
        """Try once. Twilio's refusal is final, except where it says that it cannot just now.

        An error of its own (5xx) or no answer at all is `unknown`: it may have taken the text.
        Source of the codes: https://www.twilio.com/docs/api/errors
        """
        paused_s = self._paused_until.get(text.account.account_sid, 0) - time.monotonic()
        if paused_s > 0:
            return Outcome("deferred", error_code="provider_busy", retry_after_s=int(paused_s) + 1)
        try:
            client = self.clients.of(text.account)
        except CredentialsUnreadableError:
            log.error("sms_credentials_unreadable")
            return Outcome("retry", error_code="credentials_unreadable")
        return await self._call(client, text)

    async def _call(self, client: Client, text: Text) -> Outcome:
        try:
            async with time_limit():
                message = await client.messages.create_async(
                    to=text.to,
                    from_=text.sender,
                    body=text.body,
                    status_callback=f"{self._status_callback}?message_id={text.message_id}",
                )
        except (TwilioRestException, TwilioServiceException) as error:
            return self._refused(text, error.status, str(error.code or error.status))
        except aiohttp.ClientConnectorError:
            return Outcome("retry", error_code="provider_unreachable")  # never connected: nothing was accepted
        except (TimeoutError, aiohttp.ClientError):
            return Outcome("unknown", error_code="no_answer")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, Twilio was called
            log.error("sms_answer_unreadable", **describe_exception(error))
            return Outcome("unknown", error_code="answer_unreadable")
        return (
            Outcome("sent", provider_message_id=message.sid, http_status=201)
            if message.sid
            else Outcome("unknown", error_code="answer_unreadable")
        )

    def _refused(self, text: Text, status: int, code: str) -> Outcome:
        wait_s = retry_after_s()
        if status in PAUSES_S:
            pause_s = min(wait_s or PAUSES_S[status], 3600)
            self._paused_until[text.account.account_sid] = time.monotonic() + pause_s
        if status in PAUSES_S or code == QUEUE_FULL:
            return Outcome("retry", error_code=code, retry_after_s=wait_s, http_status=status)
        kind = "failed" if 400 <= status < 500 else "unknown"
        return Outcome(kind, error_code=code, retry_after_s=wait_s, http_status=status)


async def send_due(database: Database, sender: TwilioSender) -> int:
    """Send every text due now; returns how many were handled. Any number may run at once.

    Calls are made side by side, the next texts are claimed while some are still under way, and what has become of the
    first is noted, all that has come meanwhile in one go, while others wait for Twilio.
    """
    handled = 0
    dry = False
    under_way: set[asyncio.Task[tuple[Text, Outcome]]] = set()
    try:
        while True:
            room = CONCURRENCY - len(under_way)
            if not dry and not sender.stopping and (room >= BATCH or not under_way):
                now = datetime.now(UTC)
                batch = await database.rows("take_sms", p_now=now, p_limit=min(room, BATCH))
                under_way |= {asyncio.create_task(_send(sender, Text.of(row, now))) for row in batch}
                handled += len(batch)
                dry = not batch
            if not under_way:
                return handled
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            await settle(database, [task.result() for task in done])
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _send(sender: TwilioSender, text: Text) -> tuple[Text, Outcome]:
    if datetime.now(UTC) - text.claimed_at > FRESH:
        return text, Outcome("deferred", retry_after_s=0)
    return text, await sender.send(text)


async def settle(database: Database, outcomes: list[tuple[Text, Outcome]]) -> None:
    """Note what became of texts, all in one transaction; one that cannot be noted does not keep back the others."""
    now = datetime.now(UTC)
    rows = [_row(text, outcome) for text, outcome in outcomes]
    try:
        await database.value("settle_sms_batch", p_settled=Jsonb(rows), p_now=now)
    except IntegrityError as error:
        if len(rows) == 1:
            # It stays as it is, and Twilio's list is looked through for it.
            log.error("sms_not_settled", **describe_exception(error))
            return
        for each in outcomes:
            await settle(database, [each])
        return
    kinds = [outcome.kind for _, outcome in outcomes]
    log.info(
        "sms_batch",
        sent=kinds.count("sent"),
        failed=kinds.count("failed"),
        unknown=kinds.count("unknown"),
        count=len(kinds),
    )


def _row(text: Text, outcome: Outcome) -> dict[str, Any]:
    return {
        "message_id": str(text.message_id),
        "attempt": text.attempt,
        "outcome": outcome.kind,
        "provider_message_id": outcome.provider_message_id,
        "error_code": outcome.error_code,
        "retry_after_s": outcome.retry_after_s,
        "http_status": outcome.http_status,
    }
