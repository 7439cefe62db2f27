"""What reaches a log: what is on the list, and nothing that anybody outside has worded."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import signal
import socket
import time
import warnings
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp
import psycopg
import pytest
import structlog
from twilio.request_validator import RequestValidator

from devstack.standins.stripe import sign_event
from sidecar.logging import SAFE_FIELDS, describe_exception

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Auth, Coach, Events, Logs, Processes, Sidecar, Standin, World

CANARY = "canary-93e0aa"


def only(logs: Logs) -> dict[str, object]:
    [line] = logs.lines()
    return line


# -- our own lines ----------------------------------------------------------------------------------------------------


def test_a_field_that_is_not_on_the_list_is_counted_and_gone(logs: Logs) -> None:
    structlog.get_logger().info("sms_batch", sent=3, phone=CANARY, **{CANARY: CANARY})

    line = only(logs)
    assert CANARY not in logs.text
    assert (line["event"], line["sent"], line["dropped"], line["level"]) == ("sms_batch", 3, 2, "info")


def test_an_exception_is_its_type_and_places(logs: Logs) -> None:
    log = structlog.get_logger()

    def fail() -> None:
        raise ValueError(CANARY) from KeyError(CANARY)

    try:
        fail()
    except ValueError as error:
        log.warning("request_failed", **describe_exception(error))
        log.exception("request_failed", error=CANARY)

    assert CANARY not in logs.text
    first, *_ = logs.lines()
    assert first["exception"] == "ValueError"
    assert [frame.split(":")[0] for frame in first["frames"]] == ["test_logging.py"] * 2


def test_a_database_error_is_its_code(world: World) -> None:
    world.db.execute("insert into auth.users (id, phone) values (gen_random_uuid(), %s)", [CANARY])
    with pytest.raises(psycopg.errors.UniqueViolation) as raised:
        world.db.execute("insert into auth.users (id, phone) values (gen_random_uuid(), %s)", [CANARY])

    described = describe_exception(raised.value)

    assert CANARY in str(raised.value)  # that is why
    assert CANARY not in json.dumps(described)
    assert (described["exception"], described["sqlstate"]) == ("UniqueViolation", "23505")


def test_nothing_on_the_list_names_a_person() -> None:
    forbidden = {"user", "user_id", "actor", "client", "email", "phone", "name", "token", "body", "to", "from", "path"}

    assert not SAFE_FIELDS & forbidden
    assert not {"url", "query", "headers", "message", "msg", "args", "kwargs", "error", "detail"} & SAFE_FIELDS


# -- libraries' lines -------------------------------------------------------------------------------------------------


def _procrastinate() -> None:
    job = {"id": 7, "task_name": "sms.send", "task_kwargs": {"phone": CANARY}}
    extra = {"action": "start_job", "job": job, "worker": {"name": CANARY}, "result": CANARY}
    logging.getLogger("procrastinate.worker.worker").info("Starting job sms.send[7](phone=%r)", CANARY, extra=extra)


def _unknown_action() -> None:
    logging.getLogger("procrastinate.jobs").warning("x", extra={"action": CANARY})


def _access() -> None:
    logging.getLogger("uvicorn.access").warning('%s - "%s %s HTTP/%s" %d', CANARY, "GET", f"/{CANARY}", "1.1", 200)


def _driver() -> None:
    try:
        raise psycopg.errors.UniqueViolation(f"Key (phone)=({CANARY}) already exists.")
    except psycopg.Error:
        logging.getLogger("psycopg.pool").exception("error connecting in %r: %s", "pool", CANARY, stack_info=True)


def _late_logger_with_its_own_formatter() -> None:
    logging.getLogger(f"library.{secrets.token_hex(4)}").error(CANARY)


def _warning() -> None:
    warnings.warn(CANARY, stacklevel=1)


LIBRARIES: list[Callable[[], None]] = [
    _procrastinate,
    _unknown_action,
    _access,
    _driver,
    _late_logger_with_its_own_formatter,
    pytest.param(_warning, marks=pytest.mark.filterwarnings("default")),  # type: ignore[list-item]
]


@pytest.mark.parametrize("write", LIBRARIES, ids=lambda write: write.__name__.lstrip("_"))
def test_a_librarys_words_do_not_reach_the_log(
    logs: Logs, write: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    write()

    captured = capfd.readouterr()
    assert CANARY not in logs.text
    assert CANARY not in captured.out + captured.err
    assert all({"at", "level", "event", "logger"} <= line.keys() for line in logs.lines())


def test_what_a_library_did_is_still_seen(logs: Logs) -> None:
    _procrastinate()
    _driver()

    started, failed = logs.lines()
    assert (started["event"], started["level"]) == ("start_job", "info")
    assert (failed["event"], failed["logger"]) == ("library_log", "psycopg.pool")
    assert failed["exception"] == "UniqueViolation"


# -- every path, with something planted in it -------------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """Things that must not be found in a log, each only of this test."""

    phone: str = field(default_factory=lambda: f"+61491{secrets.randbelow(900_000) + 100_000}")
    email: str = field(default_factory=lambda: f"{secrets.token_hex(6)}@example.com")
    name: str = field(default_factory=lambda: f"Zaphod{secrets.token_hex(4)}")
    token: str = field(default_factory=lambda: f"eyJ{secrets.token_hex(12)}")
    words: str = field(default_factory=lambda: f"words{secrets.token_hex(6)}")

    def found_in(self, text: str) -> list[str]:
        """Which of them are there, in whatever dress."""
        values = (self.phone, self.email, self.name, self.token, self.words)
        forms = {form for v in values for form in (v, v.lstrip("+"), urlencode({"": v})[1:], v.encode().hex())}
        return [form for form in forms if form.lower() in text.lower()]


@pytest.fixture
def planted() -> Planted:
    return Planted()


async def test_a_caller_cannot_word_a_log_line(sidecar: Sidecar, logs: Logs, planted: Planted) -> None:
    """Method, path, query and headers are all the caller's."""
    await sidecar.post(f"/{planted.name}/{planted.phone}?email={planted.email}", method=planted.words)
    await sidecar.post(f"/healthz?{planted.token}", method=planted.words.upper(), headers={"X": planted.name})
    await sidecar.post("/webhooks/stripe", headers={"Host": planted.name, "X-Request-Id": planted.token})
    await sidecar.post("/webhooks/stripe", b"x", {"Content-Encoding": planted.words, "Content-Type": planted.token})

    assert planted.found_in(logs.text) == []
    assert any(line["event"] == "request" for line in logs.lines())


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_nothing_personal_leaves_the_service(  # noqa: PLR0915 - one process is made to see everything
    world: World,
    processes: Processes,
    process_env: dict[str, str],
    auth: Auth,
    events: Events,
    stripe_standin: Standin,
    http: aiohttp.ClientSession,
    planted: Planted,
    level: str,
) -> None:
    org = world.org()
    world.db.execute(
        "update public.clients set phone = %s, email = %s, full_name = %s",
        [planted.phone, planted.email, planted.name],
    )
    world.db.execute("update auth.users set email = %s", [planted.email])
    booking_id = world.booking(org, timedelta(days=1))
    world.db.execute("update public.bookings set confirmation_sent_at = now() where id = %s", [booking_id])
    auth.tokens[planted.token] = org.owner_id
    port = free_port()

    async def post(path: str, body: bytes, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.post(f"http://127.0.0.1:{port}{path}", data=body, headers=named) as answer:
            text = await answer.text()
            assert planted.token not in text
            return answer.status

    async def stripe(body: bytes, secret: str = process_env["STRIPE_WEBHOOK_SECRET"]) -> int:
        signature = sign_event(body, secret, int(time.time()))
        return await post("/webhooks/stripe", body, Stripe_Signature=signature, User_Agent=planted.name)

    async def twilio(form: dict[str, str], token: str = process_env["TWILIO_AUTH_TOKEN"]) -> int:
        path = "/webhooks/twilio/inbound"
        signature = RequestValidator(token).compute_signature(process_env["PUBLIC_URL"] + path, form)
        kind = "application/x-www-form-urlencoded"
        return await post(path, urlencode(form).encode(), X_Twilio_Signature=signature, Content_Type=kind)

    async def sell(client_id: object, token: str) -> int:
        body = json.dumps({"client_id": str(client_id), "offer_id": str(org.offer_id)}).encode()
        return await post("/checkout", body, Authorization=f"Bearer {token}", Content_Type="application/json")

    event = events.paid(org, note=planted.words)
    event["data"]["object"]["customer_details"] |= {"email": planted.email, "phone": planted.phone}
    text = {"MessageSid": "SM1", "From": planted.phone, "To": org.phone, "Body": planted.words}

    env = process_env | {"LOG_LEVEL": level}
    async with processes.start("serve", "--port", str(port), env=env) as service:
        await answering(service, http, port)
        assert await stripe(json.dumps(event).encode()) == 200
        broken = events.paid(org, client_id=planted.words)
        assert await stripe(json.dumps(broken).encode()) == 200
        assert await stripe(json.dumps(event).encode(), "whsec_" + planted.token) == 400
        assert await stripe(f"{{{planted.email}".encode()) == 400
        assert await twilio(text | {"Body": "Y"}) == 200
        assert await twilio(text | {"MessageSid": "SM2"}) == 200
        assert await twilio(text, planted.token) == 403
        assert await sell(org.client_id, planted.token) == 201
        assert await sell(planted.words, planted.token) == 400
        assert await sell(org.id, planted.token) == 404
        assert await sell(org.client_id, planted.words) == 401
        world.db.execute("update app.checkouts set status = 'expired'")  # else the open page is found
        await stripe_standin.fault("error", status=402)
        assert await sell(org.client_id, planted.token) == 502
        world.db.execute("drop function app.begin_checkout")
        assert await sell(org.client_id, planted.token) == 500
        async with http.get(f"http://127.0.0.1:{port}/{planted.phone}?{planted.email}") as answer:
            assert answer.status == 404
        with world.down():
            assert await stripe(json.dumps(event | {"id": "evt_later"}).encode()) == 503
        service.process.send_signal(signal.SIGTERM)
        await service.ended()

    assert planted.found_in(service.text) == []
    assert service.text.count('"event": "request"') >= 14
    assert [line for line in service.text.splitlines() if not line.startswith("{")] == []
    assert ('"level": "debug"' in service.text) is (level == "DEBUG")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answering(service: Coach, http: aiohttp.ClientSession, port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            assert service.process.returncode is None, service.text
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_nothing_personal_leaves_the_worker(
    world: World,
    processes: Processes,
    process_env: dict[str, str],
    twilio_standin: Standin,
    planted: Planted,
    level: str,
) -> None:
    org = world.org()
    world.db.execute(
        "update public.clients set phone = %s, email = %s, full_name = %s",
        [planted.phone, planted.email, planted.name],
    )
    world.db.execute("update public.sms_schedules set mins_offset = 0 where type = 'post_session'")
    for hours in range(-5, -2):
        world.booking(org, timedelta(hours=hours), world.pack(org))
    world.message(org, planted.words, planted.phone)
    await twilio_standin.fault("error", status=400, code=21211)
    await twilio_standin.fault("error", status=503)
    env = process_env | {"DATABASE_URL": world.url("coach_os_worker"), "LOG_LEVEL": level}
    # A job of a kind that nobody knows, and one that fails, both with something to hide in their arguments.
    world.db.execute("set search_path = procrastinate")
    world.db.execute(
        "insert into procrastinate_jobs (queue_name, task_name, args)"
        " select 'default', task, jsonb_build_object('phone', %s::text)"
        "   from unnest(array['nobody.knows', 'sms.send_due']) as task",
        [planted.phone],
    )

    def waiting() -> int:
        return int(
            world.value(
                "select (select count(*) from public.sms_messages where status in ('pending', 'sending'))"
                " + (select count(*) from public.bookings where status = 'confirmed')"
                " + (select count(*) from procrastinate_jobs where args ? 'phone' and status in ('todo', 'doing'))"
            )
        )

    async with processes.start("worker", env=env) as worker:
        async with asyncio.timeout(75):
            while waiting():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended() == 0

    assert planted.found_in(worker.text) == []
    assert "bookings_completed" in worker.text
    assert "sms_batch" in worker.text
    assert [line for line in worker.text.splitlines() if not line.startswith("{")] == []


URLS = {
    "unreachable": "postgresql://coach_os_worker:{secret}@127.0.0.1:1/postgres",
    "badly escaped": "postgresql://coach_os_worker:{secret}%zz@127.0.0.1:1/postgres",
    "no port": "postgresql://coach_os_worker:{secret}@127.0.0.1:{secret}/postgres",
}


@pytest.mark.parametrize(
    ("command", "what"),
    [(command, what) for command in (["worker"], ["jobs", "install"]) for what in URLS]
    + [(["doctor"], "badly escaped")],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
async def test_a_database_that_cannot_be_reached_is_not_described_by_its_password(
    processes: Processes, command: list[str], what: str
) -> None:
    env = {
        "DATABASE_URL": URLS[what].format(secret=CANARY),
        "PUBLIC_URL": "https://coach.example",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "STRIPE_SECRET_KEY": f"sk_test_{CANARY}",
        "TWILIO_AUTH_TOKEN": CANARY,
    }

    status, output = await processes.run(*command, env=env)

    assert status == 1
    assert CANARY not in output
    assert "Traceback" not in output
    assert "DATABASE_URL" in output
