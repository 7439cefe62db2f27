"""An org's own Twilio account: checked with Twilio, then kept encrypted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import aiohttp
import structlog
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException

from sidecar.errors import Refusal
from sidecar.settings import Secret
from sidecar.sms.twilio_client import time_limit

if TYPE_CHECKING:
    from twilio.rest import Client

    from sidecar.database import Database
    from sidecar.sms.credentials import Vault
    from sidecar.sms.twilio_client import TwilioClients

log = structlog.get_logger()

INBOUND = "/webhooks/twilio/inbound"
ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class OwnAccountRequest:
    """A business's own account, as Twilio's console shows it, and the number of that account to text from (E.164)."""

    org_id: UUID
    account_sid: str
    auth_token: str
    phone_number: str

    def __repr__(self) -> str:
        return "OwnAccountRequest(***)"


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The account and number that the business texts with from now on."""

    account_sid: str
    phone_number: str


async def bring(
    database: Database, clients: TwilioClients, vault: Vault, user_id: UUID, data: OwnAccountRequest, public_url: str
) -> OwnAccount:
    """Check account and number with Twilio, have replies to the number sent to us, and keep the token encrypted."""
    await database.value("check_owner", p_user_id=user_id, p_org_id=data.org_id)
    if not ACCOUNT_SID.fullmatch(data.account_sid):
        raise Refusal(400, "twilio_account_refused", "An account id is AC and 32 hexadecimal digits.")
    token = Secret(data.auth_token)
    sealed = vault.seal(data.org_id, data.account_sid, token)
    try:
        async with time_limit():
            await _check(clients.connect(data.account_sid, token), data, f"{public_url}{INBOUND}")
    except (TwilioRestException, TwilioServiceException) as error:
        if error.status in {401, 403, 404}:
            raise Refusal(
                400, "twilio_account_refused", "Twilio does not know this account, or not with this token."
            ) from None
        raise _unavailable() from None
    except (TwilioException, TimeoutError, aiohttp.ClientError):
        raise _unavailable() from None
    await database.value(
        "store_twilio_account",
        p_user_id=user_id,
        p_org_id=data.org_id,
        p_account_sid=data.account_sid,
        p_secret=sealed,
        p_phone=data.phone_number,
    )
    log.info("sms_account_stored")
    return OwnAccount(data.account_sid, data.phone_number)


async def _check(client: Client, data: OwnAccountRequest, inbound_url: str) -> None:
    account = await client.api.v2010.accounts(data.account_sid).fetch_async()
    if account.status != "active":
        raise Refusal(400, "twilio_account_refused", "Twilio says that this account is not active.")
    numbers = await client.incoming_phone_numbers.list_async(phone_number=data.phone_number, limit=20)
    number = next((each for each in numbers if each.phone_number == data.phone_number), None)
    if number is None or not (number.capabilities or {}).get("sms"):
        raise Refusal(400, "number_not_in_account", "The account has no such number that can text (+ and all digits).")
    # Else a client's reply would reach nobody.
    await client.incoming_phone_numbers(number.sid).update_async(sms_url=inbound_url, sms_method="POST")


def _unavailable() -> Refusal:
    return Refusal(502, "twilio_unavailable", "Twilio does not answer just now; the request can be repeated.")
