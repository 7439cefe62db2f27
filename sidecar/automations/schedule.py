"""When a schedule is due next, without a database.

The rule itself is `app.next_due()`, in SQL, because a due time is worked out in the transaction that saves an
automation, fires it, or changes its org's zone. This is the same rule for callers that have no database at hand, and
for `coach-os automations times`; `tests/py/automations/test_schedule.py` holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_HOUR = 9
LONGEST = 255
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_LAST_DAY_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class ScheduleError(ValueError):
    """A schedule that cannot be meant: what is wrong with it, and at which character (from 1)."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"At character {position}: {reason}.")
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Field:
    low: int
    high: int
    what: str
    names: tuple[str, ...] = ()
    """Names of the values from `low` on."""


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field(0, 59, "a minute is 0 to 59"),
    _Field(0, 23, "an hour is 0 to 23"),
    _Field(1, 31, "a day of the month is 1 to 31"),
    _Field(1, 12, "a month is 1 to 12 or jan to dec", _MONTHS),
    _Field(0, 7, "a day of the week is 0 to 7 or sun to sat", _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class _Cron:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Day of month and day of week are both restricted: one of them is enough."""
    fixed: bool
    """At a time of day, not every so often: minute and hour do not begin with `*`."""

    def on(self, day: date) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((in_month or in_week) if self.either else (in_month and in_week))

    def next_wall(self, wall: datetime) -> datetime:
        """The first match at or after a time on a clock that nobody changes."""
        day = wall.date()
        earliest = (wall.hour, wall.minute)
        while True:
            if day.month not in self.months:
                day = (day.replace(day=1) + 31 * _DAY).replace(day=1)
            elif self.on(day) and (found := self._time_from(*earliest)):
                return datetime(day.year, day.month, day.day, *found)  # noqa: DTZ001 - a wall clock's
            else:
                day += _DAY
            earliest = (0, 0)

    def _time_from(self, hour: int, minute: int) -> tuple[int, int] | None:
        times = ((h, m) for h in self.hours if h >= hour for m in self.minutes if h > hour or m >= minute)
        return next(times, None)


def next_due(schedule: str, timezone: str, after: datetime, hour: int = DEFAULT_HOUR) -> datetime:
    """The first instant, later than `after`, at which a schedule is due, as an aware datetime in UTC.

    `schedule` is `daily`, `weekly` (Mondays), both at `hour`, or five cron fields (minute, hour, day of month, month,
    day of week) on the wall clock of `timezone`, an IANA name. A job at a fixed time runs once on each date that
    matches: a time that a change of clocks skips at the first instant after the gap, one that is repeated at its first
    pass only. A job whose minute or hour begins with `*` follows real time. Day of month and day of week, both
    restricted, match either; a field that begins with `*` is not restricted (crontab(5)). ScheduleError, a ValueError,
    for what is no schedule, and for one that never occurs; ValueError for an unknown zone or a naive `after`.
    """
    cron = _parse(schedule, hour)
    if after.tzinfo is None:
        raise ValueError("after must be aware of its time zone")
    clock = _Clock(timezone)
    return _next_fixed(cron, clock, after) if cron.fixed else _next_real(cron, clock, after)


class _Clock:
    """A zone's wall clock. A change of clocks is looked for within a day, in which nowhere has had two."""

    def __init__(self, timezone: str) -> None:
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"not an IANA time zone: {timezone!r}") from None

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self._zone).replace(tzinfo=None)

    def offset(self, at: datetime) -> timedelta:
        return self.local(at) - at.astimezone(UTC).replace(tzinfo=None)

    def first_pass(self, wall: datetime) -> datetime:
        """The instant of a wall time: its first pass; in a gap, read with the offset before it."""
        return wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)

    def change(self, after: datetime, until: datetime) -> datetime | None:
        """The instant of the change of clocks that is later than `after` and not later than `until`."""
        before = self.offset(after)
        if self.offset(until) == before:
            return None
        low, high = int(after.timestamp()), int(-(-until.timestamp() // 1))
        while high - low > 1:
            middle = (low + high) // 2
            if self.offset(datetime.fromtimestamp(middle, UTC)) == before:
                low = middle
            else:
                high = middle
        return datetime.fromtimestamp(high, UTC)

    def before_gap(self, at: datetime) -> datetime | None:
        """For `at`, which `first_pass` made of a skipped wall time: when the clocks skipped it."""
        return self.change(at - _DAY, at)


def _next_fixed(cron: _Cron, clock: _Clock, after: datetime) -> datetime:
    wall = cron.next_wall(clock.local(after).replace(second=0, microsecond=0))
    while True:
        at = clock.first_pass(wall)
        if clock.local(at) != wall:
            at = clock.before_gap(at) or at
        if at > after:
            return at
        wall = cron.next_wall(wall + _MINUTE)


def _next_real(cron: _Cron, clock: _Clock, after: datetime) -> datetime:
    at = after.astimezone(UTC) + timedelta(microseconds=1)
    while True:
        local = clock.local(at)
        whole = local.replace(second=0, microsecond=0)
        wall = cron.next_wall(whole if whole == local else whole + _MINUTE)
        change = clock.change(at, at + _DAY)
        found = at + (wall - local)  # if nobody changes this clock until then
        if change is not None:
            if found < change:
                return found
            at = change
            continue
        if found <= at + _DAY:
            return found
        found = clock.first_pass(wall)
        if clock.local(found) == wall:
            return found
        at = clock.before_gap(found) or found


def _parse(schedule: str, hour: int) -> _Cron:
    if schedule == "daily":
        schedule = f"0 {hour} * * *"
    elif schedule == "weekly":
        schedule = f"0 {hour} * * 1"
    if len(schedule) > LONGEST:
        raise ScheduleError(LONGEST + 1, f"a schedule has at most {LONGEST} characters")
    texts = [(match.start() + 1, match.group()) for match in re.finditer(r"[^ \t]+", schedule)]
    if len(texts) != len(_FIELDS):
        raise ScheduleError(
            texts[5][0] if len(texts) > len(_FIELDS) else len(schedule) + 1,
            "a schedule is daily, weekly, or five fields: minute, hour, day of month, month, day of week",
        )
    minutes, hours, days, months, weekdays = (
        sorted(set(_values(text, at, field))) for (at, text), field in zip(texts, _FIELDS, strict=True)
    )
    minute_text, hour_text, day_text, _, weekday_text = (text for _, text in texts)
    either = not day_text.startswith("*") and not weekday_text.startswith("*")
    # Every day of the week is a 29 February at some time, so only the day of the month can keep a date from coming.
    if not either and all(min(days) > _LAST_DAY_OF_MONTH[month - 1] for month in months):
        raise ScheduleError(texts[2][0], "that day is in none of these months")
    return _Cron(
        tuple(minutes),
        tuple(hours),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        either,
        not minute_text.startswith("*") and not hour_text.startswith("*"),
    )


def _values(text: str, at: int, field: _Field) -> Iterator[int]:
    for item in text.split(","):
        base, slash, step_text = item.partition("/")
        first_text, dash, last_text = base.partition("-")
        if base == "*":
            first, last = field.low, field.high
        else:
            first = _value(first_text, at, field)
            if dash:
                last = _value(last_text, at + len(first_text) + 1, field)
                if last < first:
                    raise ScheduleError(at, "a range begins with the smaller value")
            else:
                last = field.high if slash else first
        step = 1
        if slash:
            if not re.fullmatch(r"[0-9]{1,3}", step_text) or not int(step_text):
                raise ScheduleError(at + len(base) + 1, "a step is a number from 1 on")
            step = int(step_text)
        yield from range(first, last + 1, step)
        at += len(item) + 1


def _value(text: str, at: int, field: _Field) -> int:
    if text.lower() in field.names:
        return field.low + field.names.index(text.lower())
    if re.fullmatch(r"[0-9]{1,2}", text) and field.low <= int(text) <= field.high:
        return int(text)
    raise ScheduleError(at, field.what)
