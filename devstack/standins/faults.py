"""Faults a stand-in can be told to show, so that a client's handling of each can be seen and tested."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from aiohttp import web

Mode = Literal["none", "error", "recorded_error", "timeout", "late", "drop"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call.

    * `none`: nothing; to let a call through before the next fault.
    * `error`: refused with `status` and the provider's `code`; nothing is recorded.
    * `recorded_error`: answered the same, but recorded.
    * `timeout`: no answer, ever; nothing is recorded.
    * `late`: recorded, answered after `delay_s`.
    * `drop`: recorded, then the connection is reset without an answer.

    It hits calls that create something; with `reading`, those that only look.
    """

    mode: Mode
    status: int = 500
    code: str | None = None
    delay_s: float = 5.0
    retry_after_s: int | None = None
    reading: bool = False


class FaultError(ValueError):
    """The description of a fault is not understood; the message says what is wrong with it."""


def parse_fault(data: dict[str, Any]) -> tuple[Fault, int, int]:
    """Read the JSON of `POST /_control/faults`; gives the fault, how many calls it hits, and how many go by before."""
    mode = data.get("mode")
    if mode not in get_args(Mode):
        raise FaultError(f"mode must be one of {', '.join(get_args(Mode))}")
    try:
        times, after, status = int(data.get("times", 1)), int(data.get("after", 0)), int(data.get("status", 500))
        delay_s = float(data.get("delay_s", 5.0))
        retry_after_s = None if data.get("retry_after_s") is None else int(data["retry_after_s"])
    except (TypeError, ValueError) as error:
        raise FaultError("times, after, status, delay_s and retry_after_s are numbers") from error
    if times < 1 or after < 0 or not 400 <= status <= 599 or not math.isfinite(delay_s) or delay_s < 0:
        raise FaultError("times is at least 1, status is 400 to 599, after and delay_s are not negative")
    code = None if data.get("code") is None else str(data["code"])
    calls = data.get("calls", "creating")
    if calls not in {"creating", "reading"}:
        raise FaultError("calls is creating or reading")
    return Fault(cast("Mode", mode), status, code, delay_s, retry_after_s, calls == "reading"), times, after


@dataclass(slots=True)
class Faults:
    """The faults still to be shown, in order; each call that creates something (or reads) uses one up."""

    _waiting: deque[Fault | None] = field(default_factory=deque)
    _waiting_for_reads: deque[Fault | None] = field(default_factory=deque)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, fault: Fault, times: int, after: int = 0) -> None:
        """Show `fault` for `times` more calls, after those already waiting and `after` calls that go well."""
        waiting = self._waiting_for_reads if fault.reading else self._waiting
        waiting.extend([None] * after + [fault] * times)

    def waiting(self) -> int:
        """How many calls are still to be hit."""
        return sum(fault is not None for fault in (*self._waiting, *self._waiting_for_reads))

    def clear(self) -> None:
        """Forget all faults and let go of the calls that are being held."""
        self._waiting.clear()
        self._waiting_for_reads.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def answer(
        self,
        request: web.Request,
        create: Callable[[], web.Response],
        refuse: Callable[[Fault], web.Response],
    ) -> web.Response:
        """Answer a valid creating call: `create()` records and answers, `refuse()` writes the error.

        To be called after the checks of credentials and parameters, so that a call which would have
        been refused anyway uses up no fault.
        """
        return await self._show(self._waiting, request, create, refuse)

    async def answer_reading(
        self, request: web.Request, found: web.Response, refuse: Callable[[Fault], web.Response]
    ) -> web.Response:
        """Answer a call that only looks, with what it `found`."""
        return await self._show(self._waiting_for_reads, request, lambda: found, refuse)

    async def _show(
        self,
        waiting: deque[Fault | None],
        request: web.Request,
        create: Callable[[], web.Response],
        refuse: Callable[[Fault], web.Response],
    ) -> web.Response:
        fault = waiting.popleft() if waiting else None
        if fault is None or fault.mode == "none":
            return create()
        if fault.mode == "recorded_error":
            create()
        if fault.mode in {"error", "recorded_error"}:
            return refuse(fault)
        if fault.mode == "timeout":
            # Ends when the client goes away (the server cancels the handler), on clear, or at shutdown.
            await self._released.wait()
            return _reset_connection(request)
        response = create()
        if fault.mode == "late":
            await asyncio.sleep(fault.delay_s)
            return response
        return _reset_connection(request)


def _reset_connection(request: web.Request) -> web.Response:
    """Close the socket at once; the response is only there because a handler must return one."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
