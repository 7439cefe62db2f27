"""A worker's texting as a process of its own, which kills itself (SIGKILL) at a chosen step, the nth time it comes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import TYPE_CHECKING, Any

from psycopg import sql

from sidecar import logging
from sidecar.database import Database, create_pool
from sidecar.settings import Secret, TwilioSettings
from sidecar.sms import sender as sending
from sidecar.sms.reconcile import reconcile
from sidecar.sms.sender import TwilioSender, send_due
from sidecar.sms.twilio_client import _HttpClient

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from psycopg.rows import DictRow

STEPS = (
    "claimed",  # and nothing else
    "calling",  # before this call; others are under way
    "under way",  # written, and the answer is not there yet
    "answered",  # Twilio has it, and nothing is noted
    "settling",  # noted, and not committed
    "settled",
    "looking",  # texts in doubt are handed out
    "looked",  # the list is there, and nothing is noted
)


@dataclass(frozen=True)
class Life:
    """One sender: what it works with, and where it dies (None: it does not)."""

    database_url: str
    twilio_url: str
    account_sid: str
    auth_token: str
    step: str | None = None
    nth: int = 1
    batch: int = 50


class _End:
    def __init__(self, step: str | None, nth: int) -> None:
        self._step = step
        self._left = nth

    def at(self, step: str) -> bool:
        """Whether this is the moment."""
        if step == self._step:
            self._left -= 1
        return step == self._step and self._left == 0

    def die_at(self, step: str) -> None:
        if self.at(step):
            os.kill(os.getpid(), signal.SIGKILL)


class _MortalDatabase(Database):
    def __init__(self, pool: Any, end: _End) -> None:  # noqa: ANN401 - the pool's own long type
        super().__init__(pool)
        self._end = end

    async def rows(self, function: str, **arguments: Any) -> list[DictRow]:  # noqa: ANN401 - any SQL type
        if function == "settle_sms_batch" and self._end.at("settling"):
            query = sql.SQL("select * from app.settle_sms_batch(%(p_settled)s, %(p_now)s)")
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(query, arguments)
                os.kill(os.getpid(), signal.SIGKILL)
        found = await super().rows(function, **arguments)
        after = {
            "take_sms": "claimed", "settle_sms_batch": "settled", "sms_in_doubt": "looking", "known_sms_ids": "looked"
        }  # fmt: skip
        if found and function in after:
            self._end.die_at(after[function])
        return found


async def _live(life: Life) -> None:
    end = _End(life.step, life.nth)
    sending.BATCH = life.batch
    request = _HttpClient.request

    async def mortal_request(self: _HttpClient, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's own
        end.die_at("calling")
        if end.at("under way"):
            call = asyncio.ensure_future(request(self, *args, **kwargs))
            # So long that it is written; whether it is answered by then is up to the machine.
            await asyncio.wait({call}, timeout=0.005)
            os.kill(os.getpid(), signal.SIGKILL)
        response = await request(self, *args, **kwargs)
        end.die_at("answered")
        return response

    _HttpClient.request = mortal_request  # type: ignore[method-assign]
    settings = TwilioSettings(life.account_sid, Secret(life.auth_token), life.twilio_url)
    async with (
        create_pool(Secret(life.database_url), "coach-os tests", max_size=2) as pool,
        TwilioSender(settings, "https://coach.example/webhooks/twilio/status") as sender,
    ):
        database = _MortalDatabase(pool, end)
        await reconcile(database, sender)
        await send_due(database, sender)


def live(life: Life) -> None:
    """The process: one tick of a worker."""
    logging.configure("WARNING")
    asyncio.run(_live(life))


def start(life: Life) -> ForkServerProcess:
    """Begin a life in a process of its own, forked from one that has all modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying_sender"])
    # The server's own sys.path is not that of the tests before Python 3.12.5: it would load nothing, and say nothing.
    outside = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        if outside is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = outside
    process = context.Process(target=live, args=(life,))
    process.start()
    return process
