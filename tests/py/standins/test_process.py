import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "token-of-the-tests",
    "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
    "STRIPE_WEBHOOK_SECRET": "whsec_of_the_tests",
    "PUBLIC_URL": "http://127.0.0.1:1",
}


@asynccontextmanager
async def started(module: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"devstack.standins.{module}", "--port", str(port)),
        cwd=ROOT,
        env={**os.environ, **SETTINGS},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()


@pytest.mark.parametrize(
    ("module", "name", "number"),
    [("twilio", "Twilio", signal.SIGTERM), ("stripe", "Stripe", signal.SIGINT)],
)
async def test_a_process_says_where_it_listens_and_stops_when_told(
    module: str, name: str, number: signal.Signals, unused_tcp_port: int, http: aiohttp.ClientSession
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with started(module, unused_tcp_port) as process:
        assert await first_line(process) == f"{name} stand-in listening on {url}"
        async with http.get(f"{url}/_control/health") as response:
            assert response.status == 200

        process.send_signal(number)

        output, errors = await asyncio.wait_for(process.communicate(), 5)
        assert (process.returncode, output, errors) == (0, b"", b"")


async def test_a_held_call_does_not_keep_the_process_alive(unused_tcp_port: int, http: aiohttp.ClientSession) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    account, token = SETTINGS["TWILIO_ACCOUNT_SID"], SETTINGS["TWILIO_AUTH_TOKEN"]
    headers = {"Authorization": aiohttp.encode_basic_auth(account, token)}
    form = {"To": "+61400000001", "From": "+61400000000", "Body": "Hello"}
    async with started("twilio", unused_tcp_port) as process:
        await first_line(process)
        await http.post(f"{url}/_control/faults", json={"mode": "timeout"})
        held = asyncio.create_task(
            http.post(f"{url}/2010-04-01/Accounts/{account}/Messages.json", data=form, headers=headers)
        )
        waiting = 1
        async with asyncio.timeout(5):
            while waiting:
                async with http.get(f"{url}/_control/faults") as response:
                    waiting = (await response.json())["waiting"]

        process.terminate()

        with pytest.raises(aiohttp.ClientConnectionError):
            await held
        assert (await asyncio.wait_for(process.communicate(), 5))[1] == b""
        assert process.returncode == 0


async def test_a_busy_port_is_one_clear_sentence(unused_tcp_port: int) -> None:
    async with started("twilio", unused_tcp_port) as first:
        await first_line(first)
        async with started("twilio", unused_tcp_port) as second:
            _, errors = await asyncio.wait_for(second.communicate(), 20)

    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{unused_tcp_port}" in errors.decode()
    assert "Traceback" not in errors.decode()
