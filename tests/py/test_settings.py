"""Settings: each problem is one sentence that names the setting and never shows its value."""

from __future__ import annotations

import copy
import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sidecar.cli import main
from sidecar.settings import Secret, ServeSettings, SettingsError, WorkerSettings, database_url_from_env

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conftest import Logs, Processes

VALUE = "canary-2b7e15"
SERVE = {
    "DATABASE_URL": f"postgresql://coach_os_sidecar:{VALUE}@db.example:5432/postgres",
    "SUPABASE_URL": "https://project.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    "PUBLIC_URL": "https://coach.example",
    "WEB_URL": "https://app.coach.example",
    "STRIPE_SECRET_KEY": f"sk_test_{VALUE}",
    "STRIPE_WEBHOOK_SECRET": f"whsec_{VALUE}",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": VALUE,
}
WORKER = {
    name: SERVE[name]
    for name in ("DATABASE_URL", "PUBLIC_URL", "STRIPE_SECRET_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
}


def problems(read: Callable[[Mapping[str, str]], object], env: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as told:
        read(env)
    return str(told.value).splitlines()


def test_all_settings_are_read() -> None:
    settings = ServeSettings.from_env(SERVE)

    assert settings.database_url.reveal() == SERVE["DATABASE_URL"]
    assert (settings.stripe_api_base, settings.twilio.api_base) == ("https://api.stripe.com", "https://api.twilio.com")
    assert settings.livemode is False
    assert ServeSettings.from_env(SERVE | {"STRIPE_SECRET_KEY": "rk_live_x"}).livemode is True


def test_a_trailing_slash_or_space_makes_no_difference() -> None:
    """What Twilio signs is PUBLIC_URL and a path that begins with a slash."""
    sloppy = {name: f" {value}/ " if value.startswith("https:") else f" {value}\n" for name, value in SERVE.items()}

    assert ServeSettings.from_env(sloppy).public_url == "https://coach.example"
    assert ServeSettings.from_env(sloppy).twilio.auth_token.reveal() == VALUE


@pytest.mark.parametrize(
    ("read", "env", "name"),
    [(ServeSettings.from_env, SERVE, name) for name in SERVE]
    + [(WorkerSettings.from_env, WORKER, name) for name in WORKER]
    + [(database_url_from_env, WORKER, "DATABASE_URL")],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("absent", ["missing", "empty", "blank"])
def test_each_missing_setting_is_one_sentence(
    read: Callable[[Mapping[str, str]], object], env: Mapping[str, str], name: str, absent: str
) -> None:
    without = {key: value for key, value in env.items() if key != name}
    if absent != "missing":
        without[name] = "" if absent == "empty" else "  "

    [sentence] = problems(read, without)

    assert sentence.startswith(f"{name} is not set: ")
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", f"mysql://root:{VALUE}@db.example/x"),
        ("DATABASE_URL", f"host=db.example password={VALUE}"),
        ("SUPABASE_URL", f"project.supabase.co/{VALUE}"),
        ("SUPABASE_URL", f"ftp://{VALUE}"),
        ("SUPABASE_URL", f"http://[{VALUE}"),
        ("PUBLIC_URL", f"//{VALUE}"),
        ("WEB_URL", f"https:{VALUE}"),
        ("STRIPE_SECRET_KEY", f"pk_test_{VALUE}"),
        ("STRIPE_WEBHOOK_SECRET", VALUE),
        ("STRIPE_API_BASE", VALUE),
        ("TWILIO_API_BASE", VALUE),
    ],
)
def test_each_malformed_setting_is_one_sentence_without_its_value(name: str, value: str) -> None:
    [sentence] = problems(ServeSettings.from_env, SERVE | {name: value})

    assert sentence.startswith(f"{name} ")
    assert sentence.endswith(".")
    assert VALUE not in sentence


def test_one_start_shows_everything_that_has_to_be_mended() -> None:
    sentences = problems(ServeSettings.from_env, {})

    assert [sentence.split()[0] for sentence in sentences] == list(SERVE)


def _raised(secret: Secret) -> str:
    def fail() -> None:
        raise RuntimeError(secret)

    try:
        fail()
    except RuntimeError:
        return traceback.format_exc()
    return ""


def _refused(show: Callable[[Any], str]) -> Callable[[Any], str]:
    """To refuse is as good as to mask."""

    def attempt(secret: Secret) -> str:
        try:
            return show(secret)
        except TypeError:
            return ""

    return attempt


SHOWN: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "format with a width": lambda secret: format(secret, "40s"),
    "f-string": lambda secret: f"{secret}",
    "f-string, repr": lambda secret: f"{secret!r}",
    "str.format": "{}".format,
    "%s": lambda secret: "%s" % secret,  # noqa: UP031 - this is what is tested
    "%r": lambda secret: "%r" % secret,  # noqa: UP031 - this is what is tested
    "in a list": lambda secret: str([secret]),
    "in a dict": lambda secret: f"{ {'key': secret} }",
    "traceback": _raised,
    "json": _refused(json.dumps),
    "json, inside": _refused(lambda secret: json.dumps({"key": [secret]})),
    "joined": _refused(lambda secret: "".join(["a", secret])),
    "added": _refused(lambda secret: "a" + secret),
    "added the other way": _refused(lambda secret: secret + "a"),
    "upper": _refused(lambda secret: str(getattr(secret, "upper", str)()).lower()),
    "replaced": _refused(lambda secret: str(getattr(secret, "replace", lambda *_: "")("a", "a"))),
    "copy": lambda secret: str(copy.deepcopy(secret)),
}


@pytest.mark.parametrize("how", SHOWN)
def test_a_secret_never_prints(how: str) -> None:
    assert VALUE not in SHOWN[how](Secret(VALUE))
    assert Secret(VALUE).reveal() == VALUE


def test_settings_can_be_printed() -> None:
    assert VALUE not in repr(ServeSettings.from_env(SERVE))
    assert VALUE not in str(WorkerSettings.from_env(WORKER))


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (["serve"], list(SERVE)),
        (["worker"], list(WORKER)),
        (["jobs", "install"], ["DATABASE_URL"]),
        (["doctor"], ["DATABASE_URL"]),
    ],
    ids=["serve", "worker", "jobs install", "doctor"],
)
async def test_a_command_without_settings_says_what_it_needs(
    processes: Processes, command: list[str], names: list[str]
) -> None:
    status, output = await processes.run(*command, env={})

    assert status == 1
    assert "Traceback" not in output
    for name in names:
        assert f"{name} is not set: " in output
    assert ".env.example" in output


def test_every_command_explains_itself(logs: Logs) -> None:
    assert logs is not None  # puts back the logging that the command sets up
    for command in ([], ["serve"], ["worker"], ["jobs"], ["jobs", "install"], ["doctor"]):
        result = CliRunner().invoke(main, [*command, "--help"])
        assert result.exit_code == 0
        assert result.output.startswith("Usage: ")
