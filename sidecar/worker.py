"""The worker process: runs the scheduled jobs until it is asked to stop, whatever the database does meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

import procrastinate
import psycopg
import structlog
from psycopg_pool import PoolTimeout

from sidecar import jobs
from sidecar.clients.push import Expo
from sidecar.database import Database, create_pool
from sidecar.logging import describe_exception
from sidecar.money.fees import StripeReader
from sidecar.sms.credentials import Vault
from sidecar.sms.sender import TIMEOUT_S, TwilioSender

if TYPE_CHECKING:
    from sidecar.settings import WorkerSettings

log = structlog.get_logger()

GRACE_S = TIMEOUT_S + 5
"""A text under way when the stop comes is settled before the process ends."""

LONGEST_PAUSE_S = 30
STEADY_S = 60


async def run(settings: WorkerSettings) -> None:
    """Install the job tables, then work until SIGTERM or SIGINT.

    An unreachable database at the start is an error (psycopg.OperationalError); later it is waited for, because jobs
    are due again when it is back.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await jobs.install(settings.database_url)
    pause_s = 1
    while not stop.is_set():
        began = time.monotonic()
        try:
            await _work(settings, stop)
        except (procrastinate.exceptions.ConnectorException, psycopg.OperationalError, PoolTimeout) as error:
            log.warning("worker_interrupted", **describe_exception(error))
        if not stop.is_set():
            pause_s = 1 if time.monotonic() - began > STEADY_S else min(pause_s * 2, LONGEST_PAUSE_S)
            await _wait(stop, pause_s)
    log.info("worker_stopped")


async def _work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Run jobs until stop is set, or until Procrastinate gives up, which it does when its connection breaks."""
    callback = f"{settings.public_url}/webhooks/twilio/status"
    async with (
        create_pool(settings.database_url, "coach-os worker") as pool,
        TwilioSender(settings.twilio, callback, Vault(settings.credentials_keys)) as sender,
        StripeReader(settings.stripe_secret_key, settings.stripe_api_base) as reader,
        Expo(settings.expo) as expo,
    ):
        app = jobs.create_jobs(settings.database_url, Database(pool), sender, reader, expo)
        async with app.open_async():
            working = asyncio.create_task(
                app.run_worker_async(
                    concurrency=4,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=GRACE_S,
                    fetch_job_polling_interval=5,
                    install_signal_handlers=False,
                )
            )
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            sender.stop()
            if not working.done():
                working.cancel()  # Procrastinate's way to be asked to finish
            try:
                await working
            except asyncio.CancelledError:
                if not stop.is_set():
                    raise


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
