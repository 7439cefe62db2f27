"""`./just demo`: a coach's day, played through the real front doors of the running stack.

Every step shows what the database holds afterwards; a step whose evidence is missing ends the day with exit status 1.
"""

from __future__ import annotations

import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from supabase import Client, ClientOptions, create_client

from devstack.problems import Problem, told
from devstack.stack import Stack
from devstack.up import await_ready

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER_PATIENCE_S = 100
"""The worker looks every minute; a little more than that means it is not working."""

ZONES = [
    "Pacific/Auckland", "Australia/Brisbane", "Asia/Tokyo", "Asia/Kolkata", "Asia/Dubai", "Europe/Berlin",
    "Atlantic/Azores", "America/Sao_Paulo", "America/New_York", "America/Denver", "Pacific/Honolulu",
]  # fmt: skip


class Missing(Exception):
    """The evidence of a step is not in the database."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a step must have caused: what it is, and what the database says."""

    what: str
    found: object
    expected: object

    @property
    def holds(self) -> bool:
        """Whether it is there."""
        return self.found == self.expected


class Day:
    """One coach's day: the doors it goes through, and the eyes it looks with."""

    def __init__(self, stack: Stack, console: Console) -> None:
        self.stack = stack
        self.console = console
        self.tag = secrets.token_hex(3)
        # Numbers nobody owns (https://www.acma.gov.au/phone-numbers-use-tv-shows-films-and-creative-works), and a
        # new pair each time, so that the day can be played again on the same stack.
        self.coach_phone = f"+1500555{secrets.randbelow(9000) + 1000}"
        self.client_phone = f"+6149157{secrets.randbelow(9000) + 1000}"
        self.coach = self._browser_tab()
        self.http = httpx.Client(timeout=30)
        self.db = psycopg.connect(
            stack.database_url(),
            autocommit=True,
            row_factory=dict_row,
            options="-c default_transaction_read_only=on",
        )

    def _browser_tab(self) -> Client:
        options = ClientOptions(auto_refresh_token=False)
        return create_client(self.stack.api_url, self.stack.settings()["SUPABASE_PUBLISHABLE_KEY"], options)

    def look(self, query: str, *arguments: object) -> dict[str, Any]:
        """One row, straight from the database."""
        row = self.db.execute(query, arguments).fetchone()
        return row or {}

    def wait_for(self, what: str, happened: Callable[[], bool], within_s: float = 20) -> None:
        """Return once it has happened; Missing when it does not in time."""
        deadline = time.monotonic() + within_s
        with self.console.status(what):
            while not happened():
                if time.monotonic() > deadline:
                    raise Missing(f"{what}: nothing within {within_s:.0f} s")
                time.sleep(0.2)

    def step(self, title: str) -> None:
        """Announce a step."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def show(self, *facts: Fact) -> None:
        """Print the evidence; Missing when any of it is not as it must be."""
        for fact in facts:
            mark = "[green]✓[/green]" if fact.holds else "[red]✗[/red]"
            wanted = "" if fact.holds else f"   [red]expected {fact.expected}[/red]"
            self.console.print(f"  {mark} {fact.what}: {fact.found}{wanted}")
        if not all(fact.holds for fact in facts):
            raise Missing(next(fact.what for fact in facts if not fact.holds))

    # -- the day ------------------------------------------------------------------------------------------------

    def sign_up(self) -> None:
        """A coach signs up and gets an org."""
        self.step("A coach signs up and opens a business")
        self.email = f"coach-{self.tag}@demo.coach-os.test"
        self.password = secrets.token_urlsafe(12)
        self.coach.auth.sign_up({"email": self.email, "password": self.password})
        # Where it is about noon just now: texts keep quiet hours.
        zone = min(ZONES, key=lambda z: abs(datetime.now(ZoneInfo(z)).hour - 12))
        org: Any = self.coach.rpc("create_org", {"p_name": f"Coaching {self.tag}", "p_timezone": zone}).execute().data
        self.org_id = (org[0] if isinstance(org, list) else org)["id"]
        found = self.look(
            """
            select o.timezone, m.role::text, b.display_name, s.timezone as settings_zone, t.timezone as sms_zone,
                   (select count(*) from public.session_types as y where y.org_id = o.id) as session_types
              from public.orgs as o
              join public.org_members as m on m.org_id = o.id
              join public.branding as b on b.org_id = o.id
              join public.booking_settings as s on s.org_id = o.id
              join public.sms_settings as t on t.org_id = o.id
             where o.id = %s
            """,
            self.org_id,
        )
        self.show(
            Fact("the coach's role", found.get("role"), "owner"),
            Fact("branding", found.get("display_name"), f"Coaching {self.tag}"),
            Fact("the one time zone", found.get("timezone"), zone),
            Fact("its two mirrors", (found.get("settings_zone"), found.get("sms_zone")), (zone, zone)),
            Fact("default session types", found.get("session_types"), 3),
        )

    def set_up(self) -> None:
        """The coach gets a number to text from and an account to be paid to."""
        self.step("The coach sets up texting and payments")
        self.coach.table("sms_schedules").update({"mins_offset": 0}).eq("org_id", self.org_id).eq(
            "type", "post_session"
        ).execute()
        # The account as Stripe's onboarding will leave it; the platform's key writes both, the coach's cannot.
        self.account = f"acct_demo{self.tag}"
        platform = create_client(self.stack.api_url, self.stack.settings()["SUPABASE_SECRET_KEY"])
        platform.table("sms_settings").update({"twilio_phone_number": self.coach_phone}).eq(
            "org_id", self.org_id
        ).execute()
        platform.table("stripe_accounts").insert(
            {"org_id": self.org_id, "stripe_account_id": self.account, "charges_enabled": True}
        ).execute()
        found = self.look(
            """
            select s.twilio_phone_number, a.charges_enabled
              from public.sms_settings as s join public.stripe_accounts as a using (org_id) where s.org_id = %s
            """,
            self.org_id,
        )
        self.show(
            Fact("sender of texts", found.get("twilio_phone_number"), self.coach_phone),
            Fact("payments enabled", found.get("charges_enabled"), True),
        )

    def add_client(self) -> None:
        """The coach adds a client."""
        self.step("The coach adds a client")
        row: Any = (
            self.coach.table("clients")
            .insert({"org_id": self.org_id, "full_name": "Jordan Lee", "phone": self.client_phone})
            .execute()
            .data[0]
        )
        self.client_id = row["id"]
        found = self.look("select full_name from public.clients where id = %s", self.client_id)
        self.show(Fact("client", found.get("full_name"), "Jordan Lee"))

    def sell_pack(self) -> None:
        """The client buys ten sessions; Stripe reports it three times."""
        self.step("The client buys ten sessions; Stripe delivers the event three times")
        offer: Any = (
            self.coach.table("offers")
            .insert(
                {
                    "org_id": self.org_id,
                    "name": "Ten sessions",
                    "offer_type": "session_pack",
                    "price_cents": 90000,
                    "sessions_included": 10,
                }
            )
            .execute()
            .data[0]
        )
        session = self.coach.auth.get_session()
        token = session.access_token if session else ""
        opened = self.http.post(
            f"{self.stack.sidecar_url}/checkout",
            json={"client_id": self.client_id, "offer_id": offer["id"]},
            headers={"Authorization": f"Bearer {token}"},
        )
        if opened.status_code != 201:
            raise Missing(f"the payment page: POST /checkout answered {opened.status_code} {opened.text}")
        page = opened.json()["url"]
        paid = self.http.post(
            f"{self.stack.stripe_url}/_control/pay",
            json={"session_id": page.rsplit("/", 1)[1], "delivery": "now"},
        ).json()
        again = self.http.post(
            f"{self.stack.stripe_url}/_control/deliver",
            json={"event_id": paid["event_id"], "times": 2, "parallel": True},
        ).json()
        statuses = [d["status"] for d in paid["deliveries"]] + again["statuses"]
        found = self.look(
            """
            select (select count(*) from app.webhook_events as e where e.event_id = %s) as events,
                   (select e.status from app.webhook_events as e where e.event_id = %s) as outcome,
                   (select count(*) from public.client_purchases as p where p.client_id = %s) as packs,
                   (select sum(p.sessions_total) from public.client_purchases as p where p.client_id = %s) as sessions,
                   (select count(*) from public.money_events as m where m.org_id = %s) as money_rows,
                   (select sum(m.amount_cents) from public.money_events as m
                     where m.org_id = %s and m.type = 'INCOME') as income
            """,
            paid["event_id"], paid["event_id"], self.client_id, self.client_id, self.org_id, self.org_id,
        )  # fmt: skip
        self.show(
            Fact("answers to Stripe", statuses, [200, 200, 200]),
            Fact("events kept", found["events"], 1),
            Fact("outcome", found["outcome"], "applied"),
            Fact("packs", found["packs"], 1),
            Fact("sessions bought", found["sessions"], 10),
            Fact("rows in the books (income, Stripe's fee, ours)", found["money_rows"], 3),
            Fact("income (cents)", int(found["income"] or 0), 90000),
        )
        self.purchase_id = self.look(
            "select id::text from public.client_purchases where client_id = %s", self.client_id
        )["id"]

    def _book(self, start: datetime, end: datetime) -> str:
        row: Any = (
            self.coach.table("bookings")
            .insert(
                {
                    "org_id": self.org_id,
                    "client_id": self.client_id,
                    "purchase_id": self.purchase_id,
                    "start_time": start.isoformat(),
                    "end_time": end.isoformat(),
                    "duration_mins": round((end - start).total_seconds() / 60),
                }
            )
            .execute()
            .data[0]
        )
        return str(row["id"])

    def worker_completes(self) -> None:
        """A session ends while nobody has the calendar open."""
        self.step("A session on that pack ends while nothing is open; the worker completes it")
        end = datetime.now(UTC) + timedelta(seconds=2)
        booking_id = self._book(end - timedelta(hours=1), end)
        self.wait_for(
            "waiting for the worker's next tick (up to a minute) ...",
            lambda: self.look("select status from public.bookings where id = %s", booking_id)["status"] == "completed",
            WORKER_PATIENCE_S,
        )
        found = self.look(
            """
            select count(*) as entries, sum(l.delta) as taken, bool_and(l.actor_id is null) as by_the_system,
                   (select p.sessions_remaining from public.client_purchases as p where p.id = %s) as remaining
              from public.session_ledger as l where l.booking_id = %s
            """,
            self.purchase_id,
            booking_id,
        )
        self.show(
            Fact("ledger entries of the booking", found["entries"], 1),
            Fact("sessions taken", found["taken"], 1),
            Fact("taken by the system, not a person", found["by_the_system"], True),
            Fact("sessions left", found["remaining"], 9),
        )

        self.step("The follow-up text leaves the outbox")
        text = "select * from public.sms_messages where related_entity_id = %s and template_key = 'follow_up'"
        self.wait_for(
            "waiting for the text to be delivered ...",
            lambda: self.look(text, booking_id).get("status") == "delivered",
        )
        found = self.look(text, booking_id)
        self.show(
            Fact("state in the outbox", found["status"], "delivered"),
            Fact("seen by the phone", self._texts(found["body"]), 1),
        )
        self.console.print(f"    “{found['body']}”", style="dim")

    def two_tabs(self) -> None:
        """Two tabs complete the same booking at the same moment."""
        self.step("Two browser tabs complete the same booking at once")
        booking_id = self._book(datetime.now(UTC) - timedelta(minutes=30), datetime.now(UTC) + timedelta(minutes=30))
        tabs = [self._browser_tab() for _ in range(2)]
        for tab in tabs:
            tab.auth.sign_in_with_password({"email": self.email, "password": self.password})

        def complete(tab: Client) -> None:
            tab.table("bookings").update({"status": "completed"}).eq("id", booking_id).execute()

        with ThreadPoolExecutor(len(tabs)) as pool:
            list(pool.map(complete, tabs))
        found = self.look(
            """
            select count(*) as entries,
                   (select p.sessions_remaining from public.client_purchases as p where p.id = %s) as remaining
              from public.session_ledger as l where l.booking_id = %s
            """,
            self.purchase_id,
            booking_id,
        )
        self.show(
            Fact("ledger entries of the booking", found["entries"], 1),
            Fact("sessions left", found["remaining"], 8),
        )

    def client_confirms(self) -> None:
        """The client answers Y to the text about the next booking."""
        self.step("The next booking: the client is asked, and answers Y")
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        booking_id = self._book(tomorrow, tomorrow + timedelta(hours=1))
        booking = "select client_confirmed, confirmation_sent_at from public.bookings where id = %s"
        self.wait_for(
            "waiting for the confirmation text ...",
            lambda: self.look(booking, booking_id)["confirmation_sent_at"] is not None,
            WORKER_PATIENCE_S,
        )
        asked = self.look("select body from public.sms_messages where related_entity_id = %s", booking_id)["body"]
        self.console.print(f"    “{asked}”", style="dim")
        reply = self.http.post(
            f"{self.stack.twilio_url}/_control/reply",
            json={"from": self.client_phone, "to": self.coach_phone, "body": "Y"},
        ).json()
        found = self.look(booking, booking_id)
        self.show(
            Fact("answer to Twilio's signed webhook", reply["status"], 200),
            Fact("confirmed by the client", found["client_confirmed"], True),
        )
        self.console.print(f"    “{reply['answer']}”", style="dim")

    def add_up(self) -> None:
        """At the end of the day everything adds up."""
        self.step("At the end of the day")
        found = self.look("select count(*) as packs from app.session_discrepancies()")
        self.show(Fact("packs whose count is not the sum of their ledger", found["packs"], 0))

    def _texts(self, body: str) -> int:
        messages = self.http.get(f"{self.stack.twilio_url}/_control/messages", params={"to": self.client_phone}).json()
        return sum(1 for message in messages if message["body"] == body)


def play(stack: Stack, console: Console) -> None:
    """Play the whole day; Missing when a step's evidence is."""
    day = Day(stack, console)
    for step in (
        day.sign_up,
        day.set_up,
        day.add_client,
        day.sell_pack,
        day.worker_completes,
        day.two_tabs,
        day.client_confirms,
        day.add_up,
    ):
        step()
    console.print(f"\n[bold green]The day is done.[/bold green] Its texts: {stack.twilio_url}\n")


@told
def main() -> None:
    """Play the day against the running stack."""
    stack = Stack.here()
    if stack.uses_real_stripe or stack.uses_real_twilio:
        raise Problem("The demo pays and texts: run `./just up` and `./just demo` without Stripe and Twilio keys.")
    if late := await_ready(stack, within_s=5):
        raise Problem(f"{', '.join(late)} does not answer: start Coach OS with `./just up` in another terminal first.")
    console = Console(highlight=False)
    try:
        play(stack, console)
    except Missing as missing:
        console.print(f"\n[bold red]The evidence is missing:[/bold red] {missing}")
        sys.exit(1)


if __name__ == "__main__":
    main()
