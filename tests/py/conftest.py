"""What the tests of the Python parts share: the real sidecar on a real port, and rows to act on.

Tests take everything as fixtures; the classes are here so that a test can name the type of what it gets.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import aiohttp
import psycopg
import pytest
import structlog
import uvicorn
from aiohttp import web
from local_api import serving
from multidict import MultiDict
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from twilio.request_validator import RequestValidator

from devstack.layout import ROOT
from devstack.postgres import ADMIN, Cluster
from devstack.standins import stripe_objects
from devstack.standins.server import running
from devstack.standins.stripe import StripeConfig, create_stripe_app, sign_event
from devstack.standins.twilio import TwilioConfig, create_twilio_app
from sidecar import logging as sidecar_logging
from sidecar.app import create_app
from sidecar.database import create_pool
from sidecar.settings import Secret, ServeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from local_api import LocalApi
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    Connection = AsyncConnection[DictRow]
    Serve = Callable[[Mapping[str, str]], AbstractAsyncContextManager["Sidecar"]]

PUBLIC_URL = "https://coach.example"
"""What Stripe and Twilio are told to call. On purpose not where the test's server listens."""
WEB_URL = "https://app.coach.example"
STRIPE_KEY, STRIPE_SECRET = "sk_test_of_the_tests", "whsec_of_the_tests"
TWILIO_SID, TWILIO_TOKEN = "AC" + "0" * 32, "token-of-the-tests"
PATIENCE_S = 20


# -- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Org:
    """One coach's business: owner, one client, one ten-pack offer, a Stripe account and a number to text from."""

    id: UUID
    owner_id: UUID
    client_id: UUID
    offer_id: UUID
    account: str
    phone: str
    client_phone: str


class World:
    """Looks at one database, and puts rows into it, as its administrator."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.db: psycopg.Connection[DictRow] = psycopg.connect(self.url(ADMIN), autocommit=True, row_factory=dict_row)
        self._numbers = iter(range(1000, 10000))

    def url(self, role: str) -> str:
        """How a role reaches it."""
        return self.cluster.url(role, self.name)

    async def connect(self, role: str = ADMIN) -> Connection:
        """Another connection, in autocommit mode; the caller closes it."""
        return await psycopg.AsyncConnection.connect(self.url(role), autocommit=True, row_factory=dict_row)

    @asynccontextmanager
    async def connected(
        self, count: int, who: UUID | None = None, role: str | None = None
    ) -> AsyncIterator[list[Connection]]:
        """`count` connections: of a signed-in user or of an API role, as the API makes them, else of the worker."""
        async with AsyncExitStack() as stack:
            connections = []
            for _ in range(count):
                connection = await self.connect(ADMIN if who or role else "coach_os_worker")
                # Closed, not committed: a transaction that a test left open was left open on purpose.
                stack.push_async_callback(connection.close)
                if who or role:
                    claims = {"role": role or "authenticated"} | ({"sub": str(who)} if who else {})
                    await connection.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
                    await connection.execute(sql.SQL("set role {}").format(sql.Identifier(claims["role"])))
                connections.append(connection)
            yield connections

    async def until_blocked(self, *connections: Connection) -> None:
        """Return once Postgres itself says that each of them waits for another."""
        waits = "select bool_and(cardinality(pg_blocking_pids(pid)) > 0) from unnest(%s::integer[]) as pid"
        pids = [connection.info.backend_pid for connection in connections]
        async with asyncio.timeout(PATIENCE_S):
            while not self.value(waits, pids):  # noqa: ASYNC110 - Postgres tells nobody of its own accord
                await asyncio.sleep(0.01)

    async def complete(self, connection: Connection, booking_id: UUID) -> None:
        """Complete a booking as an open calendar does."""
        await connection.execute("update public.bookings set status = 'completed' where id = %s", [booking_id])

    async def complete_past(self, connection: Connection) -> int:
        """Complete what is over, as the worker does. Returns how many."""
        return int(await self.ask(connection, "select app.complete_past_bookings()"))

    async def use(self, connection: Connection, pack_id: UUID, booking_id: UUID | None = None) -> bool:
        """Use a session of a pack."""
        return bool(await self.ask(connection, "select public.use_session(%s, %s)", pack_id, booking_id))

    async def ask(self, connection: Connection, query: str, *arguments: object) -> Any:  # noqa: ANN401 - any SQL type
        """The only value of a query on another connection."""
        row = await (await connection.execute(query, arguments)).fetchone()
        assert row is not None
        [value] = row.values()
        return value

    def rows(self, query: str, *arguments: object) -> list[DictRow]:
        """All rows of a query."""
        return self.db.execute(query, arguments).fetchall()

    def one(self, query: str, *arguments: object) -> DictRow:
        """The only row of a query."""
        [row] = self.rows(query, *arguments)
        return row

    def value(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - any SQL type
        """The only value of a query."""
        [value] = self.one(query, *arguments).values()
        return value

    def everything(self) -> dict[str, str]:
        """A digest of every row of every table of ours: two that are equal mean that nothing was written."""
        tables = self.rows(
            "select schemaname, tablename from pg_tables where schemaname in ('public', 'app') order by 1, 2"
        )
        return {
            f"{t['schemaname']}.{t['tablename']}": self.db.execute(
                sql.SQL("select count(*) || md5(coalesce(string_agg(t::text, '' order by t::text), '')) as d from {} t")
                .format(sql.Identifier(t["schemaname"], t["tablename"]))
            ).fetchall()[0]["d"]
            for t in tables
        }  # fmt: skip

    def user(self) -> UUID:
        """Somebody who can sign in."""
        user_id = uuid4()
        self.db.execute("insert into auth.users (id, email) values (%s, %s)", [user_id, f"{user_id}@example.com"])
        return user_id

    def member(self, org: Org, role: str) -> UUID:
        """A user with a role in an org."""
        user_id = self.user()
        self.db.execute(
            "insert into public.org_members (org_id, user_id, role) values (%s, %s, %s)", [org.id, user_id, role]
        )
        return user_id

    def org(self, timezone: str = "Australia/Brisbane", *, connected: bool = True, commission: str = "0.05") -> Org:
        """An org that may text at any hour, however much, and, if `connected`, be paid."""
        number = next(self._numbers)
        org = Org(
            uuid4(), self.user(), uuid4(), uuid4(), f"acct_tests{number}", f"+1500555{number}", f"+6149157{number}"
        )
        with self.db.transaction():
            self.db.execute(
                "insert into public.orgs (id, name, timezone, commission_rate) values (%s, 'Ada''s <Gym>', %s, %s)",
                [org.id, timezone, commission],
            )
            self.db.execute(
                "insert into public.org_members (org_id, user_id, role) values (%s, %s, 'owner')",
                [org.id, org.owner_id],
            )
            # Nobody must have to wait for the morning, or for tomorrow, to see a test pass.
            self.db.execute(
                "update public.sms_settings set twilio_phone_number = %s, quiet_hours_start = null,"
                " quiet_hours_end = null, max_sms_per_client_per_day = null, max_sms_per_hour = null"
                " where org_id = %s",
                [org.phone, org.id],
            )
            self.client(org, org.client_phone, org.client_id)
            self.db.execute(
                "insert into public.offers (id, org_id, name, offer_type, price_cents, sessions_included)"
                " values (%s, %s, 'Ten sessions', 'session_pack', 90000, 10)",
                [org.offer_id, org.id],
            )
            if connected:
                self.db.execute(
                    "insert into public.stripe_accounts (org_id, stripe_account_id, charges_enabled)"
                    " values (%s, %s, true)",
                    [org.id, org.account],
                )
        return org

    def client(self, org: Org, phone: str, client_id: UUID | None = None) -> UUID:
        """One more client."""
        client_id = client_id or uuid4()
        self.db.execute(
            "insert into public.clients (id, org_id, full_name, phone) values (%s, %s, 'Jordan Lee', %s)",
            [client_id, org.id, phone],
        )
        return client_id

    def pack(self, org: Org, sessions: int = 10) -> UUID:
        """A pack of the org's client, paid through Stripe."""
        pack_id: UUID = self.value(
            "insert into public.client_purchases"
            " (org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, payment_method)"
            " values (%s, %s, %s, 90000, %s, 'succeeded', 'stripe') returning id",
            org.id, org.client_id, org.offer_id, sessions,
        )  # fmt: skip
        return pack_id

    def booking(
        self, org: Org, starts_in: timedelta, pack_id: UUID | None = None, client_id: UUID | None = None
    ) -> UUID:
        """A confirmed hour. One in the future queues its confirmation text."""
        start = datetime.now(UTC) + starts_in
        booking_id: UUID = self.value(
            "insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)"
            " values (%s, %s, %s, %s, %s) returning id",
            org.id, client_id or org.client_id, pack_id, start, start + timedelta(hours=1),
        )  # fmt: skip
        return booking_id

    def message(self, org: Org, body: str = "Hello", to: str | None = None) -> UUID:
        """A text that is due now."""
        message_id: UUID = self.value(
            "insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body)"
            " values (%s, %s, %s, %s, %s) returning id",
            org.id, org.client_id, to or org.client_phone, org.phone, body,
        )  # fmt: skip
        return message_id

    @contextmanager
    def down(self) -> Iterator[None]:
        """While inside, nobody but an administrator can reach the database; those connected are thrown out."""
        with psycopg.connect(self.cluster.url(ADMIN), autocommit=True) as outside:
            name = sql.Identifier(self.name)
            outside.execute(sql.SQL("alter database {} allow_connections false").format(name))
            outside.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and usename <> %s",
                [self.name, ADMIN],
            )
            try:
                yield
            finally:
                outside.execute(sql.SQL("alter database {} allow_connections true").format(name))


@pytest.fixture
def world(cluster: Cluster, database: str) -> Iterator[World]:
    """This test's own migrated database."""
    world = World(cluster, database)
    yield world
    world.db.close()


@pytest.fixture(scope="session")
def api_world(cluster: Cluster, template: str) -> Iterator[World]:
    """The database behind `api`; its rows are those of every test that uses it."""
    cluster.create_database("api", template)
    world = World(cluster, "api")
    # For test_local_api.py; the API knows only what was there when it first looked.
    world.db.execute(
        """
        create function public.tests_kind_of(p_value jsonb) returns text language sql as 'select jsonb_typeof(p_value)';
        create view public.tests_doubled with (security_invoker = true) as
          select full_name, weight_kg * 2 as weight_kg from public.clients;
        grant select on public.tests_doubled to authenticated;
        """
    )
    yield world
    world.db.close()
    cluster.drop_database("api")


@pytest.fixture(scope="session")
def api(api_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    """The Supabase-compatible API on a database of its own: a test that uses it makes its own org and people."""
    with serving(api_world.url(ADMIN), tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
async def worker_pool(world: World) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[DictRow]]]:
    """Connections with the worker's rights."""
    async with create_pool(Secret(world.url("coach_os_worker")), "coach-os tests") as pool:
        yield pool


# -- logs -------------------------------------------------------------------------------------------------------------


@dataclass
class Logs:
    """What this process has logged, as an operator would see it."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    @property
    def text(self) -> str:
        """All of it."""
        return self.stream.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        """Each line, which must be a JSON object."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def _configured(logs: Logs, level: str) -> Iterator[Logs]:
    root = logging.getLogger()
    handlers, root_level, stdout, hook = list(root.handlers), root.level, sys.stdout, sys.excepthook
    # configure() closes the root's handlers; pytest's own are not ours to close.
    root.handlers.clear()
    sys.stdout = logs.stream
    try:
        sidecar_logging.configure(level)
        sys.stdout = stdout
        yield logs
    finally:
        sys.stdout, sys.excepthook = stdout, hook
        root.handlers[:] = handlers
        root.setLevel(root_level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


@pytest.fixture
def logs() -> Iterator[Logs]:
    """The sidecar's own logging, at its most talkative, into memory."""
    with _configured(Logs(), "DEBUG") as configured:
        yield configured


# -- HTTP -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client; no connection is used twice, so that no answer is read from a half-closed one."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


@dataclass(frozen=True)
class Standin:
    """One stand-in's control routes."""

    url: str
    http: aiohttp.ClientSession

    async def control(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        """Tell it something."""
        async with self.http.post(f"{self.url}/_control/{path}", json=data) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer

    async def fault(self, mode: str, times: int = 1, **more: int | float | str) -> None:
        """Make its next creating calls fail."""
        await self.control("faults", {"mode": mode, "times": times, **more})

    async def waiting_faults(self) -> int:
        """How many calls are still to be hit."""
        async with self.http.get(f"{self.url}/_control/faults") as response:
            return int((await response.json())["waiting"])

    async def messages(self, to: str = "") -> list[dict[str, Any]]:
        """Every text it has accepted."""
        query = {"to": to} if to else {}
        async with self.http.get(f"{self.url}/_control/messages", params=query) as response:
            found: list[dict[str, Any]] = await response.json()
            return found


@pytest.fixture
async def stripe_standin(http: aiohttp.ClientSession) -> AsyncIterator[Standin]:
    """Stripe, in this process."""
    async with running(create_stripe_app(StripeConfig(STRIPE_KEY, STRIPE_SECRET, "http://127.0.0.1:1"))) as url:
        yield Standin(url, http)


@pytest.fixture
async def twilio_standin(http: aiohttp.ClientSession) -> AsyncIterator[Standin]:
    """Twilio, in this process; it makes no status callbacks, tests make those themselves."""
    config = TwilioConfig(TWILIO_SID, TWILIO_TOKEN, "http://127.0.0.1:1", progress=False)
    async with running(create_twilio_app(config)) as url:
        yield Standin(url, http)


@dataclass
class Auth:
    """A stand-in for Supabase Auth: knows who a token belongs to. https://supabase.com/docs/reference/api"""

    tokens: dict[str, UUID] = field(default_factory=dict)
    url: str = ""
    status: int | None = None
    asked: int = 0

    def sign_in(self, user_id: UUID) -> str:
        """An access token of this user."""
        token = f"token-{uuid4().hex}"
        self.tokens[token] = user_id
        return token

    async def user(self, request: web.Request) -> web.Response:
        """GET /auth/v1/user, as Supabase answers it."""
        self.asked += 1
        if self.status is not None:
            return web.json_response({"message": "unavailable"}, status=self.status)
        user_id = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if user_id is None:
            return web.json_response({"code": 403, "error_code": "bad_jwt", "msg": "invalid JWT"}, status=403)
        now = datetime.now(UTC).isoformat()
        return web.json_response(
            {"id": str(user_id), "aud": "authenticated", "role": "authenticated", "created_at": now}
            | {"app_metadata": {}, "user_metadata": {}}
        )


@pytest.fixture
async def auth() -> AsyncIterator[Auth]:
    """Supabase Auth, in this process."""
    auth = Auth()
    app = web.Application()
    app.router.add_get("/auth/v1/user", auth.user)
    async with running(app) as url:
        auth.url = url
        yield auth


@dataclass(frozen=True)
class Answer:
    """What the sidecar said."""

    status: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Its JSON."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Sidecar:
    """The running service, and a provider's way of calling it."""

    url: str
    http: aiohttp.ClientSession

    async def post(
        self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        """One request; nothing is added to `headers` but what HTTP needs."""
        async with self.http.request(
            method,
            f"{self.url}{path}",
            data=body,
            headers=headers or {},
            skip_auto_headers=["User-Agent", "Content-Type"],
        ) as response:
            return Answer(response.status, await response.text(), response.headers)

    async def deliver(
        self, event: object, path: str = "/webhooks/stripe", age_s: int = 0, secret: str = STRIPE_SECRET
    ) -> Answer:
        """An event (or, as bytes, what takes its place) as Stripe sends it: indented JSON, signed."""
        body = event if isinstance(event, bytes) else json.dumps(event, indent=2).encode()
        signature = sign_event(body, secret, int(time.time()) - age_s)
        return await self.post(
            path, body, {"Stripe-Signature": signature, "Content-Type": "application/json; charset=utf-8"}
        )

    async def text(
        self,
        parameters: Sequence[tuple[str, str]] | Mapping[str, str],
        path: str = "/webhooks/twilio/inbound",
        token: str = TWILIO_TOKEN,
        signed_url: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A form as Twilio sends it, signed over PUBLIC_URL or `signed_url`."""
        form = MultiDict(parameters)
        signature = RequestValidator(token).compute_signature(signed_url or f"{PUBLIC_URL}{path}", form)
        return await self.post(
            path,
            urlencode(list(form.items())).encode(),
            {
                "X-Twilio-Signature": signature,
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                **(headers or {}),
            },
        )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Ctrl-C belongs to pytest.
        yield


def environment(world: World, stripe_url: str, twilio_url: str, auth_url: str) -> dict[str, str]:
    """The settings of sidecar and worker, less DATABASE_URL, which differs."""
    return {
        "DATABASE_URL": world.url("coach_os_sidecar"),
        "SUPABASE_URL": auth_url,
        "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_of_the_tests",
        "PUBLIC_URL": PUBLIC_URL,
        "WEB_URL": WEB_URL,
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
        "STRIPE_API_BASE": stripe_url,
        "TWILIO_ACCOUNT_SID": TWILIO_SID,
        "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO_API_BASE": twilio_url,
    }


@asynccontextmanager
async def _serving(env: Mapping[str, str], http: aiohttp.ClientSession) -> AsyncIterator[Sidecar]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # The same as `coach-os serve`, but for the port.
        config = uvicorn.Config(
            create_app(ServeSettings.from_env(env)),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not server.started:
                    if task.done():
                        await task
                    await asyncio.sleep(0.01)
            yield Sidecar(url, http)
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def sidecar(
    world: World, stripe_standin: Standin, twilio_standin: Standin, auth: Auth, http: aiohttp.ClientSession, logs: Logs
) -> AsyncIterator[Sidecar]:
    """The real service over real HTTP, with the rights it has in production."""
    assert logs is not None  # configured before the service starts
    async with _serving(environment(world, stripe_standin.url, twilio_standin.url, auth.url), http) as running_sidecar:
        yield running_sidecar


@pytest.fixture
def serve(
    http: aiohttp.ClientSession, logs: Logs
) -> Callable[[Mapping[str, str]], AbstractAsyncContextManager[Sidecar]]:
    """The real service with settings of the test's own."""
    assert logs is not None
    return lambda env: _serving(env, http)


# -- Stripe's events --------------------------------------------------------------------------------------------------


class Events:
    """Events of full documented shape."""

    def paid(self, org: Org, **metadata: str) -> dict[str, Any]:
        """The client has paid the org's offer; `metadata` is added to the session's."""
        known = {"org_id": str(org.id), "client_id": str(org.client_id), "offer_id": str(org.offer_id)}
        params: dict[str, Any] = {
            "mode": "payment",
            "success_url": f"{WEB_URL}/calendar",
            "metadata": known | metadata,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {"currency": "aud", "unit_amount": 90000, "product_data": {"name": "Ten sessions"}},
                }
            ],
        }
        items = stripe_objects.line_items(params)
        session = stripe_objects.checkout_session(params, items, "https://checkout.example", org.account)
        stripe_objects.complete_session(session, stripe_objects.new_id("pi_3"))
        return stripe_objects.event("checkout.session.completed", session, org.account, None)


@pytest.fixture
def events() -> Events:
    """Makes Stripe's events."""
    return Events()


# -- processes --------------------------------------------------------------------------------------------------------


@dataclass
class Coach:
    """`coach-os` as a process, with everything it prints."""

    process: asyncio.subprocess.Process
    output: bytearray = field(default_factory=bytearray)
    _readers: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it has printed so far, on either stream."""
        return self.output.decode()

    def read(self) -> None:
        """Begin to collect."""

        async def collect(stream: asyncio.StreamReader) -> None:
            while chunk := await stream.read(4096):
                self.output.extend(chunk)

        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            self._readers.append(asyncio.create_task(collect(stream)))

    async def ended(self) -> int:
        """Its exit status, once it has ended and all is read."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._readers)
            return await self.process.wait()


class Processes:
    """Starts `coach-os`."""

    @asynccontextmanager
    async def start(self, *args: str, env: Mapping[str, str]) -> AsyncIterator[Coach]:
        """Run it with nothing of this machine's environment but `env`; it is killed on leaving."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar.cli", *args),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        coach = Coach(process)
        coach.read()
        try:
            yield coach
        finally:
            if process.returncode is None:
                process.kill()
            await coach.ended()

    async def run(self, *args: str, env: Mapping[str, str]) -> tuple[int, str]:
        """Run it to its end: exit status and everything it printed."""
        async with self.start(*args, env=env) as coach:
            return await coach.ended(), coach.text


@pytest.fixture
def processes() -> Processes:
    """Starts `coach-os` as a process of its own."""
    return Processes()


@pytest.fixture
def process_env(world: World, stripe_standin: Standin, twilio_standin: Standin, auth: Auth) -> dict[str, str]:
    """Environment of `coach-os serve`; the worker's differs in DATABASE_URL."""
    return environment(world, stripe_standin.url, twilio_standin.url, auth.url)
