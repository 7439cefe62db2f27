"""A Stripe that does not answer, or not in time: who asked is told soon, and nothing else waits for it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import stripe
from books import Books
from shop import Shop

from sidecar.database import Database
from sidecar.money.fees import StripeReader, fetch_due
from sidecar.money.stripe_client import BoundedClient, Patience, create_client
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Answer, Auth, Events, Org, Serve, Sidecar, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
PATIENCE_S = 20
LONG_S = 60
HELD = """
    select application_name, state, query from pg_stat_activity
     where datname = current_database() and starts_with(application_name, 'coach-os') and xact_start is not null
"""


@pytest.fixture
def patience() -> Patience:
    return Patience(attempt_s=LONG_S, retries=2, total_s=2)


@pytest.fixture
async def impatient(
    serve: Serve, process_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, patience: Patience
) -> AsyncIterator[Sidecar]:
    monkeypatch.setattr("sidecar.app.DOOR", patience)
    async with serve(process_env) as sidecar:
        yield sidecar


async def post(sidecar: Sidecar, path: str, token: str, **body: object) -> Answer:
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Idempotency-Key": uuid4().hex}
    return await sidecar.post(path, json.dumps(body, default=str).encode(), sent)


async def until_all_hang(standin: Standin) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await standin.waiting_faults():  # noqa: ASYNC110 - the stand-in tells nobody
            await asyncio.sleep(0.01)


async def test_while_stripe_hangs_the_doors_answer_and_hold_nothing(
    impatient: Sidecar, world: World, auth: Auth, stripe_standin: Standin, events: Events
) -> None:
    """More hang than the database pool has connections."""
    org, new = world.org(), world.org(connected=False)
    token, owner = auth.sign_in(org.owner_id), auth.sign_in(new.owner_id)
    pack_id = world.pack(org)
    world.db.execute("update public.client_purchases set stripe_payment_intent_id = 'pi_1'")
    world.db.execute(
        "insert into public.subscriptions (org_id, client_id, stripe_customer_id) values (%s, %s, 'cus_1')",
        [org.id, org.client_id],
    )
    shop = Shop(stripe_standin, org)
    await shop.sells(1)
    await shop.shows({"id": "cus_1", "object": "customer"})
    await stripe_standin.fault("timeout", times=14)
    began = time.monotonic()
    asked = [
        asyncio.create_task(work)
        for work in (
            *(post(impatient, "/refunds", token, purchase_id=pack_id, amount_cents=1) for _ in range(11)),
            post(impatient, "/checkout", token, client_id=org.client_id, offer_id=org.offer_id),
            post(impatient, "/customer-portal", token, client_id=org.client_id),
            post(impatient, "/connect", owner, org_id=new.id),
        )
    ]
    await until_all_hang(stripe_standin)

    assert world.rows(HELD) == []
    world.db.execute("select from public.client_purchases, public.orgs for update nowait")
    assert (await impatient.deliver(events.paid(org))).json() == {"outcome": "applied"}
    answers = await asyncio.gather(*asked)

    assert {(answer.status, answer.json()["code"]) for answer in answers} == {(502, "stripe_unavailable")}
    assert time.monotonic() - began < PATIENCE_S
    assert world.rows("select distinct status from app.refunds") == [{"status": "requested"}]


@pytest.mark.parametrize("patience", [Patience(attempt_s=0.5, retries=2, total_s=LONG_S)])
async def test_an_answer_that_is_late_is_asked_for_again_and_nothing_is_done_twice(
    impatient: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org = world.org()
    await stripe_standin.fault("late", delay_s=LONG_S)

    answer = await post(
        impatient, "/checkout", auth.sign_in(org.owner_id), client_id=org.client_id, offer_id=org.offer_id
    )

    assert answer.status == 201, answer.text
    row = world.one("select status, url, stripe_session_id from app.checkouts")
    assert (row["status"], row["url"]) == ("open", answer.json()["url"])


async def test_an_answer_without_an_end_has_one() -> None:
    """httpx limits how long it waits for the next bytes; these come all the time."""

    gone = asyncio.Event()

    async def dribble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(dribble, "127.0.0.1", 0)
    http = BoundedClient(Patience(attempt_s=LONG_S, retries=2, total_s=0.3))
    client = create_client(Secret("sk_test_x"), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", http)
    async with server, asyncio.timeout(PATIENCE_S):
        with pytest.raises(stripe.APIConnectionError):
            await client.v1.charges.list_async()
        await http.close_async()  # type: ignore[no-untyped-call]
        await gone.wait()


async def test_a_worker_that_finds_nobody_there_waits_once_and_holds_nothing(
    world: World, worker_pool: Pool, stripe_standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.money.fees.WORKER", Patience(attempt_s=LONG_S, retries=1, total_s=1))
    org: Org = world.org()
    shop = Shop(stripe_standin, org)
    Books(world).deliver(*[(await shop.sells(n, told=False)).charge() for n in range(3)])
    await stripe_standin.fault("timeout", calls="reading", times=2)
    async with StripeReader(Secret("sk_test_of_the_tests"), stripe_standin.url) as reader, asyncio.timeout(PATIENCE_S):
        tick = asyncio.create_task(fetch_due(Database(worker_pool), reader))
        while await stripe_standin.waiting_faults() == 2:  # noqa: ASYNC110 - the stand-in tells nobody
            await asyncio.sleep(0.01)

        assert world.rows(HELD) == []
        assert await tick == 0

    assert await stripe_standin.waiting_faults() == 1, "the other two were not waited for"
    assert world.value("select bool_and(lookups = 1 and lookup_at > now()) from app.stripe_payments")
