"""What texts say and when they may leave, against Python's zoneinfo and a plain reading of GSM 03.38.

Zones with every kind of change of clocks, and instants around those changes. What is expected is worked out here from
what is promised, and from nothing of the functions'.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from devstack.postgres import ADMIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.postgres import Cluster

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "15"))
# A failing batch says which of its cases differ, and how: making it smaller would take long and tell no more.
random_batches = settings(
    max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)

ZONES = {
    name: ZoneInfo(name)
    for name in (
        "Australia/Brisbane",  # never
        "Australia/Sydney",  # in the south
        "Australia/Lord_Howe",  # by half an hour
        "America/New_York",
        "America/Santiago",  # at midnight, which that day does not have
        "America/St_Johns",  # half an hour off
        "Europe/London",
        "Asia/Kathmandu",  # a quarter of an hour off
        "Pacific/Chatham",  # a quarter of an hour off, and changing
        "Pacific/Kiritimati",  # 14 hours ahead
        "Pacific/Pago_Pago",  # 11 behind
        "UTC",
    )
}
FIRST, LAST = datetime(2027, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)


def _changes() -> list[datetime]:
    """Every change of clocks of those zones, to the minute."""
    found = []
    for zone in ZONES.values():
        at = FIRST
        while at < LAST:
            if at.astimezone(zone).utcoffset() != (at + DAY).astimezone(zone).utcoffset():
                low, high = at, at + DAY
                while high - low > MINUTE:
                    middle = low + (high - low) // 2 // MINUTE * MINUTE
                    same = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
                    low, high = (middle, high) if same else (low, middle)
                found.append(high)
            at += DAY
    return found


CHANGES = _changes()
instants = st.one_of(
    st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)).map(lambda d: d.replace(tzinfo=UTC)),
    st.builds(
        lambda change, minutes, seconds: change + minutes * MINUTE + timedelta(seconds=seconds),
        st.sampled_from(CHANGES), st.integers(-30 * 60, 30 * 60), st.sampled_from([-1, 0, 1]),
    ),
)  # fmt: skip
hours = st.one_of(st.none(), st.integers(0, 23))


@pytest.fixture(scope="module")
def database(cluster: Cluster, template: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """One database for all of these; each example is undone."""
    name = "text_properties"
    cluster.create_database(name, template)
    with psycopg.connect(cluster.url(ADMIN, name), autocommit=True, row_factory=dict_row) as db:
        yield db
    cluster.drop_database(name)


@pytest.fixture(scope="module")
def orgs(database: psycopg.Connection[dict[str, Any]]) -> dict[str, UUID]:
    """An org in each zone, with a number to text from and one client."""
    ids = {}
    for number, zone in enumerate(ZONES):
        ids[zone] = org_id = uuid4()
        with database.transaction():
            database.execute("insert into public.orgs (id, name, timezone) values (%s, 'Gym', %s)", [org_id, zone])
            database.execute(
                "update public.sms_settings set twilio_phone_number = %s, quiet_hours_start = null where org_id = %s",
                [f"+1500555{number:04}", org_id],
            )
            database.execute(
                "insert into public.clients (id, org_id, full_name, phone) values (%s, %s, 'Jo Lee', '+61491570156')",
                [org_id, org_id],
            )
    return ids


def said(at: datetime, zone: str) -> str:
    """As a text says a time."""
    local = at.astimezone(ZONES[zone])
    hour, half = local.hour % 12 or 12, "am" if local.hour < 12 else "pm"
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.weekday()]
    return f"{weekday} {local.day} {MONTHS[local.month - 1]} at {hour}:{local.minute:02} {half}"


@random_batches
@given(at=instants, sessions=st.lists(st.sampled_from(list(ZONES)), min_size=2, max_size=2))
def test_a_booking_is_told_in_its_orgs_time_whatever_the_session_thinks(
    database: psycopg.Connection[dict[str, Any]], orgs: dict[str, UUID], at: datetime, sessions: list[str]
) -> None:
    bodies = []
    for session in sessions:
        with database.transaction(force_rollback=True):
            database.execute("select set_config('timezone', %s, true)", [session])
            database.execute(
                "insert into public.bookings (org_id, client_id, start_time, end_time)"
                " select id, id, %s, %s from unnest(%s::uuid[]) as id",
                [at, at + HOUR, list(orgs.values())],
            )
            found = database.execute(
                "select org_id, body from public.sms_messages where template_key = 'booking_confirmation'"
            ).fetchall()
            bodies.append({row["org_id"]: row["body"] for row in found})

    expected = {
        org_id: f"Hi Jo, you are booked for {said(at, zone)}. Reply Y to confirm. Gym" for zone, org_id in orgs.items()
    }
    assert bodies == [expected, expected]


def is_quiet(at: datetime, zone: str, start: int | None, end: int | None) -> bool:
    """Between the hours on the wall, through midnight when they wrap; never when they are equal or missing."""
    if start is None or end is None:
        return False
    hour = at.astimezone(ZONES[zone]).hour
    return start <= hour < end if start <= end else hour >= start or hour < end


def first_allowed(at: datetime, zone: str, start: int | None, end: int | None) -> datetime:
    """Minute by minute, until somebody may be woken."""
    while is_quiet(at, zone, start, end):
        at = at.replace(second=0, microsecond=0) + MINUTE
    return at


@random_batches
@given(
    at=instants,
    quiet=st.lists(st.tuples(hours, hours), min_size=len(ZONES), max_size=len(ZONES)),
    of_use=st.one_of(st.none(), st.integers(1, 30 * 60).map(lambda minutes: minutes * MINUTE)),
    urgent=st.booleans(),
)
def test_a_text_leaves_outside_quiet_hours_or_not_at_all(
    database: psycopg.Connection[dict[str, Any]], orgs: dict[str, UUID], at: datetime,
    quiet: list[tuple[int | None, int | None]], of_use: timedelta | None, urgent: bool,
) -> None:  # fmt: skip
    expires = None if of_use is None else at + of_use
    with database.transaction(force_rollback=True):
        for org_id, (start, end) in zip(orgs.values(), quiet, strict=True):
            database.execute(
                "update public.sms_settings set quiet_hours_start = %s, quiet_hours_end = %s, urgent_kinds = %s"
                " where org_id = %s",
                [start, end, ["portal_link"] if urgent else [], org_id],
            )
        database.execute(
            "insert into public.sms_messages"
            " (org_id, client_id, to_phone, from_phone, body, template_key, scheduled_for, expires_at)"
            " select id, id, '+61491570156', '+1', 'Hello', 'portal_link', %s, %s from unnest(%s::uuid[]) as id",
            [at, expires, list(orgs.values())],
        )
        database.execute("select * from app.claim_sms(%s)", [at])
        rows = database.execute("select org_id, status, error_code, scheduled_for from public.sms_messages").fetchall()

    found = {row["org_id"]: (row["status"], row["error_code"], row["scheduled_for"]) for row in rows}
    expected: dict[UUID, tuple[str, str | None, datetime]] = {}
    for (zone, org_id), (start, end) in zip(orgs.items(), quiet, strict=True):
        allowed = at if urgent else first_allowed(at, zone, start, end)
        if allowed == at:
            expected[org_id] = ("sending", None, at)
        elif expires is not None and allowed >= expires:
            expected[org_id] = ("cancelled", "quiet_hours_too_late", at)
        else:
            expected[org_id] = ("queued", "quiet_hours", allowed)
    assert found == expected


def next_day(at: datetime, zone: str) -> datetime:
    """When the wall shows another date, to the minute."""
    today: date = at.astimezone(ZONES[zone]).date()
    later = at.replace(second=0, microsecond=0) + MINUTE
    while later.astimezone(ZONES[zone]).date() == today:
        later += MINUTE
    return later


@random_batches
@given(at=instants, minutes=st.integers(0, 36 * 60))
def test_a_clients_day_is_the_orgs_day(
    database: psycopg.Connection[dict[str, Any]], orgs: dict[str, UUID], at: datetime, minutes: int
) -> None:
    later = at + minutes * MINUTE
    with database.transaction(force_rollback=True):
        database.execute("update public.sms_settings set max_sms_per_client_per_day = 1")
        for instant, body in ((at, "first"), (later, "second")):
            database.execute(
                "insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body, scheduled_for)"
                " select id, id, '+61491570156', '+1', %s, %s from unnest(%s::uuid[]) as id",
                [body, instant, list(orgs.values())],
            )
            database.execute(
                "select app.settle_sms(message_id, 'sent', message_id::text) from app.claim_sms(%s)", [instant]
            )
        rows = database.execute(
            "select org_id, status, scheduled_for from public.sms_messages where body = 'second'"
        ).fetchall()

    found = {row["org_id"]: (row["status"], row["scheduled_for"]) for row in rows}
    expected = {}
    for zone, org_id in orgs.items():
        same_day = at.astimezone(ZONES[zone]).date() == later.astimezone(ZONES[zone]).date()
        expected[org_id] = ("queued", next_day(later, zone)) if same_day else ("sent", later)
    assert found == expected


# -- words ------------------------------------------------------------------------------------------------------------

GSM_BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = set("\f^{}\\[~]|€")


def segments(body: str) -> tuple[str, int]:
    """Packed one character after the other, as a phone does it."""
    if all(c in GSM_BASIC or c in GSM_EXTENSION for c in body):
        encoding, one, many, units = "GSM-7", 160, 153, [2 if c in GSM_EXTENSION else 1 for c in body]
    else:
        encoding, one, many, units = "UCS-2", 70, 67, [len(c.encode("utf-16-le")) // 2 for c in body]
    if sum(units) <= one:
        return encoding, 1
    packed: list[int] = [0]
    for unit in units:
        if packed[-1] + unit > many:
            packed.append(0)
        packed[-1] += unit
    return encoding, len(packed)


def test_the_alphabet_has_as_many_characters_as_the_standard() -> None:
    assert (len(GSM_BASIC), len(GSM_EXTENSION)) == (127, 10)  # ESC is no character; form feed is one of the extension


characters = st.one_of(
    st.sampled_from("aZ é@\n€[^🎉✓ç"), st.characters(exclude_characters="\0", exclude_categories=["Cs"])
)
bodies = st.builds(
    lambda piece, times, tail: (piece * times + tail)[:1600],
    st.text(characters, max_size=8), st.integers(0, 200), st.text(st.sampled_from("a€🎉✓"), max_size=200),
)  # fmt: skip


@random_batches
@given(batch=st.lists(bodies, min_size=20, max_size=20))
def test_segments_are_counted_as_a_phone_packs_them(
    database: psycopg.Connection[dict[str, Any]], batch: list[str]
) -> None:
    batch = [*batch, *GSM_BASIC, *GSM_EXTENSION]
    rows = database.execute(
        "select s.encoding, s.segments from unnest(%s::text[]) with ordinality as b (body, n),"
        " app.sms_segments(b.body) as s order by b.n",
        [batch],
    ).fetchall()

    found = {body: (row["encoding"], row["segments"]) for body, row in zip(batch, rows, strict=True)}
    assert found == {body: segments(body) for body in batch}


@random_batches
@given(batch=st.lists(st.builds(lambda body, times: body * times, bodies, st.integers(1, 4)), min_size=5, max_size=5))
def test_what_is_cut_fits_and_begins_as_it_did(database: psycopg.Connection[dict[str, Any]], batch: list[str]) -> None:
    rows = database.execute(
        "select app.cut_sms(b.body) as cut from unnest(%s::text[]) with ordinality as b (body, n) order by b.n", [batch]
    ).fetchall()

    for body, row in zip(batch, rows, strict=True):
        cut: str = row["cut"]
        units = len(cut.encode("utf-16-le")) // 2
        if len(body.encode("utf-16-le")) // 2 <= 1600:
            assert cut == body
        else:
            assert cut.endswith("...")
            assert body.startswith(cut[:-3])
            # Not much more than a word is lost.
            assert 1597 - 2 * 41 <= units <= 1600 or body[len(cut) - 3 :][:1].isspace()


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@random_batches
@given(
    pieces=st.lists(
        st.one_of(names.filter(lambda s: "{" not in s), st.sampled_from(["{{a}}", "{{ b }}", "{{c}}"])), max_size=12
    ),
    values=st.tuples(names, names),
)
def test_a_template_is_its_words_with_the_values_in_place(
    database: psycopg.Connection[dict[str, Any]], pieces: list[str], values: tuple[str, str]
) -> None:
    filled = {"{{a}}": values[0], "{{ b }}": values[1], "{{c}}": ""}
    row = database.execute(
        "select app.render_sms_template(%s, jsonb_build_object('a', %s::text, 'b', %s::text)) as said",
        ["".join(pieces), *values],
    ).fetchone()

    assert row == {"said": "".join(filled.get(piece, piece) for piece in pieces)}
