"""Pushes to clients' devices, through Expo. Source: https://docs.expo.dev/push-notifications/sending-notifications/"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import structlog
from psycopg.types.json import Jsonb

from sidecar.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidecar.database import Database
    from sidecar.settings import ExpoSettings

log = structlog.get_logger()

TIMEOUT_S = 20
BATCH = 100
"""Expo takes so many messages at once."""
RECEIPTS = 300
MAX_PUSHES = 1000
DEAD = "DeviceNotRegistered"
"""The app is gone from the device, or may not show anything: it is not sent anything again."""


@dataclass(frozen=True, slots=True)
class Push:
    """What all devices of a client show; `data` goes to the app."""

    client_id: UUID
    title: str
    body: str
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PushResult:
    """How many of a client's devices Expo took a push for; `error` says why none."""

    client_id: UUID
    devices: int
    sent: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatched:
    """How many pushes at least one device gets, how many none, and each one's result in the order asked for."""

    sent: int
    failed: int
    results: list[PushResult]


@dataclass(frozen=True, slots=True)
class _Ticket:
    """Expo's answer for one device: an id to ask with later, or an error."""

    ticket_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Device:
    push_token_id: UUID
    token: str
    push: Push
    number: int


class Expo:
    """Expo's push API. Use as `async with`: it holds the HTTP session."""

    def __init__(self, settings: ExpoSettings) -> None:
        self._token = settings.access_token
        self._base = settings.api_base

    @property
    def is_configured(self) -> bool:
        """Whether there is an access token to push with."""
        return self._token is not None

    async def __aenter__(self) -> Expo:
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        self._http = httpx.AsyncClient(base_url=self._base, headers=headers, timeout=TIMEOUT_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, devices: Sequence[_Device]) -> list[_Ticket]:
        """A ticket for each device, in their order. Tried once: Expo cannot be told that a message is the same."""
        messages = [
            {"to": each.token, "title": each.push.title, "body": each.push.body, "data": each.push.data or {}}
            for each in devices
        ]
        data, error = await self._post("/--/api/v2/push/send", messages)
        if not isinstance(data, list) or len(data) != len(devices):
            return [_Ticket(error=error or "provider_unavailable")] * len(devices)
        return [_ticket(each) for each in data]

    async def receipts(self, ticket_ids: Sequence[str]) -> dict[str, str | None]:
        """Of those tickets that Expo has something to say about: its error, or None where the push was delivered."""
        data, _ = await self._post("/--/api/v2/push/getReceipts", {"ids": list(ticket_ids)})
        if not isinstance(data, dict):
            return {}
        return {ticket_id: _error(receipt) for ticket_id, receipt in data.items()}

    async def _post(self, path: str, content: object) -> tuple[Any, str | None]:
        try:
            answer = await self._http.post(path, json=content)
            if answer.status_code == 200:
                return answer.json().get("data"), None
        except (httpx.HTTPError, ValueError, AttributeError):
            log.warning("push_unavailable")
            return None, "provider_unavailable"
        log.warning("push_refused", status=answer.status_code)
        passing = answer.status_code == 429 or answer.status_code >= 500
        return None, "provider_unavailable" if passing else "provider_refused"


async def dispatch(database: Database, expo: Expo, pushes: Sequence[Push], user_id: UUID | None = None) -> Dispatched:
    """Push to all devices of each client; a device that is gone is forgotten.

    user_id: who asks, if it is a coach: clients of other businesses are not found. Refuses with 503 when no provider
    is configured.
    """
    if not expo.is_configured:
        raise Refusal(503, "push_not_configured", "No push service is set up (EXPO_ACCESS_TOKEN): nothing was sent.")
    if len(pushes) > MAX_PUSHES:
        raise Refusal(400, "too_many_pushes", f"Send at most {MAX_PUSHES} pushes at once.")
    sent_at = datetime.now(UTC)
    found: dict[UUID, list[tuple[UUID, str]]] = {}
    clients = list({push.client_id for push in pushes})
    for row in await database.rows("push_targets", p_client_ids=clients, p_user_id=user_id):
        known = found.setdefault(row["client_id"], [])
        if row["push_token_id"] is not None:
            known.append((row["push_token_id"], row["token"]))
    devices = [
        _Device(*device, push, number) for number, push in enumerate(pushes) for device in found.get(push.client_id, [])
    ]
    tickets = _Tickets()
    for start in range(0, len(devices), BATCH):
        batch = devices[start : start + BATCH]
        for device, ticket in zip(batch, await expo.send(batch), strict=True):
            tickets.add(device, ticket)
    await database.value("record_pushes", p_taken=Jsonb(tickets.taken), p_dead=sorted(tickets.dead), p_sent_at=sent_at)
    results = [
        _result(push, found.get(push.client_id), tickets.by_push.get(number, [])) for number, push in enumerate(pushes)
    ]
    sent = sum(result.sent > 0 for result in results)
    log.info("push", sent=sent, failed=len(results) - sent, count=len(results))
    return Dispatched(sent, len(results) - sent, results)


@dataclass(slots=True)
class _Tickets:
    """What Expo answered, by push."""

    taken: list[dict[str, str]] = field(default_factory=list)
    dead: set[UUID] = field(default_factory=set)
    by_push: dict[int, list[_Ticket]] = field(default_factory=dict)

    def add(self, device: _Device, ticket: _Ticket) -> None:
        self.by_push.setdefault(device.number, []).append(ticket)
        if ticket.ticket_id is not None:
            self.taken.append({"ticket_id": ticket.ticket_id, "push_token_id": str(device.push_token_id)})
        if ticket.error == DEAD:
            self.dead.add(device.push_token_id)


def _result(push: Push, devices: list[tuple[UUID, str]] | None, answers: list[_Ticket]) -> PushResult:
    if devices is None:
        return PushResult(push.client_id, 0, 0, "client_not_found")
    sent = sum(ticket.error is None for ticket in answers)
    error = next((ticket.error for ticket in answers), "no_device") if not sent else None
    return PushResult(push.client_id, len(devices), sent, error)


async def check_receipts(database: Database, expo: Expo) -> int:
    """Ask Expo what became of pushes it took a while ago, and forget devices that are gone; how many were."""
    forgotten = 0
    while expo.is_configured and (
        due := await database.value("due_push_tickets", p_now=datetime.now(UTC), p_limit=RECEIPTS)
    ):
        receipts = await expo.receipts(due)
        forgotten += await database.value(
            "settle_push_tickets",
            p_answered=list(receipts),
            p_dead=[ticket_id for ticket_id, error in receipts.items() if error == DEAD],
        )
        log.info("push_receipts", count=len(due), failed=sum(error is not None for error in receipts.values()))
    return forgotten


def _ticket(answer: object) -> _Ticket:
    error = _error(answer)
    ticket_id = answer.get("id") if isinstance(answer, dict) else None
    if error is None and not isinstance(ticket_id, str):
        error = "provider_unavailable"
    return _Ticket(ticket_id if error is None else None, error)


def _error(answer: object) -> str | None:
    """Expo's own code of an answer that is not ok."""
    if not isinstance(answer, dict):
        return "provider_unavailable"
    if answer.get("status") == "ok":
        return None
    details = answer.get("details")
    code = details.get("error") if isinstance(details, dict) else None
    return code if isinstance(code, str) and code.isalnum() and len(code) <= 50 else "provider_refused"
