"""Twilio's webhooks: verify, then hand to the database."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

import structlog
from multidict import MultiDict
from twilio.request_validator import RequestValidator, add_port, remove_port
from twilio.twiml.messaging_response import MessagingResponse

from sidecar.errors import Refusal
from sidecar.sms.credentials import CredentialsUnreadableError, Vault

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.settings import Secret, TwilioSettings

log = structlog.get_logger()

MAX_PARAMETERS = 200
MAX_ID = 64
"""Message ids have 34 characters, numbers at most 16."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a webhook brought, and whose signature it has: an org's own account, or (None) the platform's."""

    parameters: MultiDict[str]
    account_sid: str | None


class Accounts:
    """Knows the auth tokens with which an account's webhooks are signed."""

    def __init__(self, database: Database, platform: TwilioSettings, vault: Vault) -> None:
        self._database = database
        self._platform = platform
        self._vault = vault

    def is_platform(self, account_sid: str | None) -> bool:
        """Whether this is the platform's account; a webhook that names none is taken for its."""
        return account_sid is None or account_sid == self._platform.account_sid

    async def tokens(self, account_sid: str | None) -> list[Secret]:
        """Every token that we have for an account; none for one that we do not know."""
        if account_sid is None or self.is_platform(account_sid):
            return [self._platform.auth_token]
        if len(account_sid) > MAX_ID:
            return []
        tokens = []
        for row in await self._database.rows("twilio_secrets", p_account_sid=account_sid):
            try:
                tokens.append(self._vault.open(row["org_id"], row["account_sid"], row["secret"]))
            except CredentialsUnreadableError:
                log.error("sms_credentials_unreadable")
        return tokens


async def verify(body: bytes, content_type: str, signature: str | None, url: str, accounts: Accounts) -> Delivery:
    """What was posted to `url`, the address Twilio was given, if the account it names has signed it.

    Refuses with 403 unless the signature covers that address and every parameter, also repeated and unknown ones; of a
    JSON body its hash, which is part of the address. Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security
    """
    if content_type.partition(";")[0].strip().lower() == "application/json":
        parameters = _json_parameters(body)
        signed: MultiDict[str] = MultiDict()
        hashes = parse_qs(urlsplit(url).query).get("bodySHA256", [])
        intact = len(hashes) == 1 and _same(hashlib.sha256(body).hexdigest(), hashes[0].lower())
    else:
        parameters = signed = _form_parameters(body)
        intact = True
    account_sid = parameters.get("AccountSid") or None
    matches = False
    for token in await accounts.tokens(account_sid):
        matches |= _is_signed(token, url, signed, signature or "")
    if not (matches and intact):
        raise Refusal(403, "signature_invalid", "The X-Twilio-Signature header does not match.")
    return Delivery(parameters, None if accounts.is_platform(account_sid) else account_sid)


def _is_signed(token: Secret, url: str, parameters: MultiDict[str], signature: str) -> bool:
    validator = RequestValidator(token.reveal())
    # Twilio signs the port of an address, or not, as it sees fit.
    addresses = {url, *(change(urlsplit(url)) for change in (add_port, remove_port))}
    matches = False
    for address in addresses:
        matches |= _same(validator.compute_signature(address, parameters), signature)
    return matches


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _form_parameters(body: bytes) -> MultiDict[str]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise Refusal(400, "form_malformed", "The body is not a form.") from None
    return _storable(pairs)


def _json_parameters(body: bytes) -> MultiDict[str]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or len(content) > MAX_PARAMETERS:
        raise Refusal(400, "form_malformed", "The body is not a JSON object.")
    return _storable([(name, str(value)) for name, value in content.items() if isinstance(value, str | int)])


def _storable(pairs: list[tuple[str, str]]) -> MultiDict[str]:
    # NUL fits into no text of the database; half a surrogate pair, which JSON can spell, into no UTF-8.
    if any("\0" in text or _is_broken(text) for pair in pairs for text in pair):
        raise Refusal(400, "form_malformed", "The body holds a character that no text can.")
    return MultiDict(pairs)


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _required(parameters: MultiDict[str], *names: str) -> list[str]:
    missing = [name for name in names if not parameters.get(name)]
    if missing:
        raise Refusal(400, "parameter_missing", f"Missing: {', '.join(missing)}.")
    values = [parameters[name] for name in names]
    if any(len(value) > MAX_ID for value in values):
        raise Refusal(400, "form_malformed", f"Longer than any of Twilio's: {', '.join(names)}.")
    return values


async def receive_inbound(database: Database, delivery: Delivery) -> str:
    """Hand a client's text to its one handler; returns the TwiML that answers it."""
    sid, sender, recipient = _required(delivery.parameters, "MessageSid", "From", "To")
    media = delivery.parameters.get("NumMedia", "")
    answer = await database.value(
        "receive_sms",
        p_message_sid=sid,
        p_from=sender,
        p_to=recipient,
        p_body=delivery.parameters.get("Body", ""),
        p_opt_out_type=delivery.parameters.get("OptOutType"),
        p_media=int(media) if media.isascii() and media.isdigit() and len(media) < 4 else 0,
        p_account_sid=delivery.account_sid,
    )
    log.info("sms_inbound", outcome="answered" if answer else "silent")
    response = MessagingResponse()
    if answer:
        response.message(answer)
    return str(response)


async def receive_status(database: Database, delivery: Delivery, message_id: UUID | None) -> None:
    """Record what Twilio says becomes of a text we sent; `message_id` is ours, from the address it was given."""
    sid, status = _required(delivery.parameters, "MessageSid", "MessageStatus")
    known = await database.value(
        "record_sms_status",
        p_provider_message_id=sid,
        p_status=status,
        p_error_code=delivery.parameters.get("ErrorCode"),
        p_message_id=message_id,
        p_account_sid=delivery.account_sid,
    )
    log.info("sms_status", outcome="recorded" if known else "unknown_message")
