"""A local stand-in for Expo's push service.

Speaks sending and receipts, as documented: https://docs.expo.dev/push-notifications/sending-notifications/
"""

import hmac
import re
import uuid
from dataclasses import dataclass, field

from aiohttp import web

from devstack.standins.faults import Fault, Faults
from devstack.standins.server import Caller, Json, add_control_routes, json_response, read_json

_TOKEN = re.compile(r"Expo(nent)?PushToken ?\[?[^\]]+\]?")
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ExpoConfig:
    """Settings of the stand-in: the access token that it wants."""

    access_token: str = field(repr=False)


@dataclass(slots=True)
class _Expo:
    config: ExpoConfig
    faults: Faults = field(default_factory=Faults)
    messages: list[Json] = field(default_factory=list)
    tickets: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    gone_later: dict[str, str] = field(default_factory=dict)
    receipts: bool = True

    def clear(self) -> None:
        """Forget everything."""
        for kept in (self.messages, self.tickets, self.gone, self.gone_later):
            kept.clear()

    async def send(self, request: web.Request) -> web.Response:
        """Take messages; a ticket for each, in their order."""
        self._authenticate(request)
        messages = await request.json()
        messages = messages if isinstance(messages, list) else [messages]
        if len(messages) > MOST_AT_ONCE:
            return _errors(400, "PUSH_TOO_MANY_NOTIFICATIONS")

        def create() -> web.Response:
            return json_response({"data": [self._ticket(message) for message in messages]})

        return await self.faults.answer(request, create, _injected)

    def _ticket(self, message: Json) -> Json:
        token = str(message.get("to"))
        error = self.gone.get(token) or (None if _TOKEN.fullmatch(token) else "DeviceNotRegistered")
        if error is not None:
            return {"status": "error", "message": f"{token} is not for us", "details": {"error": error}}
        ticket_id = str(uuid.uuid4())
        self.messages.append(message)
        self.tickets[ticket_id] = token
        return {"status": "ok", "id": ticket_id}

    async def get_receipts(self, request: web.Request) -> web.Response:
        """What became of messages, as far as it is known."""
        self._authenticate(request)
        found = {}
        for ticket_id in (await request.json())["ids"]:
            token = self.tickets.get(ticket_id)
            if token is None or not self.receipts:
                continue
            error = self.gone_later.get(token)
            found[ticket_id] = (
                {"status": "error", "message": "not delivered", "details": {"error": error}}
                if error
                else {"status": "ok"}
            )
        return json_response({"data": found})

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.config.access_token.encode()):
            raise web.HTTPUnauthorized(text='{"errors":[{"code":"UNAUTHORIZED"}]}', content_type="application/json")

    async def everything(self, _request: web.Request) -> web.Response:
        """List what was taken, newest last."""
        return json_response(self.messages)

    async def devices(self, request: web.Request) -> web.Response:
        """Say which tokens are refused with which error: JSON {gone?, gone_later?: {token: error}, receipts?}."""
        data = await read_json(request)
        self.gone |= data.get("gone", {})
        self.gone_later |= data.get("gone_later", {})
        self.receipts = data.get("receipts", self.receipts)
        return json_response({"gone": self.gone, "gone_later": self.gone_later})


def _errors(status: int, code: str) -> web.Response:
    return json_response({"errors": [{"code": code, "message": code}]}, status)


def _injected(fault: Fault) -> web.Response:
    return _errors(fault.status, fault.code or "TOO_MANY_REQUESTS")


def create_expo_app(config: ExpoConfig) -> web.Application:
    """Build one stand-in with its own, empty memory."""
    standin = _Expo(config)
    app = web.Application()
    # It calls nobody; the control routes are those of all stand-ins.
    add_control_routes(app, standin.faults, Caller("http://127.0.0.1:1", 1), standin.clear)
    app.router.add_post("/--/api/v2/push/send", standin.send)
    app.router.add_post("/--/api/v2/push/getReceipts", standin.get_receipts)
    app.router.add_get("/_control/messages", standin.everything)
    app.router.add_post("/_control/devices", standin.devices)
    return app
