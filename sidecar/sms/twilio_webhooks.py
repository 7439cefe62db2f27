"""Twilio's webhooks: verify, then hand to the database."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from multidict import MultiDict
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from sidecar.errors import Refusal

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.settings import TwilioSettings

log = structlog.get_logger()

MAX_PARAMETERS = 200
MAX_ID = 64
"""Message ids have 34 characters, numbers at most 16."""


def verify(body: bytes, signature: str | None, url: str, settings: TwilioSettings) -> MultiDict[str]:
    """The parameters of a signed form post to `url`, the address Twilio was given.

    Refuses with 403 unless the signature covers that address and every parameter, also repeated and unknown ones.
    Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security
    """
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise Refusal(400, "form_malformed", "The body is not a form.") from None
    if any("\0" in text for pair in pairs for text in pair):
        raise Refusal(400, "form_malformed", "The body holds a character that no text can.")
    parameters = MultiDict(pairs)
    validator = RequestValidator(settings.auth_token.reveal())
    if not signature or not signature.isascii() or not validator.validate(url, parameters, signature):
        raise Refusal(403, "signature_invalid", "The X-Twilio-Signature header does not match.")
    return parameters


def _required(parameters: MultiDict[str], *names: str) -> list[str]:
    missing = [name for name in names if not parameters.get(name)]
    if missing:
        raise Refusal(400, "parameter_missing", f"Missing: {', '.join(missing)}.")
    values = [parameters[name] for name in names]
    if any(len(value) > MAX_ID for value in values):
        raise Refusal(400, "form_malformed", f"Longer than any of Twilio's: {', '.join(names)}.")
    return values


async def receive_inbound(database: Database, parameters: MultiDict[str]) -> str:
    """Hand a client's text to its one handler; returns the TwiML that answers it."""
    sid, sender, recipient = _required(parameters, "MessageSid", "From", "To")
    answer = await database.value(
        "receive_sms", p_message_sid=sid, p_from=sender, p_to=recipient, p_body=parameters.get("Body", "")
    )
    log.info("sms_inbound", outcome="answered" if answer else "silent")
    response = MessagingResponse()
    if answer:
        response.message(answer)
    return str(response)


async def receive_status(database: Database, parameters: MultiDict[str], message_id: UUID | None) -> None:
    """Record what Twilio says became of a text we sent; `message_id` is ours, from the address it was given."""
    sid, status = _required(parameters, "MessageSid", "MessageStatus")
    known = await database.value(
        "record_sms_status",
        p_provider_message_id=sid,
        p_status=status,
        p_error_code=parameters.get("ErrorCode"),
        p_message_id=message_id,
    )
    log.info("sms_status", outcome="recorded" if known else "unknown_message")
