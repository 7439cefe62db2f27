"""A local stand-in for Twilio's messaging API, reached by twilio-python through `client.api.base_url`.

Speaks creating, listing and fetching messages, status callbacks, inbound webhooks and the STOP list.
Rules and shapes: https://www.twilio.com/docs/messaging/api/message-resource,
https://www.twilio.com/docs/messaging/guides/webhook-request,
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status,
https://www.twilio.com/docs/iam/test-credentials and https://www.twilio.com/docs/api/errors.
"""

import asyncio
import hmac
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import click
from aiohttp import web
from twilio.request_validator import RequestValidator

from devstack.standins.faults import Fault, Faults
from devstack.standins.pages import Bubble, Conversation, outbox_page
from devstack.standins.server import (
    Caller,
    Json,
    WebhookAnswer,
    add_control_routes,
    bad_request,
    basic_credentials,
    json_response,
    read_json,
    serve,
)
from devstack.standins.twilio_messages import (
    API_VERSION,
    DateFilter,
    Message,
    Messages,
    count_segments,
    parse_date,
)

MAX_BODY = 1600
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_SERVICE_SID = re.compile(r"MG[0-9a-f]{32}")
_MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-f]{32}")

# https://www.twilio.com/docs/iam/test-credentials#test-sms-messages
_MAGIC_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
_MAGIC_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
_MESSAGES = {
    21211: "Invalid 'To' Phone Number: {}",
    21212: "Invalid 'From' Number: {}",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {}",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number {} is not a valid, SMS-capable inbound phone number for your account.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number {} has exceeded the maximum number of queued messages",
    21612: "The 'To' phone number: {}, is not currently reachable using the 'From' phone number.",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit",
}
# Twilio's default keywords: https://help.twilio.com/articles/223134027
_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "YES", "UNSTOP"})


@dataclass(frozen=True, slots=True)
class TwilioConfig:
    """Settings of the stand-in.

    `public_url` is what the project calls PUBLIC_URL: inbound texts go to
    `{public_url}/webhooks/twilio/inbound`. With `progress` off messages stay as they were accepted and
    no status callback is made. `service_number` is the sender a Messaging Service picks. Each new message takes
    `latency_s`.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    public_url: str
    progress: bool = True
    service_number: str = "+15005550006"
    webhook_timeout_s: float = 15.0
    latency_s: float = 0.0


class TwilioError(Exception):
    """A refusal in Twilio's own shape: https://www.twilio.com/docs/usage/twilios-response#exceptions."""

    def __init__(self, status: int, code: int, message: str, retry_after_s: int | None = None) -> None:
        """`code` is one of https://www.twilio.com/docs/api/errors."""
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s

    def response(self) -> web.Response:
        """Write the error as Twilio does."""
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return json_response(body, self.status, headers)


def _refusal(code: int, about: str = "") -> TwilioError:
    return TwilioError(400, code, _MESSAGES[code].format(about))


def _injected(fault: Fault) -> TwilioError:
    # Twilio's own codes for HTTP errors are 20000 + status (20429, 20500, 20503).
    code = int(fault.code) if fault.code and fault.code.isdigit() else 20000 + fault.status
    message = "Too Many Requests" if fault.status == 429 else HTTPStatus(fault.status).phrase
    return TwilioError(fault.status, code, message, fault.retry_after_s)


def create_twilio_app(config: TwilioConfig) -> web.Application:
    """Build one stand-in with its own, empty memory."""
    standin = _Twilio(config)
    app = web.Application(middlewares=[_refusals])
    add_control_routes(app, standin.faults, standin.caller, standin.messages.clear)
    account = f"/{API_VERSION}/Accounts/{{account_sid}}"
    app.router.add_post(f"{account}/Messages.json", standin.create)
    app.router.add_get(f"{account}/Messages.json", standin.list)
    app.router.add_get(f"{account}/Messages/{{sid}}.json", standin.fetch)
    app.router.add_get(f"/{API_VERSION}/Accounts/{{account_sid}}.json", standin.account)
    app.router.add_get(f"{account}/IncomingPhoneNumbers.json", standin.numbers)
    app.router.add_post(f"{account}/IncomingPhoneNumbers/{{sid}}.json", standin.change_number)
    app.router.add_get("/", standin.outbox)
    app.router.add_get("/_control/messages", standin.everything)
    app.router.add_post("/_control/reply", standin.reply)
    app.router.add_post("/_control/accounts", standin.add_account)
    app.router.add_post("/_control/statuses", standin.set_statuses)
    return app


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except TwilioError as error:
        return error.response()


@dataclass(frozen=True, slots=True)
class Account:
    """One account and its numbers, by their ids. The first account, of the settings, texts from any number."""

    sid: str
    auth_token: str = field(repr=False)
    status: str = "active"
    numbers: dict[str, Json] = field(default_factory=dict)

    @property
    def phones(self) -> set[str]:
        """The numbers themselves."""
        return {number["phone_number"] for number in self.numbers.values()}


class _Twilio:
    """The memory and the handlers of one stand-in."""

    def __init__(self, config: TwilioConfig) -> None:
        self.config = config
        self.messages = Messages()
        self.faults = Faults()
        self.caller = Caller(config.public_url, config.webhook_timeout_s)
        self._accounts = {config.account_sid: Account(config.account_sid, config.auth_token)}

    # The API

    async def create(self, request: web.Request) -> web.Response:
        """Create a message, or show a fault instead."""
        draft = self._draft(self._authenticate(request), await _form(request))

        def create() -> web.Response:
            message = self.messages.add(draft)
            answer = json_response(message.resource(), 201)
            if self.config.progress:
                self.caller.in_background(self._progress(message))
            return answer

        if self.config.latency_s:
            await asyncio.sleep(self.config.latency_s)
        return await self.faults.answer(request, create, lambda fault: _injected(fault).response())

    async def list(self, request: web.Request) -> web.Response:
        """List messages, newest first: https://www.twilio.com/docs/usage/twilios-response#pagination."""
        account = self._authenticate(request)
        query = request.query
        dates = _date_filter(query)
        found = [
            message
            for message in reversed(tuple(self.messages))
            if message.account_sid == account.sid
            and query.get("To", message.to) == message.to
            and query.get("From", message.sender) == message.sender
            and dates.allows(message)
        ]
        return json_response(_page(request, found))

    async def fetch(self, request: web.Request) -> web.Response:
        """Fetch one message."""
        account = self._authenticate(request)
        message = self.messages.get(request.match_info["sid"])
        if message is None or message.account_sid != account.sid:
            raise TwilioError(404, 20404, f"The requested resource {request.path} was not found")
        return json_response(message.resource())

    async def account(self, request: web.Request) -> web.Response:
        """Fetch the account itself: https://www.twilio.com/docs/iam/api/account."""
        account = self._authenticate(request)
        return json_response(
            {"sid": account.sid, "status": account.status, "type": "Full", "friendly_name": "Stand-in"}
        )

    async def numbers(self, request: web.Request) -> web.Response:
        """List the account's numbers: https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource."""
        account = self._authenticate(request)
        wanted = request.query.get("PhoneNumber")
        found = [number for number in account.numbers.values() if wanted in {None, number["phone_number"]}]
        return json_response({"incoming_phone_numbers": found, "next_page_uri": None, "page": 0, "page_size": 50})

    async def change_number(self, request: web.Request) -> web.Response:
        """Change where the texts to a number go."""
        number = self._authenticate(request).numbers.get(request.match_info["sid"])
        if number is None:
            raise TwilioError(404, 20404, f"The requested resource {request.path} was not found")
        form = await _form(request)
        number |= {"sms_url": form.get("SmsUrl", ""), "sms_method": form.get("SmsMethod", "POST")}
        return json_response(number)

    async def add_account(self, request: web.Request) -> web.Response:
        """Open another account: JSON {account_sid, auth_token, numbers, status?}."""
        data = await read_json(request)
        account = Account(str(data["account_sid"]), str(data["auth_token"]), str(data.get("status", "active")))
        for phone in data.get("numbers", []):
            sid = "PN" + secrets.token_hex(16)
            capabilities = {"sms": True, "mms": False, "voice": True}
            account.numbers[sid] = {"sid": sid, "phone_number": phone, "sms_url": "", "capabilities": capabilities}
        self._accounts[account.sid] = account
        return json_response({"account_sid": account.sid})

    async def set_statuses(self, request: web.Request) -> web.Response:
        """Let every message we sent have come to {status, error_code?}, without telling anybody."""
        data = await read_json(request)
        for message in self.messages:
            if message.direction == "outbound-api":
                message.move_to(str(data["status"]))
                message.error_code = data.get("error_code")
        return json_response({"status": data["status"]})

    def _authenticate(self, request: web.Request) -> Account:
        user, password = basic_credentials(request)
        account = self._accounts.get(request.match_info["account_sid"])
        known = (
            account is not None
            and hmac.compare_digest(user.encode(), account.sid.encode())
            and hmac.compare_digest(password.encode(), account.auth_token.encode())
        )
        if account is None or not known:
            raise TwilioError(401, 20003, "Authenticate")
        return account

    def _draft(self, account: Account, form: Mapping[str, str]) -> Message:
        to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        service = form.get("MessagingServiceSid", "")
        refusal = _first_refusal(to, sender, service, body)
        if refusal is None and account.sid != self.config.account_sid and sender not in account.phones:
            refusal = _refusal(21606, sender)
        if refusal is None and (to, sender or self.config.service_number) in self.messages.opted_out:
            refusal = _refusal(21610)
        if refusal is not None:
            raise refusal
        return Message(
            to=to,
            sender=sender or None,
            body=body,
            direction="outbound-api",
            status="queued" if sender else "accepted",
            account_sid=account.sid,
            service_sid=service or None,
            status_callback=form.get("StatusCallback") or None,
        )

    async def _progress(self, message: Message) -> None:
        if message.sender is None:
            message.sender = self.config.service_number
        for status in ("sent", "delivered"):
            message.move_to(status)
            if message.status_callback:
                parameters = self._status_parameters(message)
                answer = await self._signed_post(message.status_callback, parameters, message.account_sid)
                message.calls.append({"call": f"status {status}", **answer.summary()})

    def _status_parameters(self, message: Message) -> dict[str, str]:
        parameters = {
            "AccountSid": message.account_sid,
            "ApiVersion": API_VERSION,
            "From": message.sender or "",
            "MessageSid": message.sid,
            "MessageStatus": message.status,
            "SmsSid": message.sid,
            "SmsStatus": message.status,
            "To": message.to,
        }
        if message.service_sid:
            parameters["MessagingServiceSid"] = message.service_sid
        if message.status == "delivered":
            parameters["RawDlrDoneDate"] = message.updated.strftime("%y%m%d%H%M")
        return parameters

    async def _signed_post(self, url: str, parameters: Mapping[str, str], account_sid: str) -> WebhookAnswer:
        # https://www.twilio.com/docs/usage/webhooks/webhooks-security
        headers = {
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
            "User-Agent": "TwilioProxy/1.1",
            "X-Twilio-Signature": RequestValidator(self._accounts[account_sid].auth_token).compute_signature(
                url, parameters
            ),
        }
        return await self.caller.post(url, parameters, headers)

    # The phone's side

    async def reply(self, request: web.Request) -> web.Response:
        """Text as a phone: from the outbox's form, or as JSON {from, to, body, opt_out_type?, message_sid?}.

        JSON is answered with {status, message_sid, answer, error}: the webhook's HTTP status (null when
        it could not be reached) and the text of its TwiML answer (null when it gave none).
        """
        as_json = request.content_type == "application/json"
        data = await read_json(request) if as_json else dict(await _form(request))
        message = self._inbound(data)
        url = f"{self.caller.public_url}/webhooks/twilio/inbound"
        answer = await self._signed_post(
            url, _inbound_parameters(message, data.get("opt_out_type")), message.account_sid
        )
        texts, problem = _twiml_texts(answer)
        message.calls.append({"call": "inbound", **answer.summary(), "error": answer.error or problem})
        for text in texts:
            self._answer(message, text)
        if not as_json:
            raise web.HTTPSeeOther("/")
        return json_response(
            {
                "status": answer.status,
                "message_sid": message.sid,
                "answer": "\n".join(texts) if texts else None,
                "error": answer.error or problem,
            }
        )

    def _inbound(self, data: Json) -> Message:
        sid = data.get("message_sid") or "SM" + secrets.token_hex(16)
        known = self.messages.get(str(sid))
        if known is not None and known.direction == "inbound":
            return known  # a second delivery of the very same text
        parts = [data.get(name) for name in ("from", "to", "body")]
        if known is not None or not all(isinstance(part, str) for part in parts):
            raise bad_request("from, to and body are needed; message_sid must be new or an inbound one")
        phone, ours, body = (str(part) for part in parts)
        if not _E164.fullmatch(phone) or not ours or not _MESSAGE_SID.fullmatch(str(sid)):
            raise bad_request("from must be a phone number in E.164 form, message_sid SM and 32 hex digits")
        self._note_opt_out(phone, ours, body, data.get("opt_out_type"))
        now = datetime.now(UTC)
        message = Message(ours, phone, body, "inbound", "received", self._account_of(ours), sent=now)
        message.sid = str(sid)
        return self.messages.add(message)

    def _account_of(self, number: str) -> str:
        owners = (a.sid for a in self._accounts.values() if number in a.phones)
        return next(owners, self.config.account_sid)

    def _note_opt_out(self, phone: str, ours: str, body: str, opt_out_type: object) -> None:
        # Twilio itself blocks a phone after STOP (error 21610 on the next text) until START.
        word = body.strip().upper()
        if opt_out_type == "STOP" or (opt_out_type is None and word in _STOP):
            self.messages.opted_out.add((phone, ours))
        elif opt_out_type == "START" or (opt_out_type is None and word in _START):
            self.messages.opted_out.discard((phone, ours))

    def _answer(self, message: Message, text: str) -> None:
        reply = Message(
            to=message.phone,
            sender=message.to,
            body=text,
            direction="outbound-reply",
            status="queued",
            account_sid=message.account_sid,
        )
        if self.config.progress:
            reply.move_to("sent")
            reply.move_to("delivered")
        self.messages.add(reply)

    # What can be seen

    async def outbox(self, _request: web.Request) -> web.Response:
        """Show the conversations as a page."""
        conversations = [
            Conversation(phone, ours, [_bubble(message) for message in messages])
            for (phone, ours), messages in self.messages.conversations().items()
        ]
        return web.Response(text=outbox_page(conversations), content_type="text/html")

    async def everything(self, request: web.Request) -> web.Response:
        """List every message of both directions as JSON, newest last; `?to=` narrows it down."""
        to = request.query.get("to")
        found = [
            {**message.resource(), "calls": message.calls}
            for message in self.messages
            if to is None or message.to == to
        ]
        return json_response(found)


def _first_refusal(to: str, sender: str, service: str, body: str) -> TwilioError | None:
    """The first documented reason why a message is not accepted, if there is one."""
    checks = (
        (not to, 21604, ""),
        (not sender and not service, 21603, ""),
        (not body, 21602, ""),
        (not _E164.fullmatch(to), 21211, to),
        (bool(sender) and not _SENDER.fullmatch(sender), 21212, sender),
        (not sender and not _SERVICE_SID.fullmatch(service), 21603, ""),
        (sender in _MAGIC_FROM, _MAGIC_FROM.get(sender, 0), sender),
        (to in _MAGIC_TO, _MAGIC_TO.get(to, 0), to),
        (len(body) > MAX_BODY, 21617, ""),
    )
    return next((_refusal(code, about) for wrong, code, about in checks if wrong), None)


async def _form(request: web.Request) -> Mapping[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _date_filter(query: Mapping[str, str]) -> DateFilter:
    texts = (query.get(name) for name in ("DateSent", "DateSent>", "DateSent<"))
    try:
        return DateFilter(*(parse_date(text) if text else None for text in texts))
    except ValueError as error:
        raise TwilioError(400, 20001, "Invalid date") from error


def _page(request: web.Request, found: list[Message]) -> Json:
    """Cut one page out of `found`; the page token names the last message before the page."""
    query = request.query
    try:
        size = min(max(int(query.get("PageSize", "50")), 1), 1000)
        number = max(int(query.get("Page", "0")), 0)
    except ValueError as error:
        raise TwilioError(400, 20001, "Invalid paging") from error
    token = query.get("PageToken", "").removeprefix("PA")
    sids = [message.sid for message in found]
    start = sids.index(token) + 1 if token in sids else number * size
    rows = found[start : start + size]
    filters = {name: value for name, value in query.items() if name not in {"Page", "PageSize", "PageToken"}}

    def uri(**paging: int | str) -> str:
        return f"{request.path}?{urlencode({**filters, 'PageSize': size, **paging}, quote_via=quote)}"

    more = start + size < len(found)
    return {
        "end": start + len(rows) - 1 if rows else start,
        "first_page_uri": uri(Page=0),
        "messages": [message.resource() for message in rows],
        "next_page_uri": uri(Page=number + 1, PageToken=f"PA{rows[-1].sid}") if more else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": uri(Page=number - 1) if number else None,
        "start": start,
        "uri": uri(Page=number),
    }


def _inbound_parameters(message: Message, opt_out_type: object) -> dict[str, str]:
    """What Twilio posts for an incoming text; place names stay empty, as for most numbers abroad."""
    parameters = {
        "AccountSid": message.account_sid,
        "ApiVersion": API_VERSION,
        "Body": message.body,
        "From": message.phone,
        "FromCity": "",
        "FromCountry": _country(message.phone),
        "FromState": "",
        "FromZip": "",
        "MessageSid": message.sid,
        "NumMedia": "0",
        "NumSegments": str(count_segments(message.body)),
        "SmsMessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsStatus": "received",
        "To": message.to,
        "ToCity": "",
        "ToCountry": _country(message.to),
        "ToState": "",
        "ToZip": "",
    }
    if opt_out_type:
        parameters["OptOutType"] = str(opt_out_type)
    return parameters


def _country(number: str) -> str:
    countries = {"+1": "US", "+44": "GB", "+49": "DE", "+61": "AU", "+64": "NZ"}
    return next((country for prefix, country in countries.items() if number.startswith(prefix)), "")


def _twiml_texts(answer: WebhookAnswer) -> tuple[list[str], str | None]:
    """Read the texts of a TwiML answer: <Response><Message>text</Message></Response>, or <Body> inside.

    https://www.twilio.com/docs/messaging/twiml/message
    """
    if not answer.accepted or not answer.body.strip():
        return [], None if answer.accepted or answer.error else "the webhook refused the text"
    if answer.content_type not in {"text/xml", "application/xml", "text/html"}:
        return [], "12300: the answer's content type is not TwiML's"
    try:
        # The project's own answer on this machine, of limited size; not input from strangers.
        root = ElementTree.fromstring(answer.body)  # noqa: S314
    except ElementTree.ParseError:
        return [], "12100: the answer is not XML"
    if root.tag != "Response":
        return [], "12100: the answer has no <Response>"
    found = [(each.findtext("Body") or each.text or "").strip() for each in root.findall("Message")]
    return [text for text in found if text], None


def _bubble(message: Message) -> Bubble:
    failed = [call for call in message.calls if call["error"] or not 200 <= (call["status"] or 0) < 300]
    warning = "; ".join(
        f"{call['call']}: {call['error'] or 'refused'}" + (f" (HTTP {call['status']})" if call["status"] else "")
        for call in failed
    )
    return Bubble(
        body=message.body,
        from_phone=message.direction == "inbound",
        time=message.created.strftime("%d %b %H:%M:%S"),
        status=message.status,
        warning=warning,
    )


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Port on 127.0.0.1.")
@click.option("--account-sid", envvar="TWILIO_ACCOUNT_SID", show_envvar=True, required=True)
@click.option("--auth-token", envvar="TWILIO_AUTH_TOKEN", show_envvar=True, required=True)
@click.option("--public-url", envvar="PUBLIC_URL", show_envvar=True, required=True, help="Where webhooks go.")
def main(port: int, account_sid: str, auth_token: str, public_url: str) -> None:
    """Run the local stand-in for Twilio; its outbox is the page at /."""
    serve("Twilio", create_twilio_app(TwilioConfig(account_sid, auth_token, public_url)), port)


if __name__ == "__main__":
    main()
