"""Random lives of one booking, played to Postgres and to a plain model of the outbox: they always agree.

The model knows the rules as they are promised (docs/architecture.md, the way of a text), not how they are kept. Each
example is one transaction, rolled back at its end, in which Postgres' clock stands still; that time passes means that
everything stored moves into the past. `./just soak-texts` plays for as long as one likes.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row

from devstack.postgres import ADMIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Org, World

HOUR, DAY = 60, 1440
STATUSES = ("pending", "confirmed", "completed", "no_show", "cancelled")
OFFSETS = (HOUR, 3 * HOUR, DAY, 30 * HOUR)
WAITING = "waiting"
SWITCHES = {
    "send_booking_confirmations": "confirmations_off",
    "send_session_reminders": "reminders_off",
    "send_feedback_requests": "follow_ups_off",
}
CLIENT_SWITCHES = {"sms_reminder_enabled": "client_reminders_off", "sms_followup_enabled": "client_follow_ups_off"}
SWITCHES_OF = {
    "booking_confirmation": ("send_booking_confirmations",),
    "booking_moved": ("send_booking_confirmations",),
    "booking_cancelled": ("send_booking_confirmations",),
    "reminder": ("send_session_reminders", "sms_reminder_enabled"),
    "unconfirmed_warning": ("send_session_reminders", "sms_reminder_enabled"),
    "follow_up": ("send_feedback_requests", "sms_followup_enabled"),
}
OF_A_SESSION_TO_COME = ("booking_confirmation", "booking_moved", "reminder", "unconfirmed_warning")


@dataclass
class Text:
    """A row of the outbox. Times are minutes from now."""

    kind: str
    client: int
    key: tuple[Any, ...]
    version: int
    at: int
    until: int
    schedule: UUID | None = None
    state: str = WAITING
    reason: str | None = None

    def give_up(self, reason: str, *, for_good: bool = False) -> None:
        """Not sent. What may come to hold again gives up its key."""
        self.state, self.reason = "cancelled", reason
        if not for_good:
            self.key = ()

    def shown(self) -> tuple[Any, ...]:
        """As it is compared."""
        return (self.kind, self.client, self.state, self.reason, self.at, self.until, str(self.schedule))


@dataclass
class Schedule:
    """Minutes before (pre) or after (post) the session; `since`: when this was decided."""

    pre: bool
    offset: int
    enabled: bool = True
    since: int = 0


@dataclass
class Booking:
    """The session. `asked`: when the client was asked to confirm."""

    client: int
    start: int
    status: str
    end: int = 0
    version: int = 1
    version_at: int = 0
    confirmed: bool = False
    asked: int | None = None


@dataclass
class Model:
    """What the outbox holds, by the rules."""

    booking: Booking
    schedules: dict[UUID, Schedule] = field(default_factory=dict)
    switched_off: set[str] = field(default_factory=set)
    texts: list[Text] = field(default_factory=list)
    ticked: int = 0

    # -- one text -----------------------------------------------------------------------------------------------------

    def waiting(self, **wanted: Any) -> list[Text]:  # noqa: ANN401 - of any field
        return [t for t in self.texts if t.state == WAITING and all(getattr(t, k) == v for k, v in wanted.items())]

    def switched(self, kind: str) -> str | None:
        reasons = SWITCHES | CLIENT_SWITCHES
        return next((reasons[s] for s in SWITCHES_OF[kind] if s in self.switched_off), None)

    def say(self, text: Text) -> bool:
        if self.switched(text.kind) or any(t.key == text.key for t in self.texts):
            return False
        self.texts.append(text)
        return True

    def untrue(self, text: Text) -> str | None:  # noqa: PLR0911 - one for each reason
        """Why what it says holds no more."""
        b = self.booking
        if text.kind == "booking_cancelled" and text.client != b.client:
            return None
        if text.version != b.version:
            if b.status == "cancelled":
                return "booking_cancelled"
            if text.client != b.client:
                return "booking_reassigned"
            return "booking_reinstated" if text.kind == "booking_cancelled" else "booking_moved"
        if text.kind in OF_A_SESSION_TO_COME and b.status != "confirmed":
            return "booking_cancelled" if b.status == "cancelled" else "booking_no_longer_stands"
        if text.kind == "unconfirmed_warning" and b.confirmed:
            return "already_confirmed"
        if text.kind == "follow_up" and b.status != "completed":
            return "booking_no_longer_stands"
        return "booking_reinstated" if text.kind == "booking_cancelled" and b.status != "cancelled" else None

    # -- the booking --------------------------------------------------------------------------------------------------

    def change(self, new: Booking) -> None:
        """The booking becomes `new`, whose version is still the old one's."""
        old, self.booking = self.booking, new
        put = new.start != old.start or new.client != old.client
        changed = put or (new.status == "cancelled") != (old.status == "cancelled")
        if changed:
            new.version, new.version_at = old.version + 1, 0
            if new.status != "cancelled":
                new.confirmed, new.asked = False, None
        again = self._take_back(old, changed=changed)
        if new.status == "confirmed" and new.start > 0 and (changed or old.status != "confirmed"):
            moved = changed and old.status == "confirmed" and new.client == old.client
            self.confirm("booking_moved" if moved else "booking_confirmation")
        if old.status == "confirmed" and old.start > 0 and (new.status == "cancelled" or new.client != old.client):
            self.say(Text("booking_cancelled", old.client, ("cancelled", new.version), new.version, 0, old.start))
        if new.status == "completed":
            for schedule in [*self.schedules] if old.status != "completed" else again:
                self.thank(schedule)

    def _take_back(self, old: Booking, *, changed: bool) -> list[UUID]:
        """What waits and holds no more; the schedules of the follow-ups among it."""
        again = []
        for text in self.waiting():
            longer = (
                text.kind == "follow_up"
                and old.status == self.booking.status == "completed"
                and (self.booking.end != old.end)
            )
            reason = self.untrue(text) if changed else "booking_moved" if longer else None
            if reason is not None:
                text.give_up(reason)
                if text.kind == "follow_up" and text.schedule is not None:
                    again.append(text.schedule)
        return again

    def confirm(self, kind: str) -> None:
        b = self.booking
        self.say(Text(kind, b.client, ("confirmation", b.version), b.version, 0, b.start))

    def thank(self, schedule: UUID) -> None:
        b, s = self.booking, self.schedules[schedule]
        if not s.pre and s.enabled:
            at = b.end + s.offset
            self.say(Text("follow_up", b.client, (schedule, b.version), b.version, at, at + 2 * DAY, schedule))

    # -- schedules ----------------------------------------------------------------------------------------------------

    def remind(self, schedule: UUID) -> None:
        b, s = self.booking, self.schedules[schedule]
        at = b.start - s.offset
        until = min(b.start, at + 12 * HOUR)
        if self.say(Text("reminder", b.client, (schedule, b.version), b.version, at, until, schedule)):
            for text in self.waiting(kind="reminder"):
                other = self.schedules.get(text.schedule) if text.schedule else None
                if other and other.offset > s.offset:
                    text.give_up("superseded", for_good=True)

    def add(self, schedule: UUID, new: Schedule) -> None:
        self.schedules[schedule] = new
        self._decide_anew(schedule, waited=False)

    def edit(self, schedule: UUID, offset: int | None, *, enabled: bool) -> None:
        s = self.schedules[schedule]
        if (offset or s.offset, enabled) == (s.offset, s.enabled):
            return
        if (offset and offset != s.offset) or (enabled and not s.enabled):
            s.since = 0
        s.offset, s.enabled = offset or s.offset, enabled
        waited = self.waiting(schedule=schedule)
        for text in waited:
            text.give_up("schedule_changed" if enabled else "schedule_off")
        self._decide_anew(schedule, waited=bool(waited))

    def _decide_anew(self, schedule: UUID, *, waited: bool) -> None:
        b, s = self.booking, self.schedules[schedule]
        if s.enabled and s.pre and waited and b.status == "confirmed" and b.start > 0 >= b.start - s.offset:
            self.remind(schedule)
        if s.enabled and not s.pre and b.status == "completed" and (waited or b.end + s.offset > 0):
            self.thank(schedule)

    def delete(self, schedule: UUID) -> None:
        for text in self.waiting(schedule=schedule):
            text.give_up("schedule_off")
        del self.schedules[schedule]

    # -- the worker ---------------------------------------------------------------------------------------------------

    def tick(self, clock: int) -> int:
        """What falls due, by a clock that may be wrong."""
        b = self.booking
        since = clock - 37 * HOUR
        if self.ticked <= clock + 5:
            since = max(since, self.ticked - 5)
        self.ticked = clock

        def due(offset: int, not_before: int) -> bool:
            at = b.start - offset
            return since < at <= clock and at > max(b.version_at, not_before) and clock < min(b.start, at + 12 * HOUR)

        if b.status != "confirmed":
            return 0
        found: list[tuple[int, UUID | None]] = []
        for id_, s in self.schedules.items():
            nearer = [
                n
                for n in self.schedules.values()
                if n.pre and n.enabled and n.offset < s.offset
                and max(b.version_at, n.since) < b.start - n.offset <= clock
            ]  # fmt: skip
            decided = any(t.key == (id_, b.version) for t in self.texts)
            if s.pre and s.enabled and due(s.offset, s.since) and not nearer and not decided:
                found.append((b.start - s.offset, id_))
        asked = b.asked is not None and b.asked <= clock - 2 * HOUR and not b.confirmed
        decided = any(t.key == ("unconfirmed", b.version) for t in self.texts)
        if asked and due(26 * HOUR, b.version_at) and not decided:
            found.append((b.start - 26 * HOUR, None))
        if self.switched("reminder"):
            return 0
        for at, schedule in found:
            if schedule is None:
                until = min(b.start, at + 12 * HOUR)
                self.say(Text("unconfirmed_warning", b.client, ("unconfirmed", b.version), b.version, at, until))
            else:
                self.remind(schedule)
        return len(found)

    def send(self) -> int:
        """A sender comes by, and Twilio takes everything."""
        sent = 0
        for text in self.waiting():
            if text.at > 0:
                continue
            schedule = self.schedules.get(text.schedule) if text.schedule else None
            reason = (
                self.untrue(text)
                or self.switched(text.kind)
                or ("schedule_off" if text.schedule and not (schedule and schedule.enabled) else None)
                or ("too_late" if text.until <= 0 else None)
            )
            if reason is not None:
                text.give_up(reason, for_good=not reason.startswith(("booking_", "schedule_")))
                continue
            text.state = "sent"
            sent += 1
            if text.kind in ("booking_confirmation", "booking_moved") and text.version == self.booking.version:
                self.booking.asked = 0
        return sent

    def pass_time(self, minutes: int) -> None:
        b = self.booking
        b.start, b.end, b.version_at = b.start - minutes, b.end - minutes, b.version_at - minutes
        b.asked = None if b.asked is None else b.asked - minutes
        self.ticked -= minutes
        for text in self.texts:
            text.at, text.until = text.at - minutes, text.until - minutes
        for schedule in self.schedules.values():
            schedule.since -= minutes


# -- playing to Postgres ----------------------------------------------------------------------------------------------


@dataclass
class Table:
    """Where the game is played."""

    db: psycopg.Connection[dict[str, Any]]
    org: Org
    clients: tuple[UUID, UUID]


starts = st.builds(
    lambda hours, minutes: hours * HOUR + minutes,
    # Around each offset, and far enough ahead that all of them are still to come.
    st.sampled_from([-3, 0, 1, 2, 4, 8, 24, 26, 31, 40, 50, 60, 70, 80]), st.sampled_from([0, 1, 30]),
)  # fmt: skip


class Texts(RuleBasedStateMachine):
    """One booking of two clients, up to five schedules, a worker, and time."""

    table: ClassVar[Table]
    steps: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.db = self.table.db
        self.db.execute("begin")
        self.booking_id = uuid4()

    def teardown(self) -> None:
        self.db.execute("rollback")

    def _at(self, minutes: int) -> timedelta:
        return timedelta(minutes=minutes)

    @initialize(
        start=starts, status=st.sampled_from(["confirmed", "confirmed", "pending"]),
        offsets=st.lists(st.sampled_from(OFFSETS), min_size=2, max_size=2), after=st.sampled_from(OFFSETS),
    )  # fmt: skip
    def book(self, start: int, status: str, offsets: list[int], after: int) -> None:
        self.db.execute("update app.reminder_progress set queued_until = now()")
        self.model = Model(Booking(-1, 0, "none"))
        for offset in offsets:
            self._schedule(Schedule(pre=True, offset=offset))
        self._schedule(Schedule(pre=False, offset=after))
        self.db.execute(
            "insert into public.bookings (id, org_id, client_id, start_time, end_time, status)"
            " values (%s, %s, %s, now() + %s, now() + %s, %s)",
            [
                self.booking_id,
                self.table.org.id,
                self.table.clients[0],
                self._at(start),
                self._at(start + HOUR),
                status,
            ],
        )
        self.model.booking = Booking(0, start, status, end=start + HOUR)
        if status == "confirmed" and start > 0:
            self.model.confirm("booking_confirmation")

    # -- somebody changes the booking ---------------------------------------------------------------------------------

    def _change(self, **changes: Any) -> None:  # noqa: ANN401 - of any column
        Texts.steps += 1
        b = self.model.booking
        new = Booking(
            changes.get("client", b.client), changes.get("start", b.start), changes.get("status", b.status),
            changes.get("end", b.end), b.version, b.version_at, b.confirmed, b.asked,
        )  # fmt: skip
        if b.status == "cancelled" and new.status == "completed":
            return  # refused: see tests/sql/sessions
        self.db.execute(
            "update public.bookings set client_id = %s, start_time = now() + %s, end_time = now() + %s, status = %s"
            " where id = %s",
            [self.table.clients[new.client], self._at(new.start), self._at(new.end), new.status, self.booking_id],
        )
        self.model.change(new)

    @rule(start=starts, mins=st.sampled_from([30, HOUR, 90]), and_back=st.sampled_from([False, False, True]))
    def move(self, start: int, mins: int, and_back: bool) -> None:
        there, until = self.model.booking.start, self.model.booking.end
        self._change(start=start, end=start + mins)
        if and_back:
            self._change(start=there, end=until)

    @rule(status=st.sampled_from([*STATUSES, "confirmed", "confirmed", "cancelled"]))
    def set_status(self, status: str) -> None:
        self._change(status=status)

    @rule(
        data=st.data(), what=st.sampled_from(["client", "end", "everything", "answer"]),
        client=st.sampled_from([0, 1]), status=st.sampled_from(STATUSES),
    )  # fmt: skip
    def change_something_else(self, data: st.DataObject, what: str, client: int, status: str) -> None:
        if what == "client":
            self._change(client=client)
        elif what == "end":
            self._change(end=self.model.booking.start + data.draw(st.sampled_from([15, HOUR, 3 * HOUR])))
        elif what == "everything":
            start = data.draw(starts)
            self._change(start=start, end=start + HOUR, status=status, client=client)
        else:
            self.db.execute("update public.bookings set client_confirmed = true where id = %s", [self.booking_id])
            self.model.booking.confirmed = True

    # -- somebody changes the settings --------------------------------------------------------------------------------

    def _schedule(self, new: Schedule) -> None:
        id_ = uuid4()
        self.db.execute(
            "insert into public.sms_schedules (id, org_id, type, label, mins_offset, body, enabled)"
            " values (%s, %s, %s, 'x', %s, 'x', %s)",
            [id_, self.table.org.id, "pre_session" if new.pre else "post_session", new.offset, new.enabled],
        )
        self.model.add(id_, new)

    @precondition(lambda self: len(self.model.schedules) < 5)
    @rule(
        pre=st.sampled_from([True, True, False]),
        offset=st.sampled_from(OFFSETS),
        enabled=st.sampled_from([True, True, False]),
    )
    def add_schedule(self, pre: bool, offset: int, enabled: bool) -> None:
        self._schedule(Schedule(pre, offset, enabled))

    @precondition(lambda self: self.model.schedules)
    @rule(
        data=st.data(), offset=st.sampled_from([None, *OFFSETS]), enabled=st.sampled_from([True, True, True, False]),
        delete=st.sampled_from([False, False, False, True]),
    )  # fmt: skip
    def edit_schedule(self, data: st.DataObject, offset: int | None, enabled: bool, delete: bool) -> None:
        id_ = data.draw(st.sampled_from(list(self.model.schedules)))
        if delete:
            self.db.execute("delete from public.sms_schedules where id = %s", [id_])
            self.model.delete(id_)
            return
        self.db.execute(
            "update public.sms_schedules set mins_offset = coalesce(%s, mins_offset), enabled = %s where id = %s",
            [offset, enabled, id_],
        )
        self.model.edit(id_, offset, enabled=enabled)

    @rule(switch=st.sampled_from([*SWITCHES, *CLIENT_SWITCHES]), really=st.sampled_from([False, False, True]))
    def throw_switch(self, switch: str, really: bool) -> None:
        on = switch in self.model.switched_off
        if not (on or really):
            return  # off for long, nothing would happen any more
        (self.model.switched_off.remove if on else self.model.switched_off.add)(switch)
        table = "sms_settings" if switch in SWITCHES else "clients"
        self.db.execute(f"update public.{table} set {switch} = %s where org_id = %s".encode(), [on, self.table.org.id])

    # -- time, and the worker -----------------------------------------------------------------------------------------

    @rule(minutes=st.one_of(st.integers(1, 3 * HOUR), st.sampled_from([HOUR, DAY, 40 * HOUR])))
    def time_passes(self, minutes: int) -> None:
        self.db.execute("set local session_replication_role = replica")
        for statement in (
            "update public.bookings set start_time = start_time - %(d)s, end_time = end_time - %(d)s,"
            " text_version_at = text_version_at - %(d)s, confirmation_sent_at = confirmation_sent_at - %(d)s",
            "update public.sms_messages set scheduled_for = scheduled_for - %(d)s, expires_at = expires_at - %(d)s",
            "update public.sms_schedules set timing_since = timing_since - %(d)s",
            "update app.reminder_progress set queued_until = queued_until - %(d)s",
        ):
            self.db.execute(statement, {"d": self._at(minutes)})
        self.db.execute("set local session_replication_role = origin")
        self.model.pass_time(minutes)

    @rule(minutes=st.sampled_from([0, 1, 5, 30, HOUR, 2 * HOUR]))
    def time_passes_and_the_worker_ticks(self, minutes: int) -> None:
        self.time_passes(minutes)
        self._tick(0)
        self.send()

    @precondition(lambda self: self.model.schedules)
    @rule(data=st.data(), late=st.sampled_from([0, 1, HOUR, 3 * HOUR, 5 * HOUR, 12 * HOUR - 1, 12 * HOUR, 13 * HOUR]))
    def the_worker_is_late_for_a_reminder(self, data: st.DataObject, late: int) -> None:
        """What it then writes is not sent yet."""
        schedule = self.model.schedules[data.draw(st.sampled_from(list(self.model.schedules)))]
        until = self.model.booking.start - schedule.offset + late
        if until > 0:
            self.time_passes(until)
        self._tick(0)

    @rule(clock=st.one_of(st.integers(-3 * HOUR, 3 * HOUR), st.sampled_from([-2 * DAY, 2 * DAY])))
    def tick_by_a_wrong_clock(self, clock: int) -> None:
        self._tick(clock)

    def _tick(self, clock: int) -> None:
        Texts.steps += 1
        row = self.db.execute("select app.queue_reminders(now() + %s) as n", [self._at(clock)]).fetchone()
        assert row is not None
        assert row["n"] == self.model.tick(clock)

    @rule()
    def send(self) -> None:
        Texts.steps += 1
        claimed = self.db.execute("select message_id from app.claim_sms(now(), 100)").fetchall()
        for row in claimed:
            self.db.execute("select app.settle_sms(%s, 'sent', %s)", [row["message_id"], str(row["message_id"])])
        assert len(claimed) == self.model.send()

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def compare(self) -> None:
        rows = self.db.execute(
            """
            select m.template_key as kind, m.client_id, m.status, m.error_code, m.schedule_id,
                   (extract(epoch from m.scheduled_for - now()) / 60)::integer as at,
                   (extract(epoch from m.expires_at - now()) / 60)::integer as until
              from public.sms_messages as m
            """
        ).fetchall()
        found = [
            (
                r["kind"], self.table.clients.index(r["client_id"]),
                WAITING if r["status"] in ("pending", "queued") else r["status"],
                r["error_code"], r["at"], r["until"], str(r["schedule_id"]),
            )
            for r in rows
        ]  # fmt: skip
        assert sorted(found, key=repr) == sorted((t.shown() for t in self.model.texts), key=repr)
        b = self.model.booking
        row = self.db.execute(
            "select text_version, client_confirmed, confirmation_sent_at is not null as asked"
            " from public.bookings where id = %s",
            [self.booking_id],
        ).fetchone()
        assert row == {"text_version": b.version, "client_confirmed": b.confirmed, "asked": b.asked is not None}
        # Whatever else: what waits, of the kinds that say how things stand, is about the booking as it is.
        standing = self.model.waiting(version=b.version, client=b.client)
        assert sum(t.kind in ("booking_confirmation", "booking_moved", "booking_cancelled") for t in standing) <= 1


@pytest.fixture
def table(world: World) -> Iterator[Table]:
    """An org that texts at any hour, with two clients, and no schedules."""
    org = world.org()
    clients = (org.client_id, world.client(org, "+61491570158"))
    world.db.execute("delete from public.sms_schedules")
    with psycopg.connect(world.url(ADMIN), autocommit=True, row_factory=dict_row) as db:
        yield Table(db, org, clients)


def test_random_lives_of_a_booking_agree_with_the_model(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    examples = int(os.environ.get("SOAK_EXAMPLES", "15"))
    steps = int(os.environ.get("SOAK_STEPS", "30"))
    number = int(os.environ.get("SOAK_SEED", random.randrange(2**32)))  # noqa: S311 - nothing to be kept secret
    with capsys.disabled():
        print(f"\ntexts machine: SOAK_SEED={number}", file=sys.stderr)  # noqa: T201 - what plays it again
    Texts.table, Texts.steps = table, 0
    run_state_machine_as_test(
        seed(number)(Texts),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    with capsys.disabled():
        print(f"texts machine: {Texts.steps} steps, all as the model says", file=sys.stderr)  # noqa: T201
