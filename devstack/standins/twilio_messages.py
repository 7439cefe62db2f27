"""The messages the Twilio stand-in keeps, in the shape of Twilio's Message resource."""

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

from devstack.standins.server import Json

API_VERSION = "2010-04-01"

Direction = Literal["inbound", "outbound-api", "outbound-reply"]

# GSM 03.38: these fit in 7 bits, those of the extension table take two places; anything else makes the
# whole message UCS-2. https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding
_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_EXTENSION = frozenset("\f^{}\\[~]|€")


def count_segments(body: str) -> int:
    """How many SMS segments `body` takes: 160 (153 when split) GSM-7 or 70 (67) UCS-2 places each."""
    if all(char in _GSM_7 or char in _GSM_7_EXTENSION for char in body):
        places = sum(2 if char in _GSM_7_EXTENSION else 1 for char in body)
        return 1 if places <= 160 else math.ceil(places / 153)
    places = len(body.encode("utf-16-be")) // 2
    return 1 if places <= 70 else math.ceil(places / 67)


@dataclass(slots=True)
class Message:
    """One text, in either direction. `calls` holds the outcome of every webhook call made for it."""

    to: str
    sender: str | None
    body: str
    direction: Direction
    status: str
    account_sid: str
    service_sid: str | None = None
    status_callback: str | None = None
    sid: str = field(default_factory=lambda: "SM" + secrets.token_hex(16))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    sent: datetime | None = None
    error_code: int | None = None
    calls: list[Json] = field(default_factory=list)

    def move_to(self, status: str) -> None:
        """Change the status, with the dates that go with it."""
        self.status, self.updated = status, datetime.now(UTC)
        if status == "sent":
            self.sent = self.updated

    def resource(self) -> Json:
        """The Message resource: https://www.twilio.com/docs/messaging/api/message-resource."""
        uri = f"/{API_VERSION}/Accounts/{self.account_sid}/Messages/{self.sid}"
        # A message of a Messaging Service has neither sender nor segments until it is processed.
        segments = count_segments(self.body) if self.sender else 0
        return {
            "account_sid": self.account_sid,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": _rfc2822(self.created),
            "date_sent": _rfc2822(self.sent),
            "date_updated": _rfc2822(self.updated),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": self.service_sid,
            "num_media": "0",
            "num_segments": str(segments),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }

    @property
    def phone(self) -> str:
        """The client's side of the conversation."""
        return (self.sender or "") if self.direction == "inbound" else self.to

    @property
    def ours(self) -> str:
        """Our side of the conversation: a number, or the Messaging Service until it has picked one."""
        return self.to if self.direction == "inbound" else self.sender or self.service_sid or ""


def _rfc2822(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at.replace(microsecond=0))


@dataclass(slots=True)
class DateFilter:
    """Twilio's `DateSent` (on that day), `DateSent>` (at or after) and `DateSent<` (at or before)."""

    on: datetime | None = None
    after: datetime | None = None
    before: datetime | None = None

    def allows(self, message: Message) -> bool:
        """Whether the message was sent within the filter.

        Twilio does not document how it treats a message without a `date_sent`; here its creation
        counts, so that a text accepted a moment ago is found.
        """
        at = (message.sent or message.created).replace(microsecond=0)
        if self.on is not None and at.date() != self.on.date():
            return False
        return (self.after is None or at >= self.after) and (self.before is None or at <= self.before)


def parse_date(text: str) -> datetime:
    """Read `YYYY-MM-DD` (midnight UTC) or an ISO 8601 date and time; raises ValueError."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@dataclass(slots=True)
class Messages:
    """All messages in the order in which they were accepted, and the phones that opted out."""

    _by_sid: dict[str, Message] = field(default_factory=dict)
    opted_out: set[tuple[str, str]] = field(default_factory=set)

    def add(self, message: Message) -> Message:
        """Keep `message`."""
        self._by_sid[message.sid] = message
        return message

    def get(self, sid: str) -> Message | None:
        """Find one by its SID."""
        return self._by_sid.get(sid)

    def __iter__(self) -> Iterator[Message]:
        """Oldest first."""
        return iter(tuple(self._by_sid.values()))

    def clear(self) -> None:
        """Forget everything."""
        self._by_sid.clear()
        self.opted_out.clear()

    def conversations(self) -> dict[tuple[str, str], list[Message]]:
        """Messages by (phone, our number): the latest conversation first, its messages oldest first."""
        found: dict[tuple[str, str], list[Message]] = {}
        for message in self:
            pair = (message.phone, message.ours)
            # Taken out and put back, so that the pair with the newest message comes last.
            found[pair] = [*found.pop(pair, []), message]
        return dict(reversed(found.items()))
