"""The auth tokens of Twilio accounts that orgs bring: encrypted here, stored by the database, which has no key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sidecar.errors import Refusal
from sidecar.settings import Secret

if TYPE_CHECKING:
    from uuid import UUID

    from sidecar.database import Database


class CredentialsUnreadableError(Exception):
    """No key of ours opens it, or it was sealed for another org or account."""


class Vault:
    """Seals with the newest of CREDENTIALS_KEYS and opens with any of them.

    Fernet is AES-128-CBC with HMAC-SHA256, by the cryptography package: https://cryptography.io/en/latest/fernet/
    """

    def __init__(self, keys: tuple[Secret, ...]) -> None:
        self._fernets = [Fernet(key.reveal().encode()) for key in keys]

    def seal(self, org_id: UUID, account_sid: str, auth_token: Secret) -> str:
        """Encrypt a token for one org and account. Refuses with 503 when there is no key."""
        if not self._fernets:
            raise Refusal(503, "credentials_key_missing", "Accounts of businesses' own cannot be kept here.")
        # Whose it is goes inside: a row copied to another org opens for nobody.
        content = {"org_id": str(org_id), "account_sid": account_sid, "auth_token": auth_token.reveal()}
        return self._fernets[0].encrypt(json.dumps(content).encode()).decode()

    def open(self, org_id: UUID, account_sid: str, sealed: str) -> Secret:
        """The token that was sealed for this org and account, else CredentialsUnreadableError."""
        content = json.loads(self._decrypt(sealed))
        if content["org_id"] != str(org_id) or content["account_sid"] != account_sid:
            raise CredentialsUnreadableError
        return Secret(content["auth_token"])

    def renew(self, sealed: str) -> str:
        """The same, encrypted with the newest key; unchanged where it is already."""
        try:
            self._fernets[0].decrypt(sealed)
        except InvalidToken:
            return self._fernets[0].encrypt(self._decrypt(sealed)).decode()
        return sealed

    def _decrypt(self, sealed: str) -> bytes:
        if not self._fernets:
            raise CredentialsUnreadableError
        try:
            return MultiFernet(self._fernets).decrypt(sealed)
        except InvalidToken:
            raise CredentialsUnreadableError from None


async def renew_all(database: Database, vault: Vault) -> tuple[int, int]:
    """Encrypt every token with the newest key, so that older keys can go; how many were, and how many cannot be opened.

    Safe to repeat; a token that its owner replaces meanwhile stays as the owner's.
    """
    renewed = unreadable = 0
    for row in await database.rows("twilio_secrets"):
        try:
            sealed = vault.renew(row["secret"])
        except CredentialsUnreadableError:
            unreadable += 1
            continue
        if sealed != row["secret"]:
            renewed += await database.value(
                "replace_twilio_secret", p_org_id=row["org_id"], p_old=row["secret"], p_new=sealed
            )
    return renewed, unreadable
