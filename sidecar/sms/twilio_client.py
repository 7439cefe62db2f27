"""Twilio's own client, for the platform's account and for those that orgs bring, over one HTTP session."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from sidecar.sms.credentials import Vault

if TYPE_CHECKING:
    from uuid import UUID

    from twilio.http.response import Response

    from sidecar.settings import Secret, TwilioSettings

TIMEOUT_S = 20

_retry_after: ContextVar[str | None] = ContextVar("retry_after", default=None)


@dataclass(frozen=True, slots=True)
class Account:
    """Through which account a text goes: the platform's, or an org's own with its sealed token."""

    org_id: UUID | None = None
    account_sid: str | None = None
    sealed: str | None = None


class _HttpClient(AsyncTwilioHttpClient):  # type: ignore[misc] # the library has no types
    """Keeps what an answer says about trying again, which twilio's exceptions leave out."""

    async def request(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - the library's own
        response = await super().request(*args, **kwargs)
        _retry_after.set(response.headers.get("Retry-After"))
        return response


class TwilioClients:
    """One client for each account. Use as `async with`: it holds the HTTP session."""

    KEPT = 200

    def __init__(self, settings: TwilioSettings, vault: Vault | None = None) -> None:
        self._settings = settings
        self._vault = vault or Vault(())
        self._clients: OrderedDict[Account, Client] = OrderedDict()

    async def __aenter__(self) -> TwilioClients:
        self._http = _HttpClient()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    def connect(self, account_sid: str, auth_token: Secret) -> Client:
        """A client with these credentials."""
        client = Client(account_sid, auth_token.reveal(), http_client=self._http)
        client.api.base_url = self._settings.api_base
        return client

    def of(self, account: Account) -> Client:
        """The client of an account; CredentialsUnreadableError when its token is gone or opens with no key of ours."""
        client = self._clients.get(account)
        if client is None:
            if account.account_sid is None or account.org_id is None:
                client = self.connect(self._settings.account_sid, self._settings.auth_token)
            else:
                token = self._vault.open(account.org_id, account.account_sid, account.sealed or "")
                client = self.connect(account.account_sid, token)
            self._clients[account] = client
            if len(self._clients) > self.KEPT:
                self._clients.popitem(last=False)
        return client


def time_limit() -> asyncio.Timeout:
    """Twilio's asynchronous client does not keep to a limit of its own."""
    return asyncio.timeout(TIMEOUT_S)


def retry_after_s() -> int | None:
    """How long the answer that this task got last asks to wait, in seconds.

    A date, which HTTP allows too, Twilio does not send.
    """
    value = _retry_after.get()
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 10 else None
