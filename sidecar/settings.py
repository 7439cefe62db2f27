"""Settings from the environment, read and checked once at start."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

STRIPE_API_BASE = "https://api.stripe.com"
TWILIO_API_BASE = "https://api.twilio.com"
EXPO_API_BASE = "https://exp.host"


class Secret:
    """A value that shows nowhere: not in logs, tracebacks, formatted text or JSON. Only `reveal()` gives it.

    Deliberately no `str`: joining or adding would quietly turn it back into one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; call it where the secret is used, not before."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)


def is_live(stripe_key: Secret) -> bool:
    """Whether a key is a live one. Source: https://docs.stripe.com/keys"""
    return stripe_key.reveal().startswith(("sk_live_", "rk_live_"))


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which and what it should be, never its value."""


class _Reader:
    """Collects every problem, so that one start shows all that has to be mended."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def text(self, name: str, what: str, default: str | None = None) -> str:
        value = self._env.get(name, "").strip() or default
        if value is None:
            self.problems.append(f"{name} is not set: {what}.")
            return ""
        return value

    def secret(self, name: str, what: str, prefixes: tuple[str, ...] = ("",)) -> Secret:
        value = self.text(name, what)
        if value and not value.startswith(prefixes):
            self.problems.append(f"{name} does not begin with {' or '.join(prefixes)}: {what}.")
        return Secret(value)

    def optional(self, name: str) -> str:
        return self._env.get(name, "").strip()

    def optional_secret(self, name: str) -> Secret | None:
        value = self.optional(name)
        return Secret(value) if value else None

    def url(self, name: str, what: str, default: str | None = None) -> str:
        value = self.text(name, what, default).rstrip("/")
        if value and not _is_http_url(value):
            self.problems.append(f"{name} is not an http(s) URL: {what}.")
        return value

    def done(self) -> None:
        if self.problems:
            raise SettingsError("\n".join(self.problems))


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _database_url(read: _Reader) -> Secret:
    return read.secret("DATABASE_URL", "the Postgres URL of this process's own role", ("postgres://", "postgresql://"))


def _stripe_secret_key(read: _Reader) -> Secret:
    return read.secret("STRIPE_SECRET_KEY", "the platform's secret key", ("sk_", "rk_"))


def _stripe_api_base(read: _Reader) -> str:
    return read.url("STRIPE_API_BASE", "Stripe's API or a stand-in", STRIPE_API_BASE)


def _credentials_keys(read: _Reader) -> tuple[Secret, ...]:
    keys = [key.strip() for key in read.optional("CREDENTIALS_KEYS").split(",") if key.strip()]
    if not all(map(_is_key, keys)):
        read.problems.append(
            "CREDENTIALS_KEYS holds something that is no key: 32 random bytes each, in URL-safe base64 "
            "(`coach-os credentials new-key` makes one), the newest first, separated by commas."
        )
    return tuple(map(Secret, keys))


def _is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == 32
    except (binascii.Error, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class ExpoSettings:
    """Expo's push service; without an access token nothing is pushed."""

    access_token: Secret | None
    api_base: str

    @classmethod
    def read(cls, read: _Reader) -> ExpoSettings:
        """Take the two EXPO_* settings."""
        return cls(
            access_token=read.optional_secret("EXPO_ACCESS_TOKEN"),
            api_base=read.url("EXPO_API_BASE", "Expo's API or a stand-in", EXPO_API_BASE),
        )


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """Account that signs Twilio's webhooks and sends texts; `api_base` is Twilio's, or a stand-in's."""

    account_sid: str
    auth_token: Secret
    api_base: str

    @classmethod
    def read(cls, read: _Reader) -> TwilioSettings:
        """Take the three TWILIO_* settings."""
        return cls(
            account_sid=read.text("TWILIO_ACCOUNT_SID", "the account id shown in Twilio's console (AC…)"),
            auth_token=read.secret("TWILIO_AUTH_TOKEN", "the auth token shown in Twilio's console"),
            api_base=read.url("TWILIO_API_BASE", "Twilio's API or a stand-in", TWILIO_API_BASE),
        )


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `coach-os serve` needs."""

    database_url: Secret
    supabase_url: str
    supabase_publishable_key: str
    supabase_secret_key: Secret | None
    public_url: str
    web_url: str
    stripe_secret_key: Secret
    stripe_webhook_secret: Secret
    stripe_api_base: str
    twilio: TwilioSettings
    credentials_keys: tuple[Secret, ...]
    expo: ExpoSettings

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ServeSettings:
        """Read and check all; SettingsError names every setting that has to be mended."""
        read = _Reader(env)
        settings = cls(
            database_url=_database_url(read),
            supabase_url=read.url("SUPABASE_URL", "the project's API URL"),
            supabase_publishable_key=read.text("SUPABASE_PUBLISHABLE_KEY", "the project's publishable key"),
            supabase_secret_key=read.optional_secret("SUPABASE_SECRET_KEY"),
            public_url=read.url("PUBLIC_URL", "the address at which Stripe and Twilio reach this process"),
            web_url=read.url("WEB_URL", "the address of the web app, to which a payment page returns"),
            stripe_secret_key=_stripe_secret_key(read),
            stripe_webhook_secret=read.secret(
                "STRIPE_WEBHOOK_SECRET",
                "the signing secret of the webhook endpoint (two, separated by a comma, while it is rolled)",
                ("whsec_",),
            ),
            stripe_api_base=_stripe_api_base(read),
            twilio=TwilioSettings.read(read),
            credentials_keys=_credentials_keys(read),
            expo=ExpoSettings.read(read),
        )
        read.done()
        return settings

    @property
    def web_origin(self) -> str:
        """What a browser calls the web app's pages in the Origin header."""
        parts = urlsplit(self.web_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def livemode(self) -> bool:
        """Whether the key is a live one: then only live events book anything, else only test events."""
        return is_live(self.stripe_secret_key)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What `coach-os worker` needs."""

    database_url: Secret
    public_url: str
    stripe_secret_key: Secret
    stripe_api_base: str
    twilio: TwilioSettings
    credentials_keys: tuple[Secret, ...]
    expo: ExpoSettings

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> WorkerSettings:
        """Read and check all; SettingsError names every setting that has to be mended."""
        read = _Reader(env)
        settings = cls(
            database_url=_database_url(read),
            public_url=read.url("PUBLIC_URL", "the address at which Twilio reports what became of a text"),
            stripe_secret_key=_stripe_secret_key(read),
            stripe_api_base=_stripe_api_base(read),
            twilio=TwilioSettings.read(read),
            credentials_keys=_credentials_keys(read),
            expo=ExpoSettings.read(read),
        )
        read.done()
        return settings


@dataclass(frozen=True, slots=True)
class MoneySettings:
    """What `coach-os money` needs: the worker's database role, and Stripe."""

    database_url: Secret
    stripe_secret_key: Secret
    stripe_api_base: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> MoneySettings:
        """Read and check all; SettingsError names every setting that has to be mended."""
        read = _Reader(env)
        settings = cls(_database_url(read), _stripe_secret_key(read), _stripe_api_base(read))
        read.done()
        return settings


def credentials_keys_from_env(env: Mapping[str, str]) -> tuple[Secret, ...]:
    """CREDENTIALS_KEYS alone; at least one."""
    read = _Reader(env)
    keys = _credentials_keys(read)
    if not keys:
        read.problems.append("CREDENTIALS_KEYS is not set: the keys of stored credentials, the newest first.")
    read.done()
    return keys


def database_url_from_env(env: Mapping[str, str]) -> Secret:
    """The one setting of commands that only need the database."""
    read = _Reader(env)
    url = _database_url(read)
    read.done()
    return url
