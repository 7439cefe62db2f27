"""A tiny webhook receiver the tests point the stand-ins at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from devstack.standins.server import running


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it arrived."""

    url: str
    headers: dict[str, str]
    body: bytes
    form: dict[str, str]


@dataclass(slots=True)
class Receiver:
    """Keeps every request, and answers each with `status` and `answer`."""

    url: str = ""
    status: int = 200
    answer: str = ""
    deliveries: asyncio.Queue[Delivery] = field(default_factory=asyncio.Queue)

    async def next(self) -> Delivery:
        """Wait for the next delivery."""
        return await asyncio.wait_for(self.deliveries.get(), 5)

    async def handle(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        body = await request.read()
        is_form = request.content_type == "application/x-www-form-urlencoded"
        form = {name: str(value) for name, value in (await request.post()).items()} if is_form else {}
        url = f"{self.url}{request.path_qs}"
        self.deliveries.put_nowait(Delivery(url, dict(request.headers), body, form))
        return web.Response(status=self.status, text=self.answer, content_type="text/xml")


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Start a receiver for any path."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    async with running(app) as url:
        receiver.url = url
        yield receiver
