"""What can be booked, against a model in plain Python that goes by the clock on the wall; every door agrees with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import World

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
QUARTER = 15 * MINUTE
STEP = 5 * MINUTE
"""Everything drawn below is a multiple of this, so a model that looks at each step sees everything."""

DAYS = {
    # Zones, and dates in them: an ordinary one, clocks forward, clocks back.
    "Australia/Brisbane": [date(2027, 3, 10)],
    "Australia/Sydney": [date(2027, 3, 10), date(2027, 10, 3), date(2027, 4, 4)],
    "Australia/Lord_Howe": [date(2027, 10, 3), date(2027, 4, 4)],
    "America/Havana": [date(2027, 3, 14), date(2027, 11, 7)],
    "Asia/Kathmandu": [date(2027, 3, 10)],
    "Pacific/Auckland": [date(2027, 9, 26), date(2027, 4, 4)],
    "America/New_York": [date(2027, 3, 14), date(2027, 11, 7)],
}


@dataclass(frozen=True)
class Window:
    """Minutes [start, end) of a day: of every `weekday` (0 = Sunday), or of one `day`."""

    start: int
    end: int
    weekday: int | None = None
    day: date | None = None
    available: bool = True

    def covers(self, day: date, minute: int) -> bool:
        """Whether it takes in this minute of this date."""
        return self.start <= minute < self.end and (self.day == day or self.weekday == weekday(day))

    @property
    def columns(self) -> tuple[date | None, int | None, str, str]:
        """As the tables have it."""
        return self.day, self.weekday, clock(self.start), clock(self.end)


@dataclass(frozen=True)
class Taken:
    """A booking."""

    start: datetime
    mins: int
    status: str

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.start + self.mins * MINUTE


@dataclass(frozen=True)
class Studio:
    """Everything that decides when a client may book. The names of `rules` are columns of booking_settings."""

    zone: str
    day: date
    now: datetime
    rules: dict[str, int | str | bool | None]
    hours: list[Window]
    blocks: list[Window]
    bookings: list[Taken]

    def rule(self, name: str, default: int) -> int:
        """A rule, or what it is when nobody set it."""
        value = self.rules[name]
        return default if value is None else int(value)

    def local(self, instant: datetime) -> datetime:
        """What the clock on the wall shows."""
        return instant.astimezone(ZoneInfo(self.zone))

    def problem(self, start: datetime, mins: int) -> str | None:
        """The rules, as somebody would say them."""
        end, now, local = start + mins * MINUTE, self.now, self.local(start)
        ahead = (local.date() - self.local(now).date()).days
        evening = time.fromisoformat(str(self.rules["early_cutoff_time"] or "20:00"))
        cutoff = datetime.combine(local.date() - DAY, evening, ZoneInfo(self.zone)).astimezone(UTC)
        early = local.hour < self.rule("early_cutoff_before_hour", 9)
        buffer = self.rule("buffer_between_mins", 0) * MINUTE
        around = [t for t in self.bookings if t.start - buffer < end and start < t.end + buffer]
        rules = {
            "client_booking_off": self.rules["allow_client_booking"] is False,
            "slot_in_past": start <= now,
            "slot_too_far_ahead": ahead > self.rule("max_advance_days", 30),
            "slot_too_soon": start - now < timedelta(hours=self.rule("late_notice_hours", 2))
            or (early and now > cutoff),
            "slot_not_open": not all(self.open(at) for at in steps(start, end)),
            "slot_taken": any(taken.status in {"pending", "confirmed", "completed"} for taken in around),
        }
        return next((code for code, broken in rules.items() if broken), None)

    def open(self, instant: datetime) -> bool:
        """Within hours and not blocked, by date and time of day."""
        local = self.local(instant)
        day, minute = local.date(), local.hour * 60 + local.minute
        dated = [window for window in self.hours if window.day == day]
        return any(
            window.available and window.covers(day, minute)
            for window in dated or [w for w in self.hours if w.day is None]
        ) and not any(block.covers(day, minute) for block in self.blocks)

    def grid(self) -> Iterator[datetime]:
        """Quarters of an hour, from before the day until after it."""
        start = datetime.combine(self.day - DAY, time(12), ZoneInfo(self.zone)).astimezone(UTC)
        first = datetime.fromtimestamp(-(-start.timestamp() // 900) * 900, UTC)
        return steps(first, first + 2 * DAY, QUARTER)

    def store(self, world: World) -> UUID:
        """Put it into the database. Returns the org's id; its client has the same."""
        org_id = uuid4()
        world.db.execute("insert into public.orgs (id, name, timezone) values (%s, 'Studio', %s)", [org_id, self.zone])
        for name, value in self.rules.items():
            world.db.execute(
                sql.SQL("update public.booking_settings set {} = %s where org_id = %s").format(sql.Identifier(name)),
                [value, org_id],
            )
        for window in self.hours:
            world.db.execute(
                "insert into public.availability"
                " (org_id, specific_date, day_of_week, start_time, end_time, is_available)"
                " values (%s, %s, coalesce(%s, 0), %s, %s, %s)",
                [org_id, *window.columns, window.available],
            )
        for block in self.blocks:
            world.db.execute(
                "insert into public.blocked_times (org_id, date, day_of_week, start_time, end_time)"
                " values (%s, %s, %s, %s, %s)",
                [org_id, *block.columns],
            )
        world.db.execute("insert into public.clients (id, org_id, full_name) values (%s, %s, 'Jo')", [org_id, org_id])
        for taken in self.bookings:
            world.db.execute(
                "insert into public.bookings (org_id, client_id, start_time, end_time, status)"
                " values (%s, %s, %s, %s, %s)",
                [org_id, org_id, taken.start, taken.end, taken.status],
            )
        return org_id


def weekday(day: date) -> int:
    """0 = Sunday … 6 = Saturday."""
    return day.isoweekday() % 7


def clock(minute: int) -> str:
    """A minute of the day as Postgres reads it; the last one is 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


def changes(zone: str, today: date) -> list[date]:
    """The days of the year to come on which clocks change."""
    midnights = [datetime.combine(today + n * DAY, time(0), ZoneInfo(zone)) for n in range(366)]
    return [a.date() for a, b in pairwise(midnights) if a.utcoffset() != b.utcoffset()]


def steps(start: datetime, end: datetime, step: timedelta = STEP) -> Iterator[datetime]:
    """Instants from start to before end."""
    while start < end:
        yield start
        start += step


# -- what is drawn ----------------------------------------------------------------------------------------------------

minutes_of_day = st.one_of(st.integers(0, 288), st.sampled_from([0, 12, 24, 36, 120, 288])).map(lambda n: n * 5)
spans = st.tuples(minutes_of_day, minutes_of_day).filter(lambda s: s[0] != s[1]).map(lambda s: (min(s), max(s)))


@st.composite
def studios(draw: st.DrawFn, now: datetime | None = None) -> Studio:
    """An org around a day on which clocks may change. Asked at `now`, else at some time near that day."""
    zone = draw(st.sampled_from(sorted(DAYS)))
    if now is None:
        day = draw(st.sampled_from(DAYS[zone]))
        midnight = datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
        now = midnight + draw(st.integers(-4 * 288, 288)) * STEP
    else:
        today = now.astimezone(ZoneInfo(zone)).date()
        day = draw(st.sampled_from([today, today + DAY, *changes(zone, today)]))
        midnight = datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
    rules: dict[str, int | str | bool | None] = {
        "allow_client_booking": draw(st.sampled_from([True, True, True, True, None, False])),
        "max_advance_days": draw(st.sampled_from([None, 0, 1, 3, 400, 400, 400])),
        "late_notice_hours": draw(st.sampled_from([None, 0, 0, 1, 30])),
        "early_cutoff_before_hour": draw(st.sampled_from([None, 0, 0, 1, 7, 23])),
        "early_cutoff_time": draw(st.sampled_from([None, "00:00", "00:30", "20:00", "23:30"])),
        "buffer_between_mins": draw(st.sampled_from([None, 0, 5, 15, 100])),
    }
    weekly, dates = st.integers(0, 6), st.sampled_from([day - DAY, day, day + DAY])
    always = [Window(0, 1440, weekday=n) for n in range(7)]
    hours = draw(
        st.one_of(
            st.just(always),
            st.lists(spans, min_size=1, max_size=3).map(
                lambda drawn: [Window(span[0], span[1], weekday=n) for span in drawn for n in range(7)]
            ),
            st.lists(st.builds(lambda s, n: Window(s[0], s[1], weekday=n), spans, weekly), max_size=12),
        )
    )
    dated = st.builds(
        lambda s, d, a: Window(s[0], s[1], day=d, available=a), spans, dates, st.sampled_from([True, True, False])
    )
    hours = hours + draw(st.one_of(st.just([]), st.lists(dated, max_size=3)))
    blocks = draw(
        st.lists(
            st.one_of(
                st.builds(lambda s, d: Window(s[0], s[1], day=d), spans, dates),
                st.builds(lambda s, n: Window(s[0], s[1], weekday=n), spans, weekly),
            ),
            max_size=3,
        )
    )
    bookings = draw(
        st.lists(
            st.builds(
                lambda start, mins, status: Taken(midnight + start * STEP, mins * 5, status),
                st.integers(-288, 576),
                st.sampled_from([1, 6, 9, 12, 12, 288]),
                st.sampled_from(["pending", "confirmed", "confirmed", "completed", "cancelled", "no_show"]),
            ),
            max_size=4,
        )
    )
    return Studio(zone, day, now, rules, hours, blocks, bookings)


lengths = st.sampled_from([5, 15, 30, 45, 60, 60, 90, 480, 1440])
play = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# -- what holds -------------------------------------------------------------------------------------------------------


def test_listed_is_what_can_be_booked_and_both_go_by_the_clock_on_the_wall(world: World) -> None:
    @play
    @given(studio=studios(), mins=lengths)
    def check(studio: Studio, mins: int) -> None:
        with world.db.transaction(force_rollback=True):
            org_id = studio.store(world)
            grid = list(studio.grid())
            problems = {
                row["at"]: row["problem"]
                for row in world.rows(
                    "select at, app.slot_problem(%s, at, at + make_interval(mins => %s), null, %s) as problem"
                    " from unnest(%s::timestamptz[]) as at",
                    org_id, mins, studio.now, grid,
                )
            }  # fmt: skip
            listed = world.rows(
                "select slot_start, slot_end from app.free_slots(%s, %s, %s, %s, %s)",
                org_id, studio.day, studio.day, mins, studio.now,
            )  # fmt: skip
        assert problems == {at: studio.problem(at, mins) for at in grid}
        on_the_day = [at for at in grid if studio.local(at).date() == studio.day]
        assert [row["slot_start"] for row in listed] == [at for at in on_the_day if problems[at] is None]
        assert {row["slot_end"] - row["slot_start"] for row in listed} <= {mins * MINUTE}

    check()


def test_what_is_available_is_what_the_insert_allows(world: World) -> None:
    """The portal's route asks is_slot_available() and inserts with the service key; both look at the real clock."""

    @play
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        with world.db.transaction(force_rollback=True):
            now: datetime = world.value("select now()")
            studio = data.draw(studios(now))
            org_id = studio.store(world)
            grid = list(studio.grid())
            for _ in range(8):
                at = data.draw(st.one_of(st.sampled_from(grid), st.just(now), st.just(now + timedelta(hours=2))))
                mins = data.draw(lengths)
                source = data.draw(st.sampled_from(["confirmed", "pending"]))
                available, refused = ask_and_insert(world, org_id, at, mins, source)
                note(f"{at} for {mins}: available {available}, the insert says {refused}")
                assert available == (refused is None)
                if at in grid:
                    assert refused == studio.problem(at, mins)

    check()


def ask_and_insert(world: World, org_id: UUID, at: datetime, mins: int, status: str) -> tuple[bool, str | None]:
    """Whether it says the time is available, and why the insert that follows is refused. Leaves nothing behind."""
    with world.db.transaction(force_rollback=True):
        world.db.execute("set local role service_role")
        end = at + mins * MINUTE
        available: bool = world.value("select public.is_slot_available(%s, %s, %s)", org_id, at, end)
        try:
            world.db.execute(
                "insert into public.bookings (org_id, client_id, start_time, end_time, status, booking_source)"
                " values (%s, %s, %s, %s, %s, 'client')",
                [org_id, org_id, at, end, status],
            )
        except psycopg.Error as error:
            return available, error.diag.message_primary
        return available, None
