"""A day on which Twilio answers late or not, refuses, accepts and drops, and tells of it twice and in any order."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import TYPE_CHECKING

from sidecar.database import Database
from sidecar.settings import Secret, TwilioSettings
from sidecar.sms import twilio_client
from sidecar.sms.reconcile import reconcile
from sidecar.sms.sender import TwilioSender, send_due

if TYPE_CHECKING:
    import pytest
    from conftest import Sidecar, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

TEXTS = int(os.environ.get("SOAK_TEXTS", "60"))
SID, TOKEN = "AC" + "0" * 32, "token-of-the-tests"
CALLBACK = "https://coach.example/webhooks/twilio/status"
TICKS = 144
"""A day of ten minutes each."""
FAULTS = [
    {"mode": "error", "status": 429, "retry_after_s": 1},
    {"mode": "error", "status": 500},
    {"mode": "recorded_error", "status": 503},
    {"mode": "late", "delay_s": 30},
    {"mode": "drop"},
    {"mode": "timeout"},
]


async def test_a_day_of_chaos(
    world: World,
    sidecar: Sidecar,
    worker_pool: AsyncConnectionPool[AsyncConnection[DictRow]],
    twilio_standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(twilio_client, "TIMEOUT_S", 1)
    chosen = random.Random(2)  # noqa: S311 - the same day in every run
    org = world.org()
    world.db.execute(
        "update public.sms_settings set max_sms_per_client_per_day = null, max_sms_per_hour = null where org_id = %s",
        [org.id],
    )
    texts = {f"text {number}": world.message(org, f"text {number}") for number in range(TEXTS)}
    landline = world.message(org, "to a landline", to="+15005550009")
    outcome = {body: chosen.choice(["delivered", "delivered", "undelivered"]) for body in texts}
    for _ in range(TEXTS):
        if chosen.random() < 0.4:
            fault = chosen.choice(FAULTS)
            await twilio_standin.fault(**fault)  # type: ignore[arg-type]
        else:
            await twilio_standin.fault("none")
    database = Database(worker_pool)
    settings = TwilioSettings(SID, Secret(TOKEN), twilio_standin.url)
    told: Counter[str] = Counter()

    async def tick() -> None:
        """A worker of its own, as if all had been started anew."""
        async with TwilioSender(settings, CALLBACK) as sender:
            await reconcile(database, sender)
            await send_due(database, sender)

    async def tell() -> None:
        """What Twilio has to say by now: a part of it, repeated, in any order."""
        reports = []
        for accepted in await twilio_standin.messages(org.client_phone):
            body = accepted["body"]
            for status in ("queued", "sent", outcome[body]):
                if told[f"{body} {status}"] < 2 and chosen.random() < 0.5:
                    told[f"{body} {status}"] += 1
                    reports.append((body, accepted["sid"], status))
        chosen.shuffle(reports)
        await asyncio.gather(*(report(*each) for each in reports))

    async def report(body: str, sid: str, status: str) -> None:
        form = {"MessageSid": sid, "MessageStatus": status, "AccountSid": SID}
        form |= {"ErrorCode": "30006"} if status == "undelivered" else {}
        answer = await sidecar.text(form, f"/webhooks/twilio/status?message_id={texts[body]}")
        assert answer.status == 204, answer.text

    for _ in range(TICKS):
        await asyncio.gather(tick(), tick(), tell())
        world.db.execute(
            "update public.sms_messages set locked_until = locked_until - interval '10 minutes',"
            " scheduled_for = scheduled_for - interval '10 minutes',"
            " reconcile_at = reconcile_at - interval '10 minutes',"
            " attempted_at = attempted_at - interval '10 minutes'"
        )
        if all(told[f"{body} {each}"] == 2 for body in texts for each in ("queued", "sent", outcome[body])):
            break

    accepted = await twilio_standin.messages(org.client_phone)
    assert sorted(each["body"] for each in accepted) == sorted(texts)
    wanted = {body: "delivered" if final == "delivered" else "failed" for body, final in outcome.items()}
    rows = world.rows("select id, body, status, provider_message_id from public.sms_messages")
    assert {row["body"]: row["status"] for row in rows if row["id"] != landline} == wanted
    sids = {each["body"]: each["sid"] for each in accepted}
    assert {row["body"]: row["provider_message_id"] for row in rows if row["id"] != landline} == sids
    found = world.one("select status, error_code from public.sms_messages where id = %s", landline)
    assert found == {"status": "failed", "error_code": "21614"}
    assert await twilio_standin.waiting_faults() == 0
