"""What both stand-ins share: starting and stopping, the control routes, and calling webhooks."""

import asyncio
import base64
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from devstack.standins.faults import FaultError, Faults, parse_fault

HOST = "127.0.0.1"  # never reachable from another machine
MAX_ANSWER_BYTES = 64 * 1024  # what a webhook may answer; Twilio stops reading TwiML at this size

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What a webhook said: an HTTP status with its body, or (in `error`) why there is none."""

    status: int | None = None
    body: str = ""
    content_type: str = ""
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the provider would count the delivery as successful."""
        return self.status is not None and 200 <= self.status < 300

    def summary(self) -> Json:
        """The outcome without the content."""
        return {"status": self.status, "error": self.error}


class Caller:
    """Calls the project's webhooks, in the foreground or in the background, without ever raising."""

    def __init__(self, public_url: str, timeout_s: float) -> None:
        """`public_url` is where the webhooks live, without a trailing slash or path."""
        self.public_url = public_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes | Mapping[str, str], headers: Mapping[str, str]) -> WebhookAnswer:
        """POST `body` (a mapping is sent as a form); an unreachable webhook is an answer with an error."""
        if self._session is None:
            # No keep-alive: a stopped and restarted sidecar must never meet a half-dead connection.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        data = body if isinstance(body, bytes) else aiohttp.FormData(dict(body))
        try:
            # Neither provider follows a redirect of a signed delivery: the signature names one URL.
            async with self._session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                content = await response.content.read(MAX_ANSWER_BYTES)
                return WebhookAnswer(response.status, content.decode("utf-8", "replace"), response.content_type)
        except TimeoutError:
            return WebhookAnswer(error="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The class name says enough; a message could repeat what was sent.
            return WebhookAnswer(error=type(error).__name__)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` without waiting for it; whatever still runs at shutdown is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what runs in the background and close the connections."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None


def json_response(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Write JSON as UTF-8 text."""
    return web.json_response(data, status=status, headers=headers, dumps=json.dumps)


def basic_credentials(request: web.Request) -> tuple[str, str]:
    """Read user and password of HTTP basic authentication; both empty when there is none."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


async def read_json(request: web.Request) -> Json:
    """Read the JSON object of a control call; anything else is a 400 that says so."""
    try:
        data = await request.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise bad_request("the body must be a JSON object")
    return data


def bad_request(message: str) -> web.HTTPBadRequest:
    """Build the 400 of a control route."""
    return web.HTTPBadRequest(text=json.dumps({"error": message}), content_type="application/json")


def add_control_routes(app: web.Application, faults: Faults, caller: Caller, reset: Callable[[], None]) -> None:
    """Add the routes both stand-ins have: `/_control/health`, `/faults`, `/reset`, `/target`."""

    async def health(_request: web.Request) -> web.Response:
        return json_response({"status": "ok"})

    async def add_fault(request: web.Request) -> web.Response:
        try:
            fault, times, after = parse_fault(await read_json(request))
        except FaultError as error:
            raise bad_request(str(error)) from error
        faults.add(fault, times, after)
        return json_response({"waiting": faults.waiting()})

    async def show_faults(_request: web.Request) -> web.Response:
        return json_response({"waiting": faults.waiting()})

    async def clear(_request: web.Request) -> web.Response:
        faults.clear()
        reset()
        return json_response({"status": "ok"})

    async def target(request: web.Request) -> web.Response:
        # Tests start the stand-in first and learn the sidecar's port later.
        public_url = (await read_json(request)).get("public_url")
        if not isinstance(public_url, str) or not public_url.startswith(("http://", "https://")):
            raise bad_request("public_url must start with http:// or https://")
        caller.public_url = public_url.rstrip("/")
        return json_response({"public_url": caller.public_url})

    async def shutdown(_app: web.Application) -> None:
        faults.clear()
        await caller.close()

    app.router.add_get("/_control/health", health)
    app.router.add_get("/_control/faults", show_faults)
    app.router.add_post("/_control/faults", add_fault)
    app.router.add_post("/_control/reset", clear)
    app.router.add_post("/_control/target", target)
    app.on_shutdown.append(shutdown)


@asynccontextmanager
async def running(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on 127.0.0.1 inside the running loop; gives its base URL. Port 0 takes a free one."""
    # handler_cancellation: a held call must end when its client gives up.
    # shutdown_timeout: a held or late call must not keep a stopped process alive.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def serve(name: str, app: web.Application, port: int) -> None:
    """Run one stand-in as a process until SIGTERM or SIGINT, then leave with exit code 0."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with running(app, port) as base_url:
            print(f"{name} stand-in listening on {base_url}", flush=True)
            await stop.wait()

    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(f"{name} stand-in: cannot listen on {HOST}:{port} ({error.strerror}); choose another --port")
