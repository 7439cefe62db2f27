"""Pushes go to all of a client's devices; a device that is gone is forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from devstack.standins.expo import ExpoConfig, create_expo_app
from devstack.standins.server import running
from sidecar.clients.push import Expo, Push, check_receipts, dispatch
from sidecar.database import Database
from sidecar.errors import Refusal
from sidecar.settings import ExpoSettings, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp
    from conftest import Answer, Auth, Logs, Org, Serve, Sidecar, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

EXPO_TOKEN, SECRET_KEY = "canary-8d4e-expo", "sb_secret_of_the_tests"
PATH = "/functions/v1/push-dispatch"


@pytest.fixture
async def expo_standin(http: aiohttp.ClientSession) -> AsyncIterator[Standin]:
    """Expo, in this process."""
    from conftest import Standin as Control  # noqa: PLC0415 - a class at run time

    async with running(create_expo_app(ExpoConfig(EXPO_TOKEN))) as url:
        yield Control(url, http)


@pytest.fixture
async def pushing(serve: Serve, process_env: dict[str, str], expo_standin: Standin) -> AsyncIterator[Sidecar]:
    """A sidecar with a push service."""
    env = {"EXPO_ACCESS_TOKEN": EXPO_TOKEN, "EXPO_API_BASE": expo_standin.url, "SUPABASE_SECRET_KEY": SECRET_KEY}
    async with serve(process_env | env) as sidecar:
        yield sidecar


@pytest.fixture
async def expo(expo_standin: Standin) -> AsyncIterator[Expo]:
    async with Expo(ExpoSettings(Secret(EXPO_TOKEN), expo_standin.url)) as connected:
        yield connected


@pytest.fixture
def worker_database(worker_pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> Database:
    return Database(worker_pool)


def device(world: World, org: Org, name: str, client_id: UUID | None = None) -> str:
    token = f"ExponentPushToken[{name}]"
    world.db.execute(
        "insert into public.push_tokens (org_id, client_id, expo_token) values (%s, %s, %s)",
        [org.id, client_id or org.client_id, token],
    )
    return token


def devices(world: World) -> list[str]:
    return [row["expo_token"] for row in world.rows("select expo_token from public.push_tokens order by 1")]


async def push(sidecar: Sidecar, bearer: str | None, content: object) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    return await sidecar.post(PATH, json.dumps(content, default=str).encode(), headers)


def message(client_id: UUID, title: str = "New message", **more: object) -> dict[str, object]:
    return {"client_id": client_id, "title": title, "body": "See you soon", **more}


def later(world: World) -> None:
    world.db.execute("update app.push_tickets set check_at = now(), sent_at = now() - interval '1 hour'")
    world.db.execute("alter table public.push_tokens disable trigger user")
    world.db.execute("update public.push_tokens set updated_at = now() - interval '2 hours'")
    world.db.execute("alter table public.push_tokens enable trigger user")


# -- the contract's call ----------------------------------------------------------------------------------------------


async def test_a_push_goes_to_every_device(pushing: Sidecar, world: World, expo_standin: Standin, logs: Logs) -> None:
    org = world.org()
    tokens = [device(world, org, name) for name in ("canary-phone", "canary-tablet")]
    data = {"type": "message", "client_id": str(org.client_id)}

    answer = await push(pushing, SECRET_KEY, message(org.client_id, data=data))

    assert (answer.status, answer.json()) == (
        200,
        {
            "sent": 1,
            "failed": 0,
            "results": [{"client_id": str(org.client_id), "devices": 2, "sent": 2, "error": None}],
        },
    )
    taken = await expo_standin.messages()
    assert [each["to"] for each in taken] == tokens
    assert taken[0] == {"to": tokens[0], "title": "New message", "body": "See you soon", "data": data}
    assert "canary" not in logs.text
    assert "See you" not in logs.text


async def test_several_pushes_at_once(pushing: Sidecar, world: World, expo_standin: Standin) -> None:
    org = world.org()
    without, unknown = world.client(org, "+61491570199"), uuid4()
    for number in range(150):
        device(world, org, str(number))

    answer = await push(
        pushing, SECRET_KEY, [message(org.client_id), message(without), message(unknown), message(org.client_id, "B")]
    )

    found = answer.json()
    assert (found["sent"], found["failed"]) == (2, 2)
    assert [(each["devices"], each["sent"], each["error"]) for each in found["results"]] == [
        (150, 150, None), (0, 0, "no_device"), (0, 0, "client_not_found"), (150, 150, None)
    ]  # fmt: skip
    assert len(await expo_standin.messages()) == 300
    assert (await push(pushing, SECRET_KEY, [])).json() == {"sent": 0, "failed": 0, "results": []}


async def test_a_device_that_is_gone_is_forgotten(pushing: Sidecar, world: World, expo_standin: Standin) -> None:
    org = world.org()
    old, new = device(world, org, "old"), device(world, org, "new")
    await expo_standin.control("devices", {"gone": {old: "DeviceNotRegistered"}})

    first = (await push(pushing, SECRET_KEY, message(org.client_id))).json()
    second = (await push(pushing, SECRET_KEY, message(org.client_id))).json()

    assert first["results"][0] | {"client_id": ""} == {"client_id": "", "devices": 2, "sent": 1, "error": None}
    assert second["results"][0]["devices"] == 1
    assert devices(world) == [new]
    await expo_standin.control("devices", {"gone": {new: "DeviceNotRegistered"}})
    last = (await push(pushing, SECRET_KEY, message(org.client_id))).json()
    assert (last["sent"], last["failed"], last["results"][0]["error"]) == (0, 1, "DeviceNotRegistered")
    assert devices(world) == []


async def test_other_errors_forget_no_device(
    pushing: Sidecar, world: World, expo_standin: Standin, subtests: pytest.Subtests
) -> None:
    org = world.org()
    token = device(world, org, "phone")
    await expo_standin.control("devices", {"gone": {token: "MessageTooBig"}})
    faults: list[tuple[dict[str, Any] | None, str]] = [
        (None, "MessageTooBig"),
        ({"mode": "error", "status": 429}, "provider_unavailable"),
        ({"mode": "error", "status": 503}, "provider_unavailable"),
        ({"mode": "error", "status": 400}, "provider_refused"),
        ({"mode": "drop"}, "provider_unavailable"),
    ]
    for fault, error in faults:
        with subtests.test(str(fault)):
            if fault:
                await expo_standin.fault(**fault)

            answer = await push(pushing, SECRET_KEY, message(org.client_id))

            assert answer.status == 200
            assert (answer.json()["failed"], answer.json()["results"][0]["error"]) == (1, error)
            assert devices(world) == [token]


async def test_who_may_push(
    pushing: Sidecar, world: World, expo_standin: Standin, auth: Auth, subtests: pytest.Subtests
) -> None:
    org, other = world.org(), world.org()
    for each in (org, other):
        device(world, each, str(each.id))
    client_user = world.user()
    world.db.execute("update public.clients set auth_user_id = %s where id = %s", [client_user, org.client_id])
    cases = [
        ("nobody", None, 401, 0),
        ("another key", "sb_secret_of_others", 401, 0),
        ("the owner", auth.sign_in(org.owner_id), 200, 1),
        ("staff", auth.sign_in(world.member(org, "staff")), 200, 1),
        ("the accountant", auth.sign_in(world.member(org, "accountant_readonly")), 200, 0),
        ("another coach", auth.sign_in(other.owner_id), 200, 0),
        ("the client", auth.sign_in(client_user), 200, 0),
    ]
    for who, bearer, status, sent in cases:
        with subtests.test(who):
            before = len(await expo_standin.messages())
            answer = await push(pushing, bearer, message(org.client_id))

            assert answer.status == status, answer.text
            assert len(await expo_standin.messages()) - before == sent
            if status == 200 and not sent:
                assert answer.json()["results"][0]["error"] == "client_not_found"


async def test_without_a_push_service_it_says_so(
    serve: Serve, process_env: dict[str, str], world: World, worker_database: Database, logs: Logs
) -> None:
    org = world.org()
    token = device(world, org, "phone")

    async with serve(process_env | {"SUPABASE_SECRET_KEY": SECRET_KEY}) as unset:
        answer = await push(unset, SECRET_KEY, message(org.client_id))
    assert (answer.status, answer.json()["code"]) == (503, "push_not_configured")
    # As an automation meets it.
    async with Expo(ExpoSettings(None, "https://exp.host")) as nobody:
        with pytest.raises(Refusal) as refused:
            await dispatch(worker_database, nobody, [Push(org.client_id, "Hi", "There")])
        assert refused.value.code == "push_not_configured"
        assert await check_receipts(worker_database, nobody) == 0
    assert devices(world) == [token]
    assert "phone" not in logs.text


async def test_too_many_at_once_are_refused(pushing: Sidecar, world: World) -> None:
    org = world.org()

    answer = await push(pushing, SECRET_KEY, [message(org.client_id)] * 1001)

    assert (answer.status, answer.json()["code"]) == (400, "too_many_pushes")
    malformed_ones: list[object] = [{}, [{}], {"client_id": "x", "title": "a", "body": "b"}, "text"]
    for malformed in malformed_ones:
        assert (await push(pushing, SECRET_KEY, malformed)).status == 400


# -- receipts ---------------------------------------------------------------------------------------------------------


async def test_receipts_tell_of_devices_that_are_gone(
    world: World, worker_database: Database, expo: Expo, expo_standin: Standin
) -> None:
    org = world.org()
    gone, here = device(world, org, "gone"), device(world, org, "here")
    await expo_standin.control("devices", {"gone_later": {gone: "DeviceNotRegistered", here: "MessageRateExceeded"}})
    result = await dispatch(worker_database, expo, [Push(org.client_id, "Hi", "There")])
    assert (result.sent, result.results[0].sent) == (1, 2)
    assert await check_receipts(worker_database, expo) == 0, "too early to ask"

    later(world)
    assert await check_receipts(worker_database, expo) == 1

    assert devices(world) == [here]
    assert world.value("select count(*) from app.push_tickets") == 0


async def test_what_expo_does_not_know_yet_is_asked_again_for_a_day(
    world: World, worker_database: Database, expo: Expo, expo_standin: Standin
) -> None:
    org = world.org()
    token = device(world, org, "phone")
    await dispatch(worker_database, expo, [Push(org.client_id, "Hi", "There")])
    await expo_standin.control("devices", {"receipts": False})

    for _ in range(2):
        later(world)
        await check_receipts(worker_database, expo)
        assert world.value("select count(*) from app.push_tickets where check_at > now()") == 1
    world.db.execute("update app.push_tickets set check_at = now(), sent_at = now() - interval '25 hours'")
    await check_receipts(worker_database, expo)

    assert world.value("select count(*) from app.push_tickets") == 0
    assert devices(world) == [token]


async def test_a_device_that_registered_again_since_stays(
    world: World, worker_database: Database, expo: Expo, expo_standin: Standin
) -> None:
    org = world.org()
    token = device(world, org, "phone")
    await expo_standin.control("devices", {"gone_later": {token: "DeviceNotRegistered"}})
    await dispatch(worker_database, expo, [Push(org.client_id, "Hi", "There")])
    later(world)
    world.db.execute("update public.push_tokens set device_id = 'new'")  # the app, opened again

    assert await check_receipts(worker_database, expo) == 0

    assert devices(world) == [token]
