"""Every call that the existing pages, routes and functions make, through the API, with the pages' own client library.

calls.jsonl lists them: who calls, what, and where in the frontend (`name`: file and line). A call is one of

- sent: it must succeed, find the row that is there for it, and answer in the shape its caller reads;
- `replaced`, by the named function: the old call was a leak, and must show and change nothing;
- `excluded`: not a call of the database, or outside of what is promised; it says why.

`hidden` says why a call that is sent finds nothing.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from local_api import as_hosted
from psycopg.types.json import Jsonb

from contract.embeds import EMBEDS, expected, fill_embeds, parse
from contract.rows import ONE_PER_ORG, ROWS, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from conftest import World
    from local_api import LocalApi, Person, Result

    from contract.rows import Row

Call = dict[str, Any]

CALLS: list[Call] = [json.loads(line) for line in (Path(__file__).parent / "calls.jsonl").read_text().splitlines()]
SENT = [call for call in CALLS if not call.keys() & {"replaced", "excluded"}]
REPLACED = [call for call in CALLS if "replaced" in call]
OPERATIONS = {"select", "insert", "update", "upsert", "delete", "rpc"}

SIGN_UP = "auth/signup/"
ADMIN = "coach/admin/"
PORTAL_BOOKING = "api/portal/create-booking/"
KNOWN_MEMBER = f"{SIGN_UP}page.tsx:100"
"""Makes the coach the owner of the org that is theirs from birth: nothing is left to do, and nothing goes wrong."""


def named(calls: list[Call]) -> list[Any]:
    return [pytest.param(call, id=call["name"]) for call in calls]


# -- the list ---------------------------------------------------------------------------------------------------------


def test_every_call_is_sent_replaced_or_excluded_with_a_reason() -> None:
    assert len({call["name"] for call in CALLS}) == len(CALLS) == 509
    for call in CALLS:
        assert call["caller"] in {"anon", "coach", "service", "client"}
        assert len(call.keys() & {"replaced", "excluded"}) <= 1, call
        assert all(call.get(key, "reason").strip() for key in ("replaced", "excluded", "hidden")), call
        assert call["op"] in OPERATIONS or "excluded" in call, call
        # Who has not signed in reaches no table at all.
        assert call["caller"] != "anon" or "excluded" in call or "replaced" in call, call
        # What coach and routes do stays as it is.
        assert call["caller"] in {"anon", "client"} or "replaced" not in call, call


@pytest.mark.parametrize("function", sorted({call["replaced"] for call in REPLACED}))
def test_what_replaces_a_call_is_there_for_its_caller(function: str, contract: Contract) -> None:
    for role in {
        "anon" if call["caller"] == "anon" else "authenticated" for call in REPLACED if call["replaced"] == function
    }:
        found = contract.world.rows(
            "select p.oid::regprocedure::text as signature from pg_proc as p"
            " where p.pronamespace = 'public'::regnamespace and p.proname = %s"
            " and has_function_privilege(%s, p.oid, 'execute')",
            function,
            role,
        )
        assert len(found) == 1, f"{function}() for {role}: {found}"


# -- rights -----------------------------------------------------------------------------------------------------------


def rights_needed(call: Call) -> Iterator[tuple[str, str, str]]:
    """Table, column (or *) and privilege for everything that a call touches as PostgREST runs it."""
    table = call["table"]
    conditions = [column for operator, column, *_ in call.get("filters", []) if operator != "or"]
    read = conditions + [column for column, _ in call.get("order", [])]
    if "select" in call:
        columns, embeds = parse(call["select"])
        read += columns
        for embed in embeds:
            target, column, own = EMBEDS[table, embed.name]
            yield (table, column, "select") if own else (target, column, "select")
            yield from ((target, one, "select") for one in embed.columns if one != "count")
    yield from ((table, column, "select") for column in read)
    commands = {"insert": ["insert"], "update": ["update"], "upsert": ["insert", "update"]}.get(call["op"], [])
    yield from ((table, column, command) for command in commands for column in call["writes"])


# On a database that the local API has never been to: it grants everything to everybody.
def test_every_caller_has_the_rights_for_its_calls(world: World) -> None:
    needed = set()
    for call in SENT:
        role = "service_role" if call["caller"] == "service" else "authenticated"
        if call["op"] == "rpc":
            needed.add((role, call["rpc"], "", "execute"))
        elif call["op"] == "delete":
            needed.add((role, call["table"], "", "delete"))
        else:
            needed |= {(role, *right) for right in rights_needed(call)}
    lacking = world.rows(
        """
        with needed as (
          select * from jsonb_to_recordset(%s) as n (role text, name text, of text, privilege text)
        )
        select n.* from needed as n
         where not case
           when n.privilege = 'execute' then exists (
             select from pg_proc as p
              where p.pronamespace = 'public'::regnamespace and p.proname = n.name
                and has_function_privilege(n.role, p.oid, n.privilege))
           when to_regclass('public.' || n.name) is null then false
           when n.of = '' then has_table_privilege(n.role, to_regclass('public.' || n.name), n.privilege)
           else (
             select count(*) > 0 and bool_and(has_column_privilege(n.role, a.attrelid, a.attnum, n.privilege))
               from pg_attribute as a
              where a.attrelid = to_regclass('public.' || n.name) and a.attnum > 0 and not a.attisdropped
                and n.of in (a.attname, '*'))
         end
         order by 1, 2, 3, 4
        """,
        Jsonb([dict(zip(("role", "name", "of", "privilege"), right, strict=True)) for right in needed]),
    )
    assert not lacking, "\n".join(f"{one['role']}: {one['privilege']} on {one['name']} {one['of']}" for one in lacking)


# -- who calls --------------------------------------------------------------------------------------------------------


class Contract:
    """The org that the calls are about, and the people who make them."""

    def __init__(self, api: LocalApi, world: World) -> None:
        self.api = api
        self.world = world
        self.coach = api.person("contract coach")
        self.app_user = api.person("contract client")
        self.admin = api.person("contract admin")
        world.db.execute(
            "insert into public.platform_admins (user_id, email) values (%s, 'admin@example.com')", [self.admin.id]
        )
        self.org_id: UUID = self.open_org(self.coach)

    def open_org(self, owner: Person) -> UUID:
        """A new org of this person's, made as the sign-up page makes it."""
        made = owner.send(("from", "orgs"), ("insert", {"name": f"Gym of {owner.name}"}), ("select", "id"), ("single",))
        assert made.error is None, made.error
        org_id: UUID = made.data["id"]
        return org_id

    def open_at_all_hours(self) -> UUID:
        """A new org that can be booked at any time."""
        org_id: UUID = self.world.value("insert into public.orgs (name) values ('Night and Day') returning id")
        self.world.db.execute(
            "insert into public.availability (org_id, day_of_week, start_time, end_time)"
            " select %s, d, '00:00', '24:00' from generate_series(0, 6) as d",
            [org_id],
        )
        self.world.db.execute("update public.booking_settings set max_advance_days = 365 where org_id = %s", [org_id])
        return org_id

    def caller(self, call: Call) -> tuple[Person, Scene]:
        """Who makes a call, and the scene it is about."""
        if call["name"].startswith(SIGN_UP):
            newcomer = self.api.person(f"newcomer {call['name'].rsplit(':', 1)[1]}")
            org_id = self.org_id if call["table"] == "orgs" else self.open_org(newcomer)
            return newcomer, self.scene(newcomer, org_id)
        if call["name"].startswith(ADMIN):
            makes_an_org = call["op"] == "insert" and call["table"] in ONE_PER_ORG - {"orgs"}
            return self.admin, self.scene(self.admin, self.open_org(self.admin) if makes_an_org else self.org_id)
        if call["name"].startswith(PORTAL_BOOKING):
            return self.api.service, self.scene(self.api.service, self.open_at_all_hours())
        person = {
            "coach": self.coach,
            "client": self.app_user,
            "service": self.api.service,
            "anon": self.api.visitor,
        }[call["caller"]]
        return person, self.scene(person, self.org_id)

    def scene(self, person: Person, org_id: UUID) -> Scene:
        """A new scene, seen by this person."""
        assert self.coach.id is not None
        is_client = person is self.app_user
        user_id = self.coach.id if is_client or person.id is None else person.id
        return Scene(self.world, org_id, user_id, person.id if is_client else None)


@pytest.fixture(scope="module")
def contract(api: LocalApi, api_world: World) -> Contract:
    """The org that the calls are about."""
    return Contract(api, api_world)


# -- what is sent -----------------------------------------------------------------------------------------------------


def literals(call: Call) -> Row:
    """What a row must have for the call's own conditions to be true of it."""
    values: Row = {}
    for operator, column, *value in call.get("filters", []):
        if operator in {"eq", "is"} and value:
            values[column] = value[0]
        elif operator == "in" and value:
            values[column] = value[0][0]
    # A session can only have been held.
    if "completed" in {call.get("literals", {}).get("status"), values.get("status")}:
        values |= {"start_time": "2026-01-05T09:00:00+10:00", "end_time": "2026-01-05T09:45:00+10:00"}
    return values


def condition(scene: Scene, row: Row, operator: str, column: str, *value: object) -> tuple[Any, ...]:
    """A condition of the call, which is true of the row."""
    if operator == "or":
        return ("or", either(scene, row, column))
    if operator == "not.is":
        return ("not", column, "is", value[0])
    if value:
        return (operator, column, value[0])
    if operator in {"gt", "gte", "lt", "lte"}:
        day = timedelta(days=-1 if operator.startswith("g") else 1)
        return (operator, column, (datetime.fromisoformat(row[column]) + day).isoformat())
    if operator == "in":
        return ("in", column, [row[column]])
    return (operator, column, row[column])


def either(scene: Scene, row: Row, template: str) -> str:
    """The alternatives of an `or`, with what stands in angle brackets filled in."""
    phone = str(row.get("phone"))
    known = {
        "client_id": str(scene.client_id),
        "now": scene.at(),
        "From": phone,
        "From with +61 -> 0": phone.replace("+61", "0"),
        "digits of From": phone.lstrip("+"),
        "last 9 digits": phone[-9:],
    }
    for name, text in known.items():
        template = template.replace(f"<{name}>", text)
    assert "<" not in template
    return template


def chain(call: Call, values: Row, chosen: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The call as its page chains it."""
    sent: list[tuple[Any, ...]] = [("from", call["table"])]
    match call["op"]:
        case "select":
            options = [{"count": "exact", "head": True}] if call.get("count") else []
            sent.append(("select", call["select"], *options))
        case "upsert":
            sent.append(("upsert", [values], {"onConflict": call["onConflict"]}))
        case "delete":
            sent.append(("delete",))
        case operation:
            sent.append((operation, values))
    sent += chosen
    if call["op"] != "select" and "select" in call:
        sent.append(("select", call["select"]))
    sent += [("order", column, {"ascending": way == "asc"}) for column, way in call.get("order", [])]
    if "limit" in call:
        sent.append(("limit", call["limit"]))
    if "terminal" in call:
        sent.append((call["terminal"],))
    return sent


def written(call: Call, scene: Scene) -> Row:
    """What the call writes."""
    if "writes" not in call:
        return {}
    everything = ROWS[call["table"]](scene)
    values: Row = call.get("literals", {})
    return {column: everything[column] for column in call["writes"]} | values


def send(person: Person, scene: Scene, call: Call, row: Row) -> tuple[Result, Row]:
    """Make the call about this row; what came of it, and what it wrote."""
    values = written(call, scene)
    return person.send(*chain(call, values, conditions(call, scene, row))), values


def conditions(call: Call, scene: Scene, row: Row) -> list[tuple[Any, ...]]:
    """The call's conditions, which are true of the row."""
    return [condition(scene, row, *one) for one in call.get("filters", [])]


# -- the calls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", named([call for call in SENT if call["op"] == "select"]))
def test_a_read_finds_the_row_in_the_shape_it_expects(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    row = {"user_id": person.id} if call["table"] == "platform_admins" else scene.row(call["table"], **literals(call))
    fill_embeds(scene, call["table"], call["select"])

    result, _ = send(person, scene, call, row)

    assert result.error is None, result.error
    if call.get("count"):
        assert (result.count or 0) >= 1
        return
    if "hidden" in call:
        assert result.data == (None if "terminal" in call else [])
        return
    if call["table"] == "platform_admins":
        [row] = scene.find("platform_admins", row)
    wanted = expected(scene, call["table"], call["select"], row)
    rows = [as_hosted(found, wanted) for found in ([result.data] if "terminal" in call else result.data)]
    assert {frozenset(found) for found in rows} == {frozenset(wanted)}, "the columns asked for, in every row"
    if "terminal" in call:
        assert rows == [wanted]
    elif "limit" in call:  # others' rows may come before it
        assert len(rows) <= call["limit"]
    else:
        assert wanted in rows


@pytest.mark.parametrize("call", named([call for call in SENT if call["op"] == "insert"]))
def test_an_insert_adds_its_row(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    if scene.org_id == contract.org_id and call["table"] in ONE_PER_ORG - {"orgs"}:
        # The page inserts it only when it found none.
        contract.world.db.execute(f"delete from public.{call['table']} where org_id = %s", [scene.org_id])
    written(call, scene)  # makes what the call refers to
    scene.renew()
    before = scene.versions(call["table"])

    result, values = send(person, scene, call, {})

    assert result.error is None, result.error
    added = scene.written_since(call["table"], before)
    assert len(added) == (0 if call["name"] == KNOWN_MEMBER else 1)
    assert_written(call, scene, values, result, *(added or scene.find("org_members", values)))


def assert_written(call: Call, scene: Scene, values: Row, result: Result, row: Row) -> None:
    # updated_at is Postgres' to say.
    assert row in scene.find(call["table"], values, leaving_out={"updated_at"})
    if "select" in call:
        wanted = expected(scene, call["table"], call["select"], row)
        assert result.data == (wanted if "terminal" in call else [wanted])


@pytest.mark.parametrize("call", named([call for call in SENT if call["op"] == "update"]))
def test_an_update_changes_its_row(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    row = scene.row(call["table"], **literals(call))
    if call["table"] == "sms_messages":
        scene.message_id = row["id"]
        scene.row("sms_attempts")  # a sender notes its attempt first
    written(call, scene)  # makes what the call refers to
    scene.renew()
    before = scene.versions(call["table"])

    result, values = send(person, scene, call, row)

    assert result.error is None, result.error
    [changed] = scene.written_since(call["table"], before)
    assert changed.get("id") == row.get("id")
    assert_written(call, scene, values, result, changed)


@pytest.mark.parametrize("call", named([call for call in SENT if call["op"] == "upsert"]))
def test_an_upsert_adds_its_row_once_and_then_changes_it(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    if call["table"] in ONE_PER_ORG:
        contract.world.db.execute(f"delete from public.{call['table']} where org_id = %s", [scene.org_id])
    key = call["onConflict"].split(",")

    for _ in range(2):
        result, values = send(person, scene, call, {})

        assert result.error is None, result.error
        [row] = scene.find(call["table"], {column: values[column] for column in key})
        assert scene.find(call["table"], values, {"updated_at"}) == [row]


@pytest.mark.parametrize("call", named([call for call in SENT if call["op"] == "delete"]))
def test_a_delete_takes_its_row_away(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    # Of a pack without a ledger: what was counted stays.
    values = {"sessions_used": 0} if call["table"] == "client_purchases" else {}
    row = scene.row(call["table"], **values)

    result, _ = send(person, scene, call, row)

    assert result.error is None, result.error
    assert scene.find(call["table"], {"id": row["id"]}) == []


def reminder(scene: Scene) -> Row:
    return {
        "p_org_id": scene.org_id,
        "p_client_id": scene.client_id,
        "p_body": "See you tomorrow",
        "p_scheduled_for": scene.at(hours=1),
        "p_related_entity_type": "booking",
        "p_related_entity_id": scene.row("bookings")["id"],
        "p_idempotency_key": f"sched-{scene.tag}",
    }


def paid_pack(scene: Scene) -> str:
    return str(scene.row("client_purchases", sessions_total=10, sessions_used=3)["id"])


RPC_CASES: dict[str, tuple[Callable[[Scene], Row], Callable[[Any], bool]]] = {
    "use_session": (lambda s: {"p_purchase_id": paid_pack(s)}, lambda data: data is True),
    "release_session": (lambda s: {"p_purchase_id": paid_pack(s)}, lambda data: type(data) is int and data == 2),
    "bookable_sessions_remaining": (
        lambda s: {"p_purchase_id": paid_pack(s)},
        lambda data: type(data) is int and data == 7,
    ),
    "is_slot_available": (
        lambda s: {"p_org_id": s.org_id, "p_start_time": s.start, "p_end_time": s.start + timedelta(minutes=45)},
        lambda data: data is True,
    ),
    "insert_sms_direct": (reminder, lambda data: isinstance(data, str) and len(data) == 36),
    "queue_pending_sms": (lambda _: {}, lambda data: type(data) is int),
    "is_phone_suppressed": (
        lambda s: {"p_org_id": s.org_id, "p_phone": s.row("sms_suppression")["phone"]},
        lambda data: data is True,
    ),
    "render_sms_template": (
        lambda _: {"p_template_body": "Hi {{client_name}}!", "p_variables": {"client_name": "Jordan"}},
        lambda data: data == "Hi Jordan!",
    ),
}


@pytest.mark.parametrize("call", named([call for call in SENT if call["op"] == "rpc"]))
def test_a_function_answers_what_its_caller_reads(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    # Without a sender nothing is queued.
    contract.world.db.execute(
        "insert into public.sms_settings (org_id, twilio_phone_number, timezone)"
        " select o.id, %s, o.timezone from public.orgs as o where o.id = %s"
        " on conflict (org_id) do update set enabled = true, twilio_phone_number = excluded.twilio_phone_number",
        [f"+1500{scene.number:07}", scene.org_id],
    )
    arguments, answers = RPC_CASES[call["rpc"]]
    values = arguments(scene)
    assert sorted(values) == sorted(call["args"])

    result = person.rpc(call["rpc"], **values)

    assert result.error is None, result.error
    assert answers(result.data), result.data


# -- what is closed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", named(REPLACED))
def test_a_replaced_call_shows_and_changes_nothing(call: Call, contract: Contract) -> None:
    person, scene = contract.caller(call)
    scene.client()  # before who calls is looked up by it
    row = scene.row(call["table"], **literals(call)) if call["op"] != "insert" else {}
    written(call, scene)  # makes what the call refers to
    scene.renew()
    before = scene.versions(call["table"])

    result, _ = send(person, scene, call, row)

    assert not result.data, result.data
    assert not result.count
    assert scene.versions(call["table"]) == before
    if call["op"] in {"select", "update"}:  # there was something to be seen or changed
        there = contract.api.service.send(
            ("from", call["table"]), ("select", call.get("select", "*")), *conditions(call, scene, row)
        )
        assert there.data, there.error
