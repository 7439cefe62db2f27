"""Where the local API differs from hosted Supabase, what reaches the caller is as hosted Supabase sends it.

Hosted Supabase sends the JSON that Postgres makes of a row, so that is what answers are compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from local_api import as_hosted

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import World
    from local_api import LocalApi, Person

PHONE = "+61491570006"


@pytest.fixture(scope="module")
def coach(api: LocalApi) -> Person:
    return api.person("a coach at the local api")


@pytest.fixture(scope="module")
def org_id(coach: Person) -> UUID:
    made: UUID = coach.rpc("create_org", p_name="Local").data["id"]
    return made


@pytest.fixture(scope="module")
def client_id(api_world: World, org_id: UUID) -> UUID:
    made: UUID = api_world.value(
        "insert into public.clients (org_id, full_name, phone, weight_kg) values (%s, 'Jordan Lee', %s, 80.5)"
        " returning id",
        org_id,
        PHONE,
    )
    return made


@pytest.mark.parametrize(
    "condition",
    [("eq", "phone", PHONE), ("in", "phone", [PHONE]), ("or", f"phone.eq.{PHONE},phone.eq.0491570006")],
)
def test_a_phone_number_is_found_by_its_plus(
    coach: Person, client_id: UUID, condition: tuple[str, str] | tuple[str, str, Any]
) -> None:
    result = coach.send(("from", "clients"), ("select", "id"), condition)

    assert result.data == [{"id": str(client_id)}]


def test_a_row_is_the_json_that_postgres_makes_of_it(coach: Person, api_world: World, client_id: UUID) -> None:
    row = api_world.value("select to_jsonb(c) from public.clients as c where c.id = %s", client_id)
    org = api_world.value("select to_jsonb(o) from public.orgs as o where o.id = %s", row["org_id"])

    result = coach.send(
        ("from", "clients"), ("select", "*, orgs!clients_org_id_fkey(*)"), ("eq", "id", client_id), ("single",)
    )

    assert result.data == row | {"orgs": org}
    assert type(result.data["weight_kg"]) is float
    assert "T" in result.data["created_at"]
    assert "T" in result.data["orgs"]["created_at"]


@pytest.mark.parametrize("command", ["insert", "update"])
def test_a_written_row_comes_back_as_one_object_with_its_embed(
    coach: Person, org_id: UUID, client_id: UUID, command: str
) -> None:
    values = {"org_id": org_id, "full_name": "Robin"} if command == "insert" else {"notes": "Prefers mornings"}
    chosen = [] if command == "insert" else [("eq", "id", client_id)]

    result = coach.send(
        ("from", "clients"), (command, values), *chosen, ("select", "org_id, orgs!clients_org_id_fkey(name)"),
        ("single",),
    )  # fmt: skip

    assert result.data == {"org_id": str(org_id), "orgs": {"name": "Local"}}


def test_a_function_is_given_json_and_no_text_of_it(coach: Person) -> None:
    values: dict[str, Any] = {"object": {"a": {"b": 1}}, "array": [{"a": 1}], "string": "a"}

    assert {kind: coach.rpc("tests_kind_of", p_value=value).data for kind, value in values.items()} == {
        kind: kind for kind in values
    }


def test_what_a_view_works_out_is_a_number(coach: Person, api_world: World, org_id: UUID) -> None:
    api_world.db.execute(
        "insert into public.clients (org_id, full_name, weight_kg) values (%s, 'Doubled', 80.5)", [org_id]
    )
    row = api_world.value("select to_jsonb(d) from public.tests_doubled as d where d.full_name = 'Doubled'")

    result = coach.send(("from", "tests_doubled"), ("select", "*"), ("eq", "full_name", "Doubled"), ("single",))

    assert as_hosted(result.data, row) == row == {"full_name": "Doubled", "weight_kg": 161}
