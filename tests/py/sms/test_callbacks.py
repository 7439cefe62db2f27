"""Texts from clients and reports about ours, repeated and out of order, fifty at a time: all as the model says."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from conftest import Answer, Org, Sidecar, World

CALLBACKS = int(os.environ.get("SOAK_CALLBACKS", "300"))
AT_ONCE = 50
SID = "AC" + "0" * 32
WORDS = ["Y", "Y", "yes please", "YES", "No.", "can we make it ten?", "STOP", "opt out", "START", "HELP"]


@dataclass
class Client:
    """What one phone has said, and what it should have come to."""

    phone: str
    waiting: int
    said: list[tuple[str, str]] = field(default_factory=list)
    confirmed: int = 0
    opted_out: bool = False
    read: list[str] = field(default_factory=list)

    def hear(self, words: str) -> None:
        """SMS-05, in short."""
        if words in {"STOP", "opt out"}:
            self.opted_out = True
        elif words == "START" or (words == "YES" and self.opted_out):
            self.opted_out = False
        elif words in {"Y", "yes please", "YES"}:
            self.confirmed += self.confirmed < self.waiting
        elif words != "HELP":
            self.read.append(words)


async def test_callbacks_repeated_and_out_of_order(sidecar: Sidecar, world: World) -> None:
    chosen = random.Random(1)  # noqa: S311 - the same callbacks in every run
    org, other = world.org(), world.org()
    clients = [_client(world, org, other, number, chosen) for number in range(max(CALLBACKS // 25, 4))]
    reports = _reports(world, org, chosen, CALLBACKS // 5)
    lanes = asyncio.Semaphore(AT_ONCE)
    posted = 0

    async def post(sending: Coroutine[None, None, Answer]) -> None:
        nonlocal posted
        async with lanes:
            answer = await sending
        posted += 1
        assert answer.status in {200, 204}, answer.text

    def text(client: Client, sid: str, words: str) -> Coroutine[None, None, Answer]:
        form = {"MessageSid": sid, "From": client.phone, "To": org.phone, "Body": words, "AccountSid": SID}
        return sidecar.text(form)

    async def talk(client: Client) -> None:
        for sid, words in client.said:
            # What a phone sends comes in its order, or the last word would be anybody's guess; but it comes again, at
            # the same time and whenever.
            await asyncio.gather(*(post(text(client, sid, words)) for _ in range(chosen.randint(1, 3))))
            if chosen.random() < 0.3:
                again = chosen.choice(client.said[: client.said.index((sid, words)) + 1])
                await post(text(client, *again))

    async def report(sid: str, status: str) -> None:
        form = {"MessageSid": sid, "MessageStatus": status, "AccountSid": SID}
        await post(
            sidecar.text(form | ({"ErrorCode": "30006"} if status == "undelivered" else {}), "/webhooks/twilio/status")
        )

    await asyncio.gather(*map(talk, clients), *(report(*each) for each in reports))

    assert posted >= CALLBACKS
    assert _found(world, org, clients) == {
        each.phone: (each.confirmed, each.opted_out, Counter(each.read)) for each in clients
    }
    wanted: dict[str, str] = {}
    for sid, status in reports:
        rank = {"delivered": "delivered", "undelivered": "failed"}
        wanted[sid] = rank.get(status, wanted.get(sid, "sent"))
    stored = {
        row["provider_message_id"]: row["status"]
        for row in world.rows("select provider_message_id, status from public.sms_messages where body = 'Hello'")
    }
    assert stored == wanted
    kept = {
        "inbound": {sid for each in clients for sid, _ in each.said},
        "status": {f"{sid} {status}" for sid, status in reports},
    }
    assert Counter(row["event_type"] for row in world.rows("select event_type from public.sms_events")) == {
        kind: len(keys) for kind, keys in kept.items()
    }
    assert world.value("select count(*) from public.messages where org_id = %s", other.id) == 0


def _client(world: World, org: Org, other: Org, number: int, chosen: random.Random) -> Client:
    client = Client(f"+61491{number:06}", chosen.randint(0, 3))
    client_id = world.client(org, client.phone)
    world.client(other, client.phone)  # the same person at another coach's
    for day in range(client.waiting):
        world.booking(org, timedelta(days=day + 1, minutes=number), client_id=client_id)
    world.db.execute("update public.bookings set confirmation_sent_at = now() where client_id = %s", [client_id])
    for _ in range(chosen.randint(4, 10)):
        words = chosen.choice(WORDS)
        client.said.append((f"SM{uuid4().hex}", words))
        client.hear(words)
    return client


def _reports(world: World, org: Org, chosen: random.Random, texts: int) -> list[tuple[str, str]]:
    """Of each text up to four things, some of them twice, all in any order."""
    reports = []
    for _ in range(texts):
        sid = f"SM{uuid4().hex}"
        world.db.execute(
            "update public.sms_messages set status = 'sent', provider_message_id = %s where id = %s",
            [sid, world.message(org)],
        )
        final = chosen.choice(["delivered", "delivered", "undelivered", "sent"])
        statuses = ["queued", "sent", final]
        reports += [(sid, status) for status in statuses + chosen.choices(statuses, k=chosen.randint(0, 2))]
    chosen.shuffle(reports)
    return reports


def _found(world: World, org: Org, clients: list[Client]) -> dict[str, tuple[int, bool, Counter[str]]]:
    """What the database says: bookings confirmed, opted out, words for the coach."""
    found = {}
    for client in clients:
        row = world.one(
            "select c.id,"
            " (select count(*) from public.bookings as b where b.client_id = c.id and b.client_confirmed) as b,"
            " exists (select from public.sms_suppression as s where s.org_id = c.org_id and s.phone = c.phone) as s"
            " from public.clients as c where c.org_id = %s and c.phone = %s",
            org.id, client.phone,
        )  # fmt: skip
        words = world.rows(
            "select m.body from public.messages as m join public.message_threads as t on t.id = m.thread_id"
            " where t.client_id = %s",
            row["id"],
        )
        found[client.phone] = (row["b"], row["s"], Counter(each["body"] for each in words))
    return found
