"""Finds out what became of texts whose sending was interrupted, before any of them is sent again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import structlog
from twilio.base.exceptions import TwilioException

from sidecar.sms.credentials import CredentialsUnreadableError
from sidecar.sms.sender import Outcome, Text, settle
from sidecar.sms.twilio_client import time_limit

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.sms.sender import TwilioSender

log = structlog.get_logger()

BATCH = 20
LISTED = 200
SKEW = timedelta(minutes=2)
"""Twilio's clock and ours may differ by so much."""

TRIAL = "Sent from your Twilio trial account"
"""What a trial account's messages begin with."""
FINAL = frozenset({"delivered", "read", "undelivered", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A message of Twilio's list."""

    sid: str
    body: str
    created_at: datetime
    status: str
    error_code: str | None


async def reconcile(database: Database, sender: TwilioSender) -> int:
    """Look through Twilio's list for every text in doubt that is due; returns how many were looked for.

    Found: it was sent. Not there: it is tried again. Where Twilio cannot be asked, or has a message to that phone which
    nobody can place, the text stays unknown and is looked for again, less and less often, for a day.
    """
    looked_for = 0
    while not sender.stopping and (rows := await database.rows("sms_in_doubt", p_now=datetime.now(UTC), p_limit=BATCH)):
        groups: dict[tuple[object, str, str], list[Text]] = defaultdict(list)
        for row in rows:
            text = Text.of(row, row["attempted_at"])
            groups[text.account, text.to, text.sender].append(text)
        found = await asyncio.gather(*(_look(database, sender, texts) for texts in groups.values()))
        looked_for += len(rows)
        counts = [outcome.kind for group in found for _, outcome, _ in group]
        for text, outcome, listed in (each for group in found for each in group):
            await settle(database, [(text, outcome)])
            if listed is not None and listed.status in FINAL:
                await database.value(
                    "record_sms_status",
                    p_provider_message_id=listed.sid,
                    p_status=listed.status,
                    p_error_code=listed.error_code,
                    p_account_sid=text.account.account_sid,
                )
        log.info("sms_reconciled", sent=counts.count("sent"), unknown=counts.count("unclear"), count=len(counts))
    return looked_for


async def _look(
    database: Database, sender: TwilioSender, texts: list[Text]
) -> list[tuple[Text, Outcome, Listed | None]]:
    """What Twilio's list says of texts of one account, from one number to one phone."""
    listed = await _list(sender, texts[0])
    if listed is None:
        return [(text, Outcome("unclear"), None) for text in texts]
    known = await database.value("known_sms_ids", p_provider_message_ids=[each.sid for each in listed])
    return match(texts, [each for each in listed if each.sid not in known], complete=len(listed) < LISTED)


def match(texts: list[Text], unplaced: list[Listed], *, complete: bool) -> list[tuple[Text, Outcome, Listed | None]]:
    """Place messages of Twilio's list, which no text has yet, with the texts in doubt.

    Texts of the same words to the same phone are as good as one another: each message goes to one of them. `complete`:
    nothing was left off the list.
    """
    left = sorted(unplaced, key=lambda each: each.created_at)
    placed: dict[Text, Listed] = {}
    for text in sorted(texts, key=lambda each: each.claimed_at):
        fitting = next((each for each in left if _since(each, text) and _same_words(each.body, text.body)), None)
        if fitting is not None:
            left.remove(fitting)
            placed[text] = fitting
    return [
        (text, Outcome("sent", provider_message_id=placed[text].sid), placed[text])
        if text in placed
        # A message whose words differ may be this text all the same: Twilio can be told to keep no words.
        else (text, Outcome("absent" if complete and not any(_since(m, text) for m in left) else "unclear"), None)
        for text in texts
    ]


def _since(listed: Listed, text: Text) -> bool:
    return listed.created_at >= text.claimed_at - SKEW


def _same_words(listed: str, ours: str) -> bool:
    theirs, wanted = (" ".join(words.split()) for words in (listed, ours))
    return theirs == wanted or (theirs.startswith(TRIAL) and theirs.endswith(wanted))


def _aware(at: datetime | None) -> datetime:
    if at is None:
        raise ValueError("a message without the time of its creation")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def _list(sender: TwilioSender, text: Text) -> list[Listed] | None:
    """The latest messages we sent from this number to this phone; None when Twilio does not tell.

    By creation, not by DateSent: a message that Twilio has not passed on yet has none.
    """
    try:
        client = sender.clients.of(text.account)
        async with time_limit():
            messages = await client.messages.list_async(to=text.to, from_=text.sender, limit=LISTED, page_size=LISTED)
        return [
            Listed(
                sid=each.sid,
                body=each.body or "",
                created_at=_aware(each.date_created),
                status=str(each.status),
                error_code=str(each.error_code) if each.error_code else None,
            )
            for each in messages
            if each.direction not in {"inbound", "outbound-reply"}
        ]
    except (CredentialsUnreadableError, TwilioException, TimeoutError, aiohttp.ClientError, ValueError, TypeError):
        log.warning("sms_list_unavailable")
        return None
