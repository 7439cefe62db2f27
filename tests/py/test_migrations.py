"""The migrations alone build the database, as a role that is no superuser, and the advisors find nothing in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from devstack import functions
from devstack.layout import ROOT
from devstack.postgres import ADMIN, supabase_cli

if TYPE_CHECKING:
    from devstack.postgres import Cluster

MIGRATED = "migrated_alone"
MIGRATIONS = ROOT / "supabase" / "migrations"
SECTIONS = {
    "schemas": """
        select nspname || ' of ' || nspowner::regrole || coalesce(' -- ' || obj_description(oid, 'pg_namespace'), '')
          from pg_namespace where nspname in ('public', 'app', 'extensions', 'procrastinate', 'auth')
    """,
    "extensions": "select extname || ' in ' || extnamespace::regnamespace as line from pg_extension",
    "columns": """
        select c.oid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
               || case when a.attnotnull then ' not null' else '' end
               || ' ' || a.attgenerated::text || a.attidentity::text
               || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
               || coalesce(' -- ' || col_description(c.oid, a.attnum), '') as line
          from pg_class as c
          join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
         where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace) and c.relkind = any ('{r,p,v,m,c}')
    """,
    "tables": """
        select oid::regclass || ' ' || relkind::text || ' of ' || relowner::regrole || ' rls ' || relrowsecurity
               || ' ' || relforcerowsecurity || coalesce(' -- ' || obj_description(oid, 'pg_class'), '') as line
          from pg_class
         where relnamespace in ('public'::regnamespace, 'app'::regnamespace) and relkind = any ('{r,p,v,m,S}')
    """,
    "constraints": """
        select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) as line
          from pg_constraint where connamespace in ('public'::regnamespace, 'app'::regnamespace)
    """,
    "indexes": """
        select pg_get_indexdef(i.indexrelid) as line
          from pg_index as i join pg_class as c on c.oid = i.indexrelid
         where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace)
    """,
    "policies": """
        select concat_ws(' ', schemaname, tablename, policyname, permissive, roles, cmd, qual, with_check) as line
          from pg_policies
    """,
    "triggers": """
        select pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text as line
          from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
         where c.relnamespace in ('public'::regnamespace, 'app'::regnamespace) and not t.tgisinternal
    """,
    "functions": """
        select pg_get_functiondef(oid) || ' of ' || proowner::regrole
               || coalesce(' -- ' || obj_description(oid, 'pg_proc'), '') as line
          from pg_proc where pronamespace in ('public'::regnamespace, 'app'::regnamespace) and prokind = 'f'
    """,
    "views": """
        select oid::regclass || ' ' || coalesce(reloptions::text, '') || ' ' || pg_get_viewdef(oid) as line
          from pg_class where relnamespace in ('public'::regnamespace, 'app'::regnamespace) and relkind in ('v', 'm')
    """,
    "types": """
        select t.oid::regtype || ' ' || string_agg(e.enumlabel, ',' order by e.enumsortorder) as line
          from pg_type as t join pg_enum as e on e.enumtypid = t.oid
         where t.typnamespace in ('public'::regnamespace, 'app'::regnamespace)
         group by t.oid
    """,
    "rights": """
        select what || ' ' || coalesce(acl::text, 'as created') as line
          from (
            select 'table ' || oid::regclass, unnest(coalesce(relacl, array[null]::aclitem[])) from pg_class
             where relnamespace in ('public'::regnamespace, 'app'::regnamespace) and relkind = any ('{r,p,v,m,S}')
            union all
            select 'function ' || oid::regprocedure, unnest(coalesce(proacl, array[null]::aclitem[])) from pg_proc
             where pronamespace in ('public'::regnamespace, 'app'::regnamespace)
            union all
            select 'schema ' || nspname, unnest(coalesce(nspacl, array[null]::aclitem[])) from pg_namespace
             where nspname in ('public', 'app', 'extensions', 'procrastinate')
            union all
            select 'type ' || oid::regtype, unnest(coalesce(typacl, array[null]::aclitem[])) from pg_type
             where typnamespace in ('public'::regnamespace, 'app'::regnamespace)
            union all
            select 'new ' || defaclobjtype::text || ' of ' || defaclrole::regrole || ' in '
                   || coalesce(nullif(defaclnamespace, 0)::regnamespace::text, 'all'), unnest(defaclacl)
              from pg_default_acl
          ) as r (what, acl)
    """,
}

TABLES = {
    "activity_events",
    "audit_events",
    "automation_runs",
    "automations",
    "availability",
    "blocked_times",
    "booking_settings",
    "bookings",
    "branding",
    "checkin_photos",
    "client_communications",
    "client_habits",
    "client_invites",
    "client_measurements",
    "client_purchases",
    "client_risk",
    "client_waivers",
    "clients",
    "habits",
    "inquiries",
    "measurement_types",
    "message_threads",
    "messages",
    "money_events",
    "offers",
    "org_members",
    "org_payout_settings",
    "org_payouts",
    "orgs",
    "platform_admins",
    "products",
    "promo_codes",
    "push_tokens",
    "referral_links",
    "referrals",
    "session_ledger",
    "session_types",
    "sms_attempts",
    "sms_events",
    "sms_messages",
    "sms_schedules",
    "sms_settings",
    "sms_suppression",
    "sms_templates",
    "stripe_accounts",
    "subscriptions",
}  # fmt: skip
VIEWS = {"finance_monthly", "org_earnings"}
FUNCTIONS = {
    "admin_org_members(uuid)",
    "admin_orgs()",
    "book_my_session(timestamp with time zone,uuid,uuid,text)",
    "bookable_sessions_remaining(uuid)",
    "booking_page(text)",
    "booking_page_slots(text,date,date,uuid)",
    "calendar_range(text,date,text,integer)",
    "cancel_my_booking(uuid)",
    "capture_inquiry(text,text,text,text,text,text)",
    "client_statement(uuid,date,date)",
    "cover_booking(uuid,uuid)",
    "create_default_session_types(uuid)",
    "create_org(text,text)",
    "discard_webhook_event(uuid)",
    "explain_sms(uuid)",
    "finance_export(uuid,date,date)",
    "forget_twilio_account(uuid)",
    "generate_referral_code(uuid,integer)",
    "insert_sms_direct(uuid,uuid,text,timestamp with time zone,text,uuid,text)",
    "insert_sms_from_service(uuid,uuid,text,jsonb,timestamp with time zone,text,uuid,text)",
    "invite_page(text)",
    "is_org_member(uuid)",
    "is_phone_suppressed(uuid,text)",
    "is_platform_admin()",
    "is_slot_available(uuid,timestamp with time zone,timestamp with time zone,uuid)",
    "my_bookings(timestamp with time zone)",
    "my_client()",
    "my_offers()",
    "my_packages()",
    "my_slots(date,date,uuid,uuid)",
    "onboarding_form(uuid)",
    "org_role(uuid)",
    "portal_book(uuid,timestamp with time zone,uuid)",
    "portal_cancel(uuid,uuid)",
    "portal_page(uuid)",
    "portal_slots(uuid,date,date,uuid)",
    "process_referral_signup(text,text,text)",
    "queue_pending_sms()",
    "redeem_invite(text)",
    "referral_page(text)",
    "release_session(uuid,uuid)",
    "render_sms_template(text,jsonb)",
    "replay_webhook_event(uuid)",
    "request_session(text,timestamp with time zone,uuid,text,text,text,text)",
    "retry_automation_run(uuid)",
    "send_portal_link(uuid,text,boolean)",
    "sign_waiver(uuid,text)",
    "simulate_automations(uuid,timestamp with time zone,timestamp with time zone)",
    "submit_onboarding(uuid,jsonb,text)",
    "submit_referral(text,text,text,text,text,text[])",
    "track_referral_click(text)",
    "update_my_client(text,numeric)",
    "use_session(uuid,uuid)",
    "waiver_form(uuid)",
    "webhook_problems(uuid)",
}


def catalogue(cluster: Cluster, name: str) -> dict[str, list[str]]:
    """Everything in `public` and `app`, and who may do what with it."""
    with psycopg.connect(cluster.url(ADMIN, name), autocommit=True) as db:
        # Names in full, whoever looks.
        db.execute("set search_path = ''")
        return {
            section: sorted(row[0] for row in db.execute(query.encode()).fetchall())
            for section, query in SECTIONS.items()
        }


def rows(cluster: Cluster, name: str, query: str) -> list[str]:
    with psycopg.connect(cluster.url(ADMIN, name), autocommit=True) as db:
        return [row[0] for row in db.execute(query.encode()).fetchall()]


@pytest.fixture(scope="module")
def migrated(cluster: Cluster) -> str:
    """An empty project, pushed to by the Supabase CLI; no worker has ever run on it."""
    cluster.create_database(MIGRATED)
    pushed = supabase_cli("db", "push", "--yes", f"--remote={cluster.url(database=MIGRATED)}")
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    return MIGRATED


# -- function files ---------------------------------------------------------------------------------------------------


def test_every_function_file_is_shipped_and_no_shipped_function_has_lost_its_file() -> None:
    assert functions.changed() == {}
    assert functions.removed() == set()
    assert len(functions.function_files()) > 30


def test_each_file_holds_the_function_it_is_named_after() -> None:
    for name, text in functions.function_files().items():
        function = Path(name).stem
        assert f"create or replace function app.{function}(" in text or f"function public.{function}(" in text, name
        # The whole header every time: `create or replace` forgets any attribute that the new text leaves out.
        for header in text.split("create or replace function ")[1:]:
            assert "set search_path = " in header, name
            assert "comment on function " in header, name
            assert "revoke all on function " in header, name


def test_applying_every_function_file_again_changes_nothing(cluster: Cluster, migrated: str) -> None:
    name = f"test_{uuid4().hex}"
    cluster.create_database(name, migrated)
    with psycopg.connect(cluster.url("postgres", name), autocommit=True) as db:
        db.execute("set check_function_bodies = off")
        for text in functions.function_files().values():
            db.execute(text.encode())

    assert catalogue(cluster, name) == catalogue(cluster, migrated)
    cluster.drop_database(name)


def test_no_migration_creates_a_function_by_hand() -> None:
    """Else its text would have no file."""
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        text = migration.read_text()
        for block in functions._BLOCK.finditer(text):
            text = text.replace(block.group(), "")
        assert "create function" not in text.lower(), migration.name
        assert "create or replace function" not in text.lower(), migration.name


# -- building ---------------------------------------------------------------------------------------------------------


def test_the_server_is_of_the_version_that_was_asked_for(cluster: Cluster) -> None:
    """Supabase's, or the next one: else the second run of the tests would say nothing."""
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        assert db.info.server_version // 10000 == int(os.environ.get("COACH_OS_POSTGRES", "17"))


def test_the_migrating_role_is_what_it_is_on_hosted_supabase(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        role = db.execute(
            "select rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls"
            "  from pg_roles where rolname = session_user"
        ).fetchone()

    assert role == ("postgres", False, True, True, True)


def test_the_tests_run_on_what_the_migrations_alone_build(cluster: Cluster, migrated: str, template: str) -> None:
    """The template has the job tables besides; they change nothing outside their schema."""
    alone, tested = catalogue(cluster, migrated), catalogue(cluster, template)
    for section in SECTIONS:
        assert tested[section] == alone[section], section
        assert alone[section], section


def test_pushing_again_finds_nothing_to_do(cluster: Cluster, migrated: str) -> None:
    before = catalogue(cluster, migrated)

    pushed = supabase_cli("db", "push", "--yes", f"--remote={cluster.url(database=migrated)}")

    assert pushed.returncode == 0, pushed.stderr
    assert catalogue(cluster, migrated) == before
    applied = rows(cluster, migrated, "select version from supabase_migrations.schema_migrations order by 1")
    assert applied == [file.name.split("_")[0] for file in sorted(MIGRATIONS.glob("*.sql"))]


def test_preparing_a_migrated_database_again_changes_nothing(cluster: Cluster, migrated: str) -> None:
    """`./just up` does so at every start."""
    name = f"test_{uuid4().hex}"
    cluster.create_database(name, migrated)
    before = catalogue(cluster, name)

    cluster.prepare(name)
    cluster.migrate(name)

    assert catalogue(cluster, name) == before
    cluster.drop_database(name)


# -- the advisors -----------------------------------------------------------------------------------------------------

SUPPRESSED: dict[str, str] = {}
"""Findings that stay, by their cache key, and why. Not here: `unused_index`, since nobody uses these databases."""
FAULTS = """
    create table public.forgotten (id integer, password text, kind regproc);
    grant select on public.forgotten to anon;
    create table public.kept (id integer primary key, phone text references auth.users (phone), owner uuid, name text);
    create index kept_name on public.kept (name);
    create index kept_name_again on public.kept (name);
    create policy kept_select on public.kept for select to authenticated using (owner = auth.uid());
    create policy kept_select_again on public.kept for select to authenticated
      using (((select auth.jwt()) -> 'user_metadata' ->> 'role') = 'coach');
    create table public.closed (id integer primary key);
    alter table public.closed enable row level security;
    create table public.wide (id integer primary key);
    alter table public.wide enable row level security;
    create policy wide_update on public.wide for update to authenticated using (true);
    create policy wide_select on public.wide for select to authenticated using (id::text = auth.uid()::text);
    create policy wide_select_again on public.wide for select to authenticated
      using (((select auth.jwt()) -> 'user_metadata' ->> 'role') = 'coach');
    create view public.people as select * from auth.users;
    grant select on public.people to anon;
    create materialized view public.counts as select count(*) from public.closed;
    grant select on public.counts to anon;
    create function public.loose() returns integer language sql as 'select 1';
    create extension citext schema public;
"""
HEARD = {
    "auth_rls_initplan": "WARN",
    "auth_users_exposed": "ERROR",
    "duplicate_index": "WARN",
    "extension_in_public": "WARN",
    "fkey_to_auth_unique": "ERROR",
    "function_search_path_mutable": "WARN",
    "materialized_view_in_api": "WARN",
    "multiple_permissive_policies": "WARN",
    "no_primary_key": "INFO",
    "policy_exists_rls_disabled": "ERROR",
    "rls_disabled_in_public": "ERROR",
    "rls_enabled_no_policy": "INFO",
    "rls_policy_always_true": "WARN",
    "rls_references_user_metadata": "ERROR",
    "security_definer_view": "ERROR",
    "sensitive_columns_exposed": "ERROR",
    "unindexed_foreign_keys": "INFO",
    "unsupported_reg_types": "WARN",
}


def advice(cluster: Cluster, name: str) -> list[dict[str, str]]:
    """What the advisors of the Supabase CLI find: its copy of splinter, which it runs in a transaction with an empty
    search_path and with pgrst.db_schemas as supabase/config.toml has them."""
    advised = supabase_cli(
        *("db", "advisors", f"--remote={cluster.url(database=name)}", "--level", "info", "--output-format", "json"),
    )
    assert advised.returncode == 0, advised.stdout + advised.stderr
    found: list[dict[str, str]] = json.loads(advised.stdout)["results"]
    return found


@pytest.mark.parametrize("which", ["migrated", "template"])
def test_the_advisors_have_nothing_to_say(cluster: Cluster, request: pytest.FixtureRequest, which: str) -> None:
    found = advice(cluster, request.getfixturevalue(which))

    told = {finding["cacheKey"] for finding in found if (finding["name"], finding["level"]) != ("unused_index", "INFO")}
    assert told == set(SUPPRESSED)


def test_the_advisors_would_say_something(cluster: Cluster, migrated: str) -> None:
    """A silence counts only where a fault is heard. Half of these go unheard when pgrst.db_schemas is empty."""
    name = f"test_{uuid4().hex}"
    cluster.create_database(name, migrated)
    with psycopg.connect(cluster.url("postgres", name), autocommit=True) as db:
        db.execute(FAULTS)

    found = advice(cluster, name)

    heard = {finding["name"]: finding["level"] for finding in found if finding["name"] != "unused_index"}
    assert heard == HEARD
    cluster.drop_database(name)


# -- what there is ----------------------------------------------------------------------------------------------------


def test_public_holds_the_contract_and_nothing_else(cluster: Cluster, template: str) -> None:
    """A new table or function there is an API that somebody may call: it belongs on this list, on purpose."""
    tables = rows(
        cluster,
        template,
        "select relname from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind not in ('i', 't', 'c', 'I', 'S')",
    )
    public_functions = rows(
        cluster,
        template,
        "select replace(oid::regprocedure::text, 'public.', '')"
        "  from pg_proc where pronamespace = 'public'::regnamespace",
    )

    assert set(tables) == TABLES | VIEWS
    assert set(public_functions) == FUNCTIONS


def test_public_has_no_function_with_its_owners_rights(cluster: Cluster, template: str) -> None:
    definers = "select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef"

    assert rows(cluster, template, definers) == []


def test_every_table_of_public_has_row_security_and_anon_has_no_right_on_any(cluster: Cluster, template: str) -> None:
    unprotected = """
        select relname from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity
    """
    open_to_anon = """
        select table_name || ' ' || privilege from unnest(%s::text[]) as t (table_name),
               unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
         where has_table_privilege('anon', 'public.' || table_name, privilege)
    """
    with psycopg.connect(cluster.url(ADMIN, template), autocommit=True) as db:
        leaks = db.execute(open_to_anon, [sorted(TABLES | VIEWS)]).fetchall()

    assert rows(cluster, template, unprotected) == []
    assert leaks == []


def test_no_function_is_open_to_everybody(cluster: Cluster, template: str) -> None:
    """Which ones are open to whom by name: tests/sql/orgs/test_row_security.sql."""
    open_to_all = """
        select oid::regprocedure::text from pg_proc
         where pronamespace in ('public'::regnamespace, 'app'::regnamespace)
           and has_function_privilege('public', oid, 'execute')
    """

    assert rows(cluster, template, open_to_all) == []


@pytest.mark.parametrize("role", ["coach_os_sidecar", "coach_os_worker"])
def test_the_services_read_and_write_no_table(cluster: Cluster, template: str, role: str) -> None:
    rights = """
        select c.oid::regclass::text || ' ' || p from pg_class as c,
               unnest(array['select', 'insert', 'update', 'delete', 'truncate']) as p
         where c.relkind in ('r', 'p', 'v', 'm')
           and c.relnamespace::regnamespace::text in ('public', 'app', 'auth', 'supabase_migrations')
           and has_table_privilege(%s, c.oid, p)
    """
    with psycopg.connect(cluster.url(ADMIN, template), autocommit=True) as db:
        assert db.execute(rights, [role]).fetchall() == []
        attributes = db.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication"
            "  from pg_roles where rolname = %s",
            [role],
        ).fetchone()
    assert attributes == (False,) * 5


def test_job_tables_are_in_their_own_schema(cluster: Cluster, template: str, migrated: str) -> None:
    where = "select distinct schemaname::text from pg_tables where tablename like 'procrastinate%'"

    assert rows(cluster, template, where) == ["procrastinate"]
    assert rows(cluster, migrated, where) == []
    with psycopg.connect(cluster.url(ADMIN, template), autocommit=True) as db:
        for role in ("anon", "authenticated", "service_role", "coach_os_sidecar"):
            for schema in ("procrastinate", "app"):
                query = sql.SQL("select has_schema_privilege({}, {}, 'usage')").format(role, schema)
                found = db.execute(query).fetchone()
                assert found == (role == "coach_os_sidecar" and schema == "app",), (role, schema)
