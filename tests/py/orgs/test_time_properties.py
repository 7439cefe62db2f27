"""The pure time functions against Python's zoneinfo: every zone, every change of clocks, random instants 1990 to 2040.

What is expected is worked out here from what the functions promise, and from nothing of theirs.
"""

from __future__ import annotations

import bisect
import calendar
import importlib.resources
import io
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from devstack.postgres import ADMIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstack.postgres import Cluster

FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2040, 12, 31, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A failing batch says which of its cases differ, and how: making it smaller would take long and tell no more.
random_batches = settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
BATCH = 50
"""Cases in one example of Hypothesis, which are asked in one query."""


class Change(NamedTuple):
    """One change of clocks: its instant, and the UTC offset before and after it."""

    at: datetime
    before: timedelta
    after: timedelta


class Zones:
    """The zones that Postgres and the tzdata package both know, and when their clocks change."""

    def __init__(self, database: psycopg.Connection) -> None:
        folder = importlib.resources.files("tzdata")
        known = set(folder.joinpath("zones").read_text().split())
        names = {name for (name,) in database.execute("select name from pg_timezone_names").fetchall()}
        self.database = database
        self.zone: dict[str, ZoneInfo] = {}
        self.changes: dict[str, list[Change]] = {}
        same: dict[bytes, str] = {}  # many names are another's
        for name in sorted(known & names):
            # Not ZoneInfo(name): that would prefer this machine's own zones, of whatever year.
            content = folder.joinpath("zoneinfo", *name.split("/")).read_bytes()
            twin = same.setdefault(content, name)
            self.zone[name] = self.zone[twin] if twin in self.zone else ZoneInfo.from_file(io.BytesIO(content), name)
            self.changes[name] = self.changes[twin] if twin in self.changes else list(self._changes(name))
        self.until = dict.fromkeys(self.zone, LAST)

    def offset(self, name: str, at: datetime) -> timedelta:
        """The UTC offset of a zone at an instant, as Python has it."""
        offset = at.astimezone(self.zone[name]).utcoffset()
        assert offset is not None
        return offset

    def local(self, name: str, at: datetime) -> datetime:
        """The wall-clock time of a zone at an instant, as Python has it."""
        return at.astimezone(self.zone[name]).replace(tzinfo=None)

    def near(self, name: str, at: datetime, within: timedelta) -> list[Change]:
        """Changes of clocks at most this far away."""
        changes = self.changes[name]
        low = bisect.bisect_left(changes, at - within, key=lambda change: change.at)
        return changes[low : bisect.bisect_right(changes, at + within, key=lambda change: change.at)]

    def every_change(self) -> Iterator[tuple[str, Change]]:
        """Each change that Postgres and Python agree on, with its zone."""
        for name, changes in self.changes.items():
            yield from ((name, change) for change in changes if change.at < self.until[name])

    def _changes(self, name: str) -> Iterator[Change]:
        at, before = FIRST - 9 * DAY, self.offset(name, FIRST - 9 * DAY)
        while at < LAST + 9 * DAY:
            # Two changes that undid each other within six days would be missed; no zone has had any.
            at += 6 * DAY
            after = self.offset(name, at)
            if after != before:
                low, high = at - 6 * DAY, at
                while high - low > SECOND:
                    middle = low + (high - low) // 2 // SECOND * SECOND
                    low, high = (middle, high) if self.offset(name, middle) == before else (low, middle)
                yield Change(high, before, after)
                before = after

    def drop_disputed(self) -> list[str]:
        """Forget of each zone what comes after Postgres and Python last had the same UTC offset for it: they have other
        data there, which is no fault of a function. Says which zones, and since when."""
        samples = [
            (name, at)
            for name in self.zone
            for at in sorted(
                {FIRST + n * 60 * DAY for n in range((LAST - FIRST) // (60 * DAY))}
                | {at for change in self.changes[name] for at in (change.at - SECOND, change.at)}
            )
        ]
        offsets = self.database.execute(
            "select extract(epoch from at at time zone zone - at at time zone 'UTC')::integer"
            "  from unnest(%s::text[], %s::timestamptz[]) with ordinality as q (zone, at, nr) order by nr",
            list(map(list, zip(*samples, strict=True))),
        ).fetchall()
        agreed: dict[str, datetime] = {}
        disputed: dict[str, datetime] = {}
        for (name, at), (offset,) in zip(samples, offsets, strict=True):
            if self.offset(name, at) != timedelta(seconds=offset):
                disputed.setdefault(name, at)
            elif name not in disputed:
                agreed[name] = at
        for name in disputed:
            # What is asked about the month of an instant must lie before it, too.
            self.until[name] = agreed.get(name, FIRST) - 40 * DAY
            if self.until[name] < FIRST + 365 * DAY:
                del self.zone[name], self.changes[name], self.until[name]
        return [f"{name} since {at:%Y-%m-%d}" for name, at in disputed.items()]


@pytest.fixture(scope="module")
def database(cluster: Cluster, template: str) -> Iterator[psycopg.Connection]:
    """A session whose own zone is one with traps, so that a function that leans on it is caught."""
    name = f"test_{uuid4().hex}"
    cluster.create_database(name, template)
    with psycopg.connect(cluster.url(ADMIN, name), autocommit=True) as connection:
        connection.execute("set timezone = 'America/Havana'")
        yield connection
    cluster.drop_database(name)


@pytest.fixture(scope="module")
def zones(database: psycopg.Connection, pytestconfig: pytest.Config) -> Zones:
    zones = Zones(database)
    disputed = zones.drop_disputed()
    if disputed:
        plugins = pytestconfig.pluginmanager
        reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
        assert reporter is not None
        assert capture is not None
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\nPostgres and tzdata have other data, so not compared: {', '.join(disputed)}")
    return zones


def answers(database: psycopg.Connection, call: str, columns: str, cases: Sequence[Sequence[object]]) -> list[object]:
    """What SQL says to each case: `call` is an expression over `columns`, each given as `name type`."""
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    arrays = ", ".join(f"%s::{column.split()[1]}[]" for column in columns.split(", "))
    query = f"select {call} from unnest({arrays}) with ordinality as q ({names}, nr) order by nr"
    return [row[0] for row in database.execute(query.encode(), list(map(list, zip(*cases, strict=True)))).fetchall()]


def differences(cases: Sequence[object], got: Sequence[object], expected: Sequence[object]) -> Sequence[object]:
    return [
        {"case": case, "got": g, "expected": e}
        for case, g, e in zip(cases, got, expected, strict=True)
        if g != e
    ][:10]  # fmt: skip


def epoch(at: datetime) -> int:
    """Microseconds, exactly: instants are compared as numbers, in no zone."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


EPOCH = "(extract(epoch from {}) * 1000000)::bigint"


# -- what is promised -------------------------------------------------------------------------------------------------


def instant_of(zones: Zones, name: str, local: datetime) -> datetime:
    """In a gap read with the offset before it, in a fold the first occurrence: what PEP 495 calls fold=0."""
    return local.replace(tzinfo=zones.zone[name], fold=0).astimezone(UTC)


def start_of(zones: Zones, name: str, day: date) -> datetime:
    """The first instant whose local date is that date; of a date that was skipped, whose date is later.

    A date can only begin at a local midnight or at a change of clocks.
    """
    noon = datetime.combine(day, time(12), UTC)
    midnight = datetime.combine(day, time(0), UTC)
    changes = zones.near(name, noon, 3 * DAY)
    offsets = {zones.offset(name, noon)} | {offset for change in changes for offset in (change.before, change.after)}
    candidates = sorted({change.at for change in changes} | {midnight - offset for offset in offsets})
    dates = [(zones.local(name, at).date(), at) for at in candidates]
    on_it = [at for its_date, at in dates if its_date == day]
    return on_it[0] if on_it else next(at for its_date, at in dates if its_date > day)


def range_of(zones: Zones, name: str, view: str, anchor: date, week_start: int) -> tuple[datetime, datetime]:
    first, after = anchor, anchor + DAY
    if view == "week":
        while first.isoweekday() % 7 != week_start:
            first -= DAY
        after = first + 7 * DAY
    elif view == "month":
        first = anchor.replace(day=1)
        after = first + calendar.monthrange(first.year, first.month)[1] * DAY
    return start_of(zones, name, first), start_of(zones, name, after)


def quiet_hours(start: int | None, end: int | None) -> set[int]:
    hours = set()
    if start is not None and end is not None:
        while start != end:
            hours.add(start)
            start = (start + 1) % 24
    return hours


def is_quiet(zones: Zones, name: str, at: datetime, start: int | None, end: int | None) -> bool:
    return zones.local(name, at).hour in quiet_hours(start, end)


def next_allowed(zones: Zones, name: str, at: datetime, start: int | None, end: int | None) -> datetime:
    """Minute by minute: since 1972 every offset is one of whole minutes, and so is every change of clocks."""
    while is_quiet(zones, name, at, start, end):
        at = at.replace(second=0, microsecond=0) + MINUTE
    return at


# -- every change of clocks there was and will be ---------------------------------------------------------------------


def test_enough_zones_are_compared(zones: Zones) -> None:
    """Postgres' data and the package's are of about the same year: a handful of zones may differ, no more."""
    assert len(zones.zone) >= 580
    changes = [change for _, change in zones.every_change()]
    assert len(changes) > 20_000
    assert all(change.at.second == 0 for change in changes)
    assert all(offset % MINUTE == timedelta() for change in changes for offset in change[1:])
    gaps = Counter(change.after - change.before for change in changes)
    # Lord Howe, a gap of a day, Troll: if they are not among these, nothing is proven.
    assert {30 * MINUTE, -30 * MINUTE, DAY, 2 * HOUR, -2 * HOUR} <= set(gaps)


def test_wall_times_around_every_change(zones: Zones, database: psycopg.Connection) -> None:
    cases = []
    for name, change in zones.every_change():
        old, new = (change.at.replace(tzinfo=None) + offset for offset in (change.before, change.after))
        middle = min(old, new) + abs(new - old) / 2
        cases += [(name, wall) for edge in (old, new) for wall in (edge - SECOND, edge)] + [(name, middle)]

    got = answers(database, EPOCH.format("app.local_to_instant(local, zone)"), "zone text, local timestamp", cases)

    expected = [epoch(instant_of(zones, name, local)) for name, local in cases]
    assert differences(cases, got, expected) == []


def test_days_around_every_change(zones: Zones, database: psycopg.Connection) -> None:
    cases = sorted(
        {
            (name, zones.local(name, at).date() + days * DAY)
            for name, change in zones.every_change()
            for at in (change.at - SECOND, change.at)
            for days in (0, 1)
        }
    )

    got = answers(database, EPOCH.format("app.day_start(day, zone)"), "zone text, day date", cases)

    expected = [epoch(start_of(zones, name, day)) for name, day in cases]
    assert differences(cases, got, expected) == []


def test_clock_changes_are_found_to_the_second(zones: Zones, database: psycopg.Connection) -> None:
    cases = [
        (name, change.at - before, change.at + after)
        for name, change in list(zones.every_change())[::7]
        for before, after in ((SECOND, timedelta()), (20 * HOUR, 4 * HOUR), (SECOND / 4, SECOND / 2))
    ]

    got = answers(
        database, EPOCH.format("app.clock_change(a, b, zone)"), "zone text, a timestamptz, b timestamptz", cases
    )

    expected = [epoch(zones.near(name, b, 2 * DAY)[0].at) for name, _, b in cases]
    assert differences(cases, got, expected) == []


def test_quiet_hours_around_every_kind_of_change(zones: Zones, database: psycopg.Connection) -> None:
    """Hours that begin or end within a gap, within a fold, or beside one."""
    kinds = {
        (change.before, change.after, (change.at + change.before).time()): (name, change)
        for name, change in zones.every_change()
    }
    cases = [
        (name, change.at - earlier, (hour + start) % 24, (hour + end) % 24)
        for name, change in kinds.values()
        for hour in [(change.at + change.before).hour]
        for earlier in (95 * MINUTE, timedelta(microseconds=1), timedelta())
        for start, end in ((-2, 0), (-2, 1), (-1, 2), (0, 1), (-3, -1))
    ]

    got = answers(
        database,
        EPOCH.format("app.next_send_time(at, zone, a, b)"),
        "zone text, at timestamptz, a integer, b integer",
        cases,
    )

    assert differences(cases, got, [epoch(next_allowed(zones, *case)) for case in cases]) == []


# -- random instants, half of them around a change --------------------------------------------------------------------


@pytest.fixture(scope="module")
def around(zones: Zones) -> st.SearchStrategy[tuple[str, datetime]]:
    """A zone, and an instant to a microsecond: anywhere in the period, or within two days of a change there."""
    fraction = st.sampled_from([timedelta(), timedelta(), SECOND / 2, MINUTE - timedelta(microseconds=1)])
    anywhere = st.builds(
        lambda name, minute, part: (name, FIRST + minute * MINUTE % (zones.until[name] - FIRST) + part),
        st.sampled_from(sorted(zones.zone)),
        st.integers(0, (LAST - FIRST) // MINUTE),
        fraction,
    )
    changes = [(name, change.at) for name, change in zones.every_change()]
    near = st.builds(
        lambda change, minute, part: (change[0], change[1] + minute * MINUTE + part),
        st.sampled_from(changes),
        st.integers(-2 * 24 * 60, 2 * 24 * 60) | st.integers(-90, 90),
        fraction,
    )
    return near | anywhere


def draw(data: st.DataObject, around: st.SearchStrategy[tuple[str, datetime]], *more: st.SearchStrategy[Any]) -> Any:  # noqa: ANN401
    """A batch of cases: zone, instant, and whatever else."""
    cases = data.draw(st.lists(st.tuples(around, *more), min_size=BATCH, max_size=BATCH))
    return [(*case[0], *case[1:]) for case in cases]


hours = st.integers(0, 23) | st.integers(20, 26).map(lambda hour: hour % 24)
bounds = st.none() | hours | hours | hours | hours


@random_batches
@given(data=st.data())
def test_any_wall_time(
    zones: Zones, database: psycopg.Connection, around: st.SearchStrategy[tuple[str, datetime]], data: st.DataObject
) -> None:
    # As a wall time itself, not an instant's: so that those are there which no clock has shown.
    cases = [(name, at.replace(tzinfo=None)) for name, at in draw(data, around)]

    got = answers(database, EPOCH.format("app.local_to_instant(local, zone)"), "zone text, local timestamp", cases)

    expected = [epoch(instant_of(zones, name, local)) for name, local in cases]
    assert differences(cases, got, expected) == []


@random_batches
@given(data=st.data())
def test_any_instant_as_text(
    zones: Zones, database: psycopg.Connection, around: st.SearchStrategy[tuple[str, datetime]], data: st.DataObject
) -> None:
    cases = draw(data, around)

    got = answers(
        database, "app.format_local(at, zone, 'YYYY-MM-DD HH24:MI:SS.US Dy')", "zone text, at timestamptz", cases
    )

    expected = [f"{zones.local(name, at):%Y-%m-%d %H:%M:%S.%f %a}" for name, at in cases]
    assert differences(cases, got, expected) == []


@random_batches
@given(data=st.data())
def test_any_range(
    zones: Zones, database: psycopg.Connection, around: st.SearchStrategy[tuple[str, datetime]], data: st.DataObject
) -> None:
    cases = [
        (name, zones.local(name, at).date(), view, week_start)
        for name, at, view, week_start in draw(
            data, around, st.sampled_from(["day", "week", "month"]), st.integers(0, 6)
        )
    ]

    got = answers(
        database,
        "(select array[" + EPOCH.format("range_start") + ", " + EPOCH.format("range_end") + "]"
        "   from app.calendar_range(view, anchor, zone, week_start))",
        "zone text, anchor date, view text, week_start integer",
        cases,
    )  # fmt: skip

    expected = [
        list(map(epoch, range_of(zones, name, view, anchor, week_start))) for name, anchor, view, week_start in cases
    ]
    assert differences(cases, got, expected) == []


@random_batches
@given(data=st.data())
def test_any_quiet_time(
    zones: Zones, database: psycopg.Connection, around: st.SearchStrategy[tuple[str, datetime]], data: st.DataObject
) -> None:
    cases = draw(data, around, bounds, bounds)

    got = answers(
        database, "app.is_quiet_time(at, zone, a, b)", "zone text, at timestamptz, a integer, b integer", cases
    )

    assert differences(cases, got, [is_quiet(zones, *case) for case in cases]) == []


@random_batches
@given(data=st.data())
def test_any_next_send_time(
    zones: Zones, database: psycopg.Connection, around: st.SearchStrategy[tuple[str, datetime]], data: st.DataObject
) -> None:
    cases = draw(data, around, bounds, bounds)

    got = answers(
        database,
        EPOCH.format("app.next_send_time(at, zone, a, b)"),
        "zone text, at timestamptz, a integer, b integer",
        cases,
    )

    assert differences(cases, got, [epoch(next_allowed(zones, *case)) for case in cases]) == []
