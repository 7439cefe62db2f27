"""An org's own Twilio account: kept encrypted, shown to nobody, used for its texts alone."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest
from cryptography.fernet import Fernet
from psycopg import sql
from twilio.request_validator import RequestValidator

from sidecar.database import Database, create_pool
from sidecar.settings import Secret, SettingsError, TwilioSettings, credentials_keys_from_env
from sidecar.sms.credentials import CredentialsUnreadableError, Vault, renew_all
from sidecar.sms.sender import TwilioSender, send_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Answer, Auth, Logs, Org, Processes, Serve, Sidecar, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

SID, TOKEN = "AC" + "0" * 32, "token-of-the-tests"
OWN_SID, OWN_TOKEN, NUMBER = "AC" + "e" * 32, "canary-6a1f-the-owners", "+15005557777"
KEY = Fernet.generate_key().decode()
INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"


@pytest.fixture
async def own(twilio_standin: Standin) -> Standin:
    """Twilio, where the owner has an account with a number."""
    account = {"account_sid": OWN_SID, "auth_token": OWN_TOKEN, "numbers": [NUMBER]}
    await twilio_standin.control("accounts", account)
    return twilio_standin


@pytest.fixture
async def keeping(serve: Serve, process_env: dict[str, str]) -> AsyncIterator[Sidecar]:
    """A sidecar that has a key."""
    async with serve(process_env | {"CREDENTIALS_KEYS": KEY}) as sidecar:
        yield sidecar


async def bring(sidecar: Sidecar, token: str | None, org: Org, **changed: str) -> Answer:
    data = {"account_sid": OWN_SID, "auth_token": OWN_TOKEN, "phone_number": NUMBER} | changed
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return await sidecar.post("/twilio-account", json.dumps({"org_id": str(org.id), **data}).encode(), headers)


@asynccontextmanager
async def sending(standin: Standin, *keys: str) -> AsyncIterator[TwilioSender]:
    vault = Vault(tuple(Secret(key) for key in keys))
    callback = "https://coach.example/webhooks/twilio/status"
    async with TwilioSender(TwilioSettings(SID, Secret(TOKEN), standin.url), callback, vault) as twilio:
        yield twilio


def stored_text(world: World) -> str:
    """Every row of every table of ours, as text."""
    tables = world.rows("select schemaname, tablename from pg_tables where schemaname in ('public', 'app')")
    query = "select coalesce(string_agg(t::text, E'\\n'), '') as rows from {} as t"
    return "\n".join(
        world.db.execute(sql.SQL(query).format(sql.Identifier(each["schemaname"], each["tablename"]))).fetchall()[0][
            "rows"
        ]
        for each in tables
    )


async def test_an_owner_brings_an_account(keeping: Sidecar, world: World, auth: Auth, own: Standin, logs: Logs) -> None:
    org, other = world.org(), world.org()

    answer = await bring(keeping, auth.sign_in(org.owner_id), org)

    assert (answer.status, answer.json()) == (200, {"account_sid": OWN_SID, "phone_number": NUMBER})
    found = world.one("select org_id, account_sid, secret from app.twilio_accounts")
    assert (found["org_id"], found["account_sid"]) == (org.id, OWN_SID)
    assert Vault((Secret(KEY),)).open(org.id, OWN_SID, found["secret"]).reveal() == OWN_TOKEN
    settings = "select twilio_account_sid, twilio_phone_number from public.sms_settings where org_id = %s"
    assert world.one(settings, org.id) == {"twilio_account_sid": OWN_SID, "twilio_phone_number": NUMBER}
    assert world.one(settings, other.id) == {"twilio_account_sid": None, "twilio_phone_number": other.phone}
    assert OWN_TOKEN not in stored_text(world)
    assert OWN_TOKEN not in logs.text + answer.text
    # Replies to the number come to us.
    url = f"{own.url}/2010-04-01/Accounts/{OWN_SID}/IncomingPhoneNumbers.json"
    credentials = {"Authorization": aiohttp.encode_basic_auth(OWN_SID, OWN_TOKEN)}
    async with own.http.get(url, headers=credentials) as response:
        [number] = (await response.json())["incoming_phone_numbers"]
    assert (number["sms_url"], number["sms_method"]) == (f"https://coach.example{INBOUND}", "POST")


async def test_what_is_not_taken_leaves_no_trace(
    keeping: Sidecar,
    sidecar: Sidecar,
    world: World,
    auth: Auth,
    own: Standin,
    subtests: pytest.Subtests,
) -> None:
    org, other = world.org(), world.org()
    owner, staff = auth.sign_in(org.owner_id), auth.sign_in(world.member(org, "staff"))
    closed = "AC" + "c" * 32
    await own.control("accounts", {"account_sid": closed, "auth_token": "x", "numbers": [NUMBER], "status": "closed"})
    before = world.everything()
    cases: list[tuple[str, Sidecar, str | None, Org, dict[str, str], int, str]] = [
        ("nobody", keeping, None, org, {}, 401, "sign_in_required"),
        ("staff", keeping, staff, org, {}, 404, "org_not_found"),
        ("another owner", keeping, owner, other, {}, 404, "org_not_found"),
        ("another token", keeping, owner, org, {"auth_token": "x"}, 400, "twilio_account_refused"),
        ("another account", keeping, owner, org, {"account_sid": "AC" + "d" * 32}, 400, "twilio_account_refused"),
        (
            "a closed one",
            keeping,
            owner,
            org,
            {"account_sid": closed, "auth_token": "x"},
            400,
            "twilio_account_refused",
        ),
        ("no account", keeping, owner, org, {"account_sid": "AC/../x"}, 400, "twilio_account_refused"),
        ("another's number", keeping, owner, org, {"phone_number": other.phone}, 400, "number_not_in_account"),
        ("no number", keeping, owner, org, {"phone_number": ""}, 400, "number_not_in_account"),
        ("without a key", sidecar, owner, org, {}, 503, "credentials_key_missing"),
    ]
    for what, service, token, whose, changed, status, code in cases:
        with subtests.test(what):
            answer = await bring(service, token, whose, **changed)

            assert (answer.status, answer.json()["code"]) == (status, code), answer.text
            assert world.everything() == before


async def test_a_number_of_another_org_is_not_taken_over(
    keeping: Sidecar, world: World, auth: Auth, own: Standin
) -> None:
    org, other = world.org(), world.org()
    assert (await bring(keeping, auth.sign_in(org.owner_id), org)).status == 200
    before = world.everything()

    answer = await bring(keeping, auth.sign_in(other.owner_id), other)

    assert (answer.status, answer.json()["code"]) == (409, "number_taken")
    assert world.everything() == before
    assert len(await own.messages()) == 0


async def test_its_texts_go_through_it_and_the_others_do_not(
    keeping: Sidecar,
    world: World,
    auth: Auth,
    own: Standin,
    worker_pool: AsyncConnectionPool[AsyncConnection[DictRow]],
) -> None:
    org, other = world.org(), world.org()
    queued_before = world.message(org, "queued before")
    await bring(keeping, auth.sign_in(org.owner_id), org)
    world.message(org, "mine")
    world.message(other, "theirs")

    async with sending(own, KEY) as twilio:
        assert await send_due(Database(worker_pool), twilio) == 3

    listed = {each["body"]: (each["account_sid"], each["from"]) for each in await own.messages()}
    assert listed == {
        "mine": (OWN_SID, NUMBER),
        "queued before": (OWN_SID, NUMBER),
        "theirs": (SID, other.phone),
    }
    assert world.value("select account_sid from public.sms_messages where id = %s", queued_before) == OWN_SID


async def test_its_webhooks_are_signed_by_it_and_speak_for_it_alone(
    keeping: Sidecar,
    world: World,
    auth: Auth,
    own: Standin,
    worker_pool: AsyncConnectionPool[AsyncConnection[DictRow]],
) -> None:
    org, other = world.org(), world.org()
    await bring(keeping, auth.sign_in(org.owner_id), org)
    for each in (org, other):
        world.booking(each, timedelta(days=1))
    async with sending(own, KEY) as twilio:
        await send_due(Database(worker_pool), twilio)
    sids = {each["from"]: each["sid"] for each in await own.messages()}

    async def says(path: str, account: str, token: str, **form: str) -> int:
        return (await keeping.text({"AccountSid": account, **form}, path, token)).status

    def reply(to: str, sender: Org) -> dict[str, str]:
        return {"MessageSid": f"SM{uuid4().hex}", "From": sender.client_phone, "To": to, "Body": "Y"}

    delivered = {"MessageSid": sids[NUMBER], "MessageStatus": "delivered"}
    assert await says(STATUS, OWN_SID, TOKEN, **delivered) == 403
    assert await says(INBOUND, OWN_SID, TOKEN, **reply(NUMBER, org)) == 403
    assert await says(STATUS, SID, OWN_TOKEN, **delivered) == 403
    assert await says(STATUS, "AC" + "9" * 32, OWN_TOKEN, **delivered) == 403
    # Signed, and not about its own.
    before = world.everything()
    assert await says(STATUS, OWN_SID, OWN_TOKEN, MessageSid=sids[other.phone], MessageStatus="failed") == 204
    assert await says(INBOUND, OWN_SID, OWN_TOKEN, **reply(other.phone, other)) == 200
    assert await says(STATUS, SID, TOKEN, **delivered) == 204
    assert world.everything() == before

    assert await says(STATUS, OWN_SID, OWN_TOKEN, **delivered) == 204
    assert await says(INBOUND, OWN_SID, OWN_TOKEN, **reply(NUMBER, org)) == 200
    assert world.value("select client_confirmed from public.bookings where org_id = %s", org.id)
    assert not world.value("select client_confirmed from public.bookings where org_id = %s", other.id)
    states = "select status from public.sms_messages where org_id = %s"
    assert (world.value(states, org.id), world.value(states, other.id)) == ("delivered", "sent")


async def test_without_its_key_its_texts_wait(
    keeping: Sidecar,
    world: World,
    auth: Auth,
    own: Standin,
    worker_pool: AsyncConnectionPool[AsyncConnection[DictRow]],
) -> None:
    """They never go through the platform's account instead."""
    org = world.org()
    await bring(keeping, auth.sign_in(org.owner_id), org)
    world.message(org)

    for keys in ((), (Fernet.generate_key().decode(),)):
        async with sending(own, *keys) as twilio:
            assert await send_due(Database(worker_pool), twilio) == 1
        found = world.one("select status, error_code from public.sms_messages")
        assert found == {"status": "queued", "error_code": "credentials_unreadable"}
        world.db.execute("update public.sms_messages set scheduled_for = now()")
    assert await own.messages() == []

    async with sending(own, KEY) as twilio:
        assert await send_due(Database(worker_pool), twilio) == 1
    assert world.value("select status from public.sms_messages") == "sent"


async def test_a_new_key_takes_the_place_of_the_old_one(
    keeping: Sidecar, world: World, auth: Auth, own: Standin, processes: Processes
) -> None:
    orgs = [world.org(), world.org()]
    await own.control(
        "accounts", {"account_sid": OWN_SID, "auth_token": OWN_TOKEN, "numbers": [NUMBER, "+15005557778"]}
    )
    for org, number in zip(orgs, (NUMBER, "+15005557778"), strict=True):
        assert (await bring(keeping, auth.sign_in(org.owner_id), org, phone_number=number)).status == 200
    newer = Fernet.generate_key().decode()
    env = {"DATABASE_URL": world.url("coach_os_sidecar")}

    renewed = await processes.run("credentials", "renew", env=env | {"CREDENTIALS_KEYS": f"{newer},{KEY}"})

    assert renewed == (0, "2 renewed\n")
    async with create_pool(Secret(env["DATABASE_URL"]), "coach-os tests") as pool:
        database = Database(pool)
        assert await renew_all(database, Vault((Secret(newer), Secret(KEY)))) == (0, 0)
        assert await renew_all(database, Vault((Secret(KEY),))) == (0, 2)
    for row in world.rows("select * from app.twilio_accounts"):
        opened = Vault((Secret(newer),)).open(row["org_id"], row["account_sid"], row["secret"])
        assert opened.reveal() == OWN_TOKEN
        with pytest.raises(CredentialsUnreadableError):
            Vault((Secret(KEY),)).open(row["org_id"], row["account_sid"], row["secret"])


@pytest.mark.parametrize("key", ["short", "not base64 at all, is it", "a" * 43 + "=,x"])
def test_a_key_that_is_none_is_named_at_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="CREDENTIALS_KEYS holds something that is no key") as caught:
        credentials_keys_from_env({"CREDENTIALS_KEYS": key})
    assert key not in str(caught.value)


def test_a_sealed_token_opens_for_nobody_else() -> None:
    vault, org_id = Vault((Secret(KEY),)), uuid4()
    sealed = vault.seal(org_id, OWN_SID, Secret(OWN_TOKEN))

    assert OWN_TOKEN not in sealed
    assert sealed != vault.seal(org_id, OWN_SID, Secret(OWN_TOKEN)), "equal tokens look different"
    assert vault.open(org_id, OWN_SID, sealed).reveal() == OWN_TOKEN
    broken: list[Any] = [
        (vault, uuid4(), OWN_SID, sealed),
        (vault, org_id, SID, sealed),
        (vault, org_id, OWN_SID, sealed[:-8] + "AAAAAAA="),
        (vault, org_id, OWN_SID, ""),
        (Vault(()), org_id, OWN_SID, sealed),
    ]
    for opener, *arguments in broken:
        with pytest.raises(CredentialsUnreadableError):
            opener.open(*arguments)


@pytest.mark.usefixtures("own")
async def test_it_is_signed_as_twilio_signs(keeping: Sidecar, world: World, auth: Auth) -> None:
    """The whole way, by Twilio's own library: a status callback of the account."""
    org = world.org()
    await bring(keeping, auth.sign_in(org.owner_id), org)
    form = {"AccountSid": OWN_SID, "MessageSid": "SM1", "MessageStatus": "sent"}
    signature = RequestValidator(OWN_TOKEN).compute_signature(f"https://coach.example{STATUS}", form)
    body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}

    assert (await keeping.post(STATUS, body, headers)).status == 204
    world.db.execute("delete from app.twilio_accounts")
    assert (await keeping.post(STATUS, body, headers)).status == 403
