"""A row for every table that the pages read or write, with a value for every column they filter by or fill in.

`Scene` makes what one call is about: a new client of the coach's org and the rows around it, so that no call sees
what another one left behind. The one place to look up which value stands for which column.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from conftest import World

Row = dict[str, Any]
"""A row as JSON, the way Postgres writes it and hosted Supabase sends it."""

_numbers = count(1)
_VERSION = "(t.ctid::text || t.xmin::text)"


class Scene:
    """One client of the org with what belongs to them; each row is made when it is first asked for."""

    def __init__(self, world: World, org_id: UUID, user_id: UUID, app_user_id: UUID | None = None) -> None:
        self.world = world
        self.org_id = org_id
        self.user_id = user_id
        """The coach, or whoever else signs in to the pages."""
        self.app_user_id = app_user_id
        """The user of the mobile app who is this client, and nobody else any more."""
        self.renew()

    def renew(self) -> None:
        """Other names, codes, tokens and times from here on."""
        self.number = next(_numbers)
        self.tag = f"{self.number:04}{uuid4().hex[:8]}"
        self.now = datetime.now(UTC)
        self.start = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(days=1, hours=self.number)

    def at(self, **delta: float) -> str:
        """An instant, so long from now."""
        return (self.now + timedelta(**delta)).isoformat()

    # -- what rows refer to -------------------------------------------------------------------------------------

    @cached_property
    def client_id(self) -> str:
        """The client."""
        return str(self.client()["id"])

    def client(self, **values: object) -> Row:
        """The scene's client from here on."""
        # One user is one client.
        self.world.db.execute(
            "update public.clients set auth_user_id = null where auth_user_id = %s", [self.app_user_id]
        )
        row = self.insert("clients", ROWS["clients"](self) | values)
        self.client_id = row["id"]
        return row

    @cached_property
    def offer_id(self) -> str:
        """A ten-pack on sale."""
        return self._id("offers")

    @cached_property
    def purchase_id(self) -> str:
        """The client's pack, paid."""
        return self._id("client_purchases")

    @cached_property
    def thread_id(self) -> str:
        """The client's conversation."""
        return self._id("message_threads")

    @cached_property
    def habit_id(self) -> str:
        """A habit of the org."""
        return self._id("habits")

    @cached_property
    def automation_id(self) -> str:
        """An automation of the org."""
        return self._id("automations")

    @cached_property
    def referral_link_id(self) -> str:
        """A referral link of the org."""
        return self._id("referral_links")

    @cached_property
    def promo_code_id(self) -> str:
        """A promo code of the org."""
        return self._id("promo_codes")

    @cached_property
    def activity_event_id(self) -> str:
        """A check-in of the client."""
        return self._id("activity_events")

    @cached_property
    def message_id(self) -> str:
        """A text to the client."""
        return self._id("sms_messages")

    @cached_property
    def template_id(self) -> str:
        """A text's words."""
        return self._id("sms_templates")

    def _id(self, table: str) -> str:
        return str(self.insert(table, ROWS[table](self))["id"])

    # -- rows -----------------------------------------------------------------------------------------------------

    def row(self, table: str, **values: object) -> Row:
        """A row of this table for the call to find: a new one, or the one there is at most of per org or client."""
        if table == "clients":
            return self.client(**values)
        if table in VIEWS:
            self.insert("money_events", ROWS["money_events"](self))
        if table in VIEWS | ONE_PER_ORG:
            found = self.find(table, {"id" if table == "orgs" else "org_id": self.org_id})
            if found or table in VIEWS:
                return found[0]
        return self.insert(table, ROWS[table](self) | values)

    def insert(self, table: str, values: Row) -> Row:
        """Put a row there, as administrator."""
        return self._rows(
            "insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, %s)"
            " returning to_jsonb({table}) as row",
            table, values, values,
        )[0]  # fmt: skip

    def find(self, table: str, values: Row, leaving_out: Collection[str] = ()) -> list[Row]:
        """The rows with just these values, compared as what they are, not as texts."""
        columns = values.keys() - set(leaving_out)
        return self._rows(
            "select to_jsonb(t) as row from {table} as t, jsonb_populate_record(null::{table}, %s) as w"
            " where ({of_t}) is not distinct from ({of_w})",
            table, columns, values,
        )  # fmt: skip

    def versions(self, table: str) -> set[str]:
        """Which rows the table has, and in which version: any change of the table changes the answer."""
        return {found["version"] for found in self.world.rows(f"select {_VERSION} as version from public.{table} as t")}

    def written_since(self, table: str, before: set[str]) -> list[Row]:
        """The rows that were inserted or updated since versions() said this."""
        query = f"select to_jsonb(t) as row from public.{table} as t where {_VERSION} <> all (%s)"
        return [found["row"] for found in self.world.rows(query, list(before))]

    def _rows(self, query: str, table: str, columns: Collection[str], values: Row) -> list[Row]:
        def list_of(prefix: str) -> sql.Composed:
            names = [sql.Identifier(*filter(None, (prefix, column))) for column in sorted(columns)]
            return sql.SQL(", ").join(names)

        statement = sql.SQL(query).format(
            table=sql.Identifier(table), columns=list_of(""), of_t=list_of("t"), of_w=list_of("w")
        )
        plain = Jsonb({column: str(v) if isinstance(v, UUID) else v for column, v in values.items()})
        return [found["row"] for found in self.world.db.execute(statement, [plain])]


ONE_PER_ORG = {"orgs", "org_members", "branding", "booking_settings", "sms_settings"} | {
    "org_payout_settings",
    "stripe_accounts",
}
"""Tables with one row for the org (org_members: while the coach works alone)."""
VIEWS = {"finance_monthly", "org_earnings"}

ROWS: dict[str, Callable[[Scene], Row]] = {
    # -- orgs
    "orgs": lambda s: {
        "name": f"Gym {s.tag}",
        "slug": f"gym-{s.tag}",
        "commission_rate": 0.05,
        "waiver_template": f"At your own risk {s.tag}.",
        "proforma_disclaimer": f"Not a tax invoice {s.tag}.",
        "onboarding_completed": True,
    },
    "org_members": lambda s: {"org_id": s.org_id, "user_id": s.user_id, "role": "owner"},
    "branding": lambda s: {
        "org_id": s.org_id,
        "display_name": f"Gym {s.tag}",
        "primary_color": f"#{s.number:06}",
    },
    "org_payout_settings": lambda s: {
        "org_id": s.org_id,
        "payout_method": "paypal",
        "bank_account_name": "Ada Gym",
        "bank_bsb": "000-000",
        "bank_account_number": f"{s.number:08}",
        "paypal_email": f"{s.tag}@example.com",
        "payout_frequency": "monthly",
        "updated_at": s.at(),
    },
    "org_payouts": lambda s: {
        "org_id": s.org_id,
        "period_start": "2026-01-01",
        "period_end": "2026-01-31",
        "gross_amount_cents": 1000,
        "commission_cents": 50,
        "net_amount_cents": 950,
        "status": "pending",
        "paid_at": s.at(),
        "payout_reference": f"PAYOUT {s.tag}",
    },
    # -- clients
    "clients": lambda s: {
        "org_id": s.org_id,
        "full_name": f"Jordan Lee {s.tag}",
        "email": f"jordan-{s.tag}@example.com",
        "phone": f"+61491{s.number:06}",
        "status": "active",
        "date_of_birth": "1990-02-28",
        "gender": "other",
        "height_cm": 180,
        "weight_kg": 80.5,
        "target_weight_kg": 75,
        "goals": ["Run a marathon"],
        "health_conditions": ["Asthma"],
        "injuries": ["Left knee"],
        "medications": None,  # the pages write null for an empty list
        "dietary_restrictions": None,
        "experience_level": "beginner",
        "preferred_training_days": ["Monday", "Friday"],
        "preferred_time_windows": [{"day": "monday", "start": "07:00", "end": "09:30"}],
        "emergency_contact_name": "Sam Lee",
        "emergency_contact_phone": "0491 570 006",
        "notes": f"Prefers mornings {s.tag}",
        "address_line1": "1 Example Street",
        "address_line2": "Unit 2",
        "city": "Brisbane",
        "state": "QLD",
        "postcode": "4000",
        "auth_user_id": s.app_user_id,
        "onboarding_token": str(uuid4()),
        "onboarding_sent_at": s.at(),
        "onboarding_completed_at": s.at(),
        "portal_token": str(uuid4()),
        "sms_reminder_enabled": True,
        "sms_followup_enabled": True,
        "email_opt_in": True,
        "sms_opt_in": False,
        "source": "online_booking",
    },
    "client_invites": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "invite_code": f"CODE{s.tag}",
        "expires_at": s.at(days=7),
        "redeemed_at": s.at(),
        "redeemed_by": s.app_user_id,
    },
    "client_communications": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "user_id": s.user_id,
        "type": "note",
        "direction": "outbound",
        "subject": "Session",
        "content": f"Asked about Tuesday {s.tag}",
    },
    "client_measurements": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "measurement_type": "Weight",
        "value": 80.5,
        "unit": "kg",
        "notes": f"After breakfast {s.tag}",
    },
    "measurement_types": lambda s: {"name": f"Grip {s.tag}", "unit": "kg", "category": "strength", "sort_order": 99},
    "client_waivers": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "name": f"Waiver {s.tag}",
        "token": str(uuid4()),
        "status": "signed",
        "sent_at": s.at(),
        "signed_at": s.at(),
        "source": "onboarding",
    },
    "inquiries": lambda s: {
        "org_id": s.org_id,
        "name": f"Robin {s.tag}",
        "email": f"robin-{s.tag}@example.com",
        "phone": f"+61492{s.number:06}",
        "message": "How much is a session?",
        "source": "website",
        "status": "CONTACTED",
        "converted_client_id": s.client_id,
        "services_interested": ["Ten sessions"],
        "follow_up_date": "2026-12-24",
        "referral_code": f"REF{s.tag}".upper(),
    },
    "referral_links": lambda s: {
        "org_id": s.org_id,
        "code": f"REF{s.tag}".upper(),
        "name": f"Friends {s.tag}",
        "description": "Bring a friend",
        "reward_type": "discount",
        "reward_value": 10,
        "clicks": 3,
        "signups": 1,
        "is_active": True,
    },
    "referrals": lambda s: {
        "org_id": s.org_id,
        "referral_link_id": s.referral_link_id,
        "referrer_client_id": s.client_id,
        "referred_email": f"friend-{s.tag}@example.com",
    },
    "activity_events": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "type": "checkin",
        "payload": {"notes": f"fine {s.tag}"},
        "photo_paths": [f"{s.client_id}/2026-11-23/front-1.jpg"],
    },
    "habits": lambda s: {"org_id": s.org_id, "name": f"Walk {s.tag}"},
    "client_habits": lambda s: {"org_id": s.org_id, "client_id": s.client_id, "habit_id": s.habit_id},
    "checkin_photos": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "activity_event_id": s.activity_event_id,
        "storage_path": f"{s.client_id}/2026-11-23/front-{s.tag}.jpg",
        "photo_type": "front",
    },
    "message_threads": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "trainer_last_read_at": s.at(),
    },
    "messages": lambda s: {
        "org_id": s.org_id,
        "thread_id": s.thread_id,
        "sender_type": "client",
        "body": f"See you tomorrow {s.tag}",
    },
    "push_tokens": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "expo_token": f"ExponentPushToken[{s.tag}]",
        "updated_at": s.at(),
    },
    # -- sessions
    "offers": lambda s: {
        "org_id": s.org_id,
        "name": f"Ten sessions {s.tag}",
        "description": "Ten sessions of an hour",
        "offer_type": "session_pack",
        "price_cents": 90000,
        "currency": "aud",
        "billing_period": None,
        "sessions_included": 10,
        "bonus_sessions": 1,
        "pack_validity_days": 90,
        "session_duration_mins": 60,
        "included_items": ["A towel"],
        "is_featured": True,
        "sort_order": 1,
        "is_active": True,
        "updated_at": s.at(),
    },
    "promo_codes": lambda s: {
        "org_id": s.org_id,
        "code": f"TEN{s.tag}".upper(),
        "discount_type": "percentage",
        "discount_value": 12.5,
        "valid_from": "2026-01-01",
        "valid_until": "2030-12-31",
        "max_uses": 100,
        "times_used": 1,
        "is_active": True,
    },
    "products": lambda s: {
        "org_id": s.org_id,
        "name": f"Shaker {s.tag}",
        "description": "For shakes",
        "category": "merchandise",
        "price_cents": 1500,
        "cost_cents": 700,
        "stock_quantity": 12,
        "sku": f"SHAKER-{s.tag}",
        "is_active": True,
    },
    "client_purchases": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "offer_id": s.offer_id,
        "amount_paid_cents": 80000,
        "currency": "aud",
        "sessions_total": 11,
        "sessions_used": s.number % 5,
        "expires_at": s.at(days=90),
        "stripe_payment_intent_id": f"pi_{s.tag}",
        "payment_status": "succeeded",
        "payment_method": "card",
        "promo_code_id": s.promo_code_id,
        "discount_cents": 10000,
        "session_duration_mins": 60,
    },
    # -- bookings
    "session_types": lambda s: {
        "org_id": s.org_id,
        "name": f"Boxing {s.tag}",
        "slug": f"boxing-{s.tag}",
        "description": "With gloves",
        "duration_mins": 45,
        "price_cents": 8000,
        "color": "#FF0000",
        "is_active": True,
        "allow_online_booking": False,
        "buffer_before_mins": 5,
        "buffer_after_mins": 10,
        "max_per_day": 4,
        "sort_order": 9,
        "updated_at": s.at(),
    },
    "booking_settings": lambda s: {
        "org_id": s.org_id,
        "timezone": "Australia/Perth" if s.number % 2 else "Australia/Hobart",
        "allow_client_booking": True,
        "min_notice_hours": s.number,
        "max_advance_days": 60,
        "slot_duration_mins": 45,
        "buffer_between_mins": 10,
        "gst_registered": True,
        "pass_stripe_fees": True,
        "early_cutoff_time": "19:30",
        "early_cutoff_before_hour": 8,
        "late_notice_hours": 3,
    },
    "bookings": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "offer_id": s.offer_id,
        "purchase_id": s.purchase_id,
        "start_time": s.start.isoformat(),
        "end_time": (s.start + timedelta(minutes=45)).isoformat(),
        "duration_mins": 45,
        "session_type": "pt_session",
        "location_type": "in_person",
        "status": "confirmed",
        "cancelled_at": s.at(),
        "booked_by": s.user_id,
        "booking_source": "trainer",
        "notes": f"Bring shoes {s.tag}",
        "client_notes": "First time",
        "reminder_sent": False,
        "client_confirmed": False,
        "confirmation_sent_at": s.at(),
    },
    "availability": lambda s: {
        "org_id": s.org_id,
        "day_of_week": 1,
        "start_time": "07:00:00",
        "end_time": "19:30:00",
        "is_available": True,
    },
    "blocked_times": lambda s: {
        "org_id": s.org_id,
        "user_id": s.user_id,
        "date": f"2027-01-{s.number % 28 + 1:02}",
        "day_of_week": None,  # one of the two
        "start_time": "05:00:00",
        "end_time": "21:00:00",
    },
    # -- money
    "stripe_accounts": lambda s: {
        "org_id": s.org_id,
        "stripe_account_id": f"acct_{s.tag}",
        "charges_enabled": True,
        "payouts_enabled": True,
        "details_submitted": True,
        "updated_at": s.at(),
    },
    "subscriptions": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "stripe_customer_id": f"cus_{s.tag}",
        "stripe_subscription_id": f"sub_{s.tag}",
        "status": "active",
        "updated_at": s.at(),
    },
    "money_events": lambda s: {
        "org_id": s.org_id,
        "event_date": s.at(),
        "type": "INCOME",
        "amount_cents": 80000,
        "currency": "aud",
        "tax_cat": "GST",
        "tax_cents": 7273,
        "source": "stripe",
        "reference_id": f"pi_{s.tag}",
        "client_id": s.client_id,
        "notes": f"Ten sessions {s.tag}",
        "payment_status": "succeeded",
        "stripe_payment_intent_id": f"pi_{s.tag}",
    },
    # -- sms
    "sms_settings": lambda s: {"org_id": s.org_id, "enabled": True},
    "sms_schedules": lambda s: {
        "org_id": s.org_id,
        "type": "pre_session",
        "label": f"An hour before {s.tag}",
        "mins_offset": 60,
        "body": "Hi {{client_name}}, see you {{session_datetime}}.",
        "enabled": True,
        "sort_order": 3,
        "updated_at": s.at(),
    },
    "sms_templates": lambda s: {
        "org_id": s.org_id,
        "template_key": f"hello_{s.tag}",
        "name": "Hello",
        "body": "Hello {{client_name}}",
    },
    "sms_messages": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "to_phone": f"+61491{s.number:06}",
        "from_phone": "+15005550006",
        "template_id": s.template_id,
        "template_key": f"hello_{s.tag}",
        "body": f"Hello {s.tag}",
        "variables": {"client_name": "Jordan"},
        "related_entity_type": "client",
        "related_entity_id": s.client_id,
        "status": "pending",
        "scheduled_for": s.at(),
        "sent_at": s.at(),
        "delivered_at": s.at(),
        "failed_at": s.at(),
        "idempotency_key": f"key-{s.tag}",
        "error_code": "30005",
        "error_message": "Unknown destination handset",
        "locked_until": s.at(minutes=-5),
        "updated_at": s.at(),
    },
    "sms_attempts": lambda s: {
        "message_id": s.message_id,
        "attempt_number": s.number,
        "provider": "twilio",
        "provider_message_id": f"SM{s.tag}",
        "request_payload": {"to": "+61491570006"},
        "response_payload": {"sid": f"SM{s.tag}"},
        "response_status": 201,
        "status": "success",
        "error_code": "0",
        "error_message": "none",
    },
    "sms_events": lambda s: {
        "message_id": s.message_id,
        "org_id": s.org_id,
        "provider": "twilio",
        "provider_message_id": f"SM{s.tag}",
        "event_type": "status",
        "event_status": "delivered",
        "error_code": "0",
        "event_payload": {"MessageStatus": "delivered"},
        "dedupe_key": f"SM{s.tag}-delivered",
        "processed_at": s.at(),
    },
    "sms_suppression": lambda s: {
        "org_id": s.org_id,
        "phone": f"+61493{s.number:06}",
        "client_id": s.client_id,
        "reason": "opt_out",
        "source": "webhook",
        "notes": f"21610 {s.tag}",
    },
    # -- automations
    "client_risk": lambda s: {
        "org_id": s.org_id,
        "client_id": s.client_id,
        "as_of_date": s.now.date().isoformat(),
        "score": 90,
        "tier": "red",
        "reasons": [f"No session for 30 days {s.tag}"],
    },
    "automations": lambda s: {
        "org_id": s.org_id,
        "name": f"Nudge {s.tag}",
        "enabled": True,
        "trigger": {"type": "schedule", "schedule": "daily"},
        "conditions": [{"field": "days_since_activity", "operator": "gte", "value": 7}],
        "actions": [{"type": "send_message", "params": {"body": "How are you, {{first_name}}?"}}],
        "guardrails": {"max_per_client_per_day": 1, "quiet_hours_start": 21, "quiet_hours_end": 8, "dedupe_hours": 24},
    },
    "automation_runs": lambda s: {
        "org_id": s.org_id,
        "automation_id": s.automation_id,
        "client_id": s.client_id,
        "status": "ok",
        "reason": f"done {s.tag}",
        "actions_fired": [{"type": "send_message"}],
    },
}
