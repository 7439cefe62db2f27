"""What the pages embed arrives in the shape they read: an object, an array, or a count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract.embeds import expected, fill_embeds, parse
from contract.rows import Scene

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import World
    from local_api import LocalApi, Person

    from contract.rows import Row

EMBEDDED: list[tuple[str, str, type]] = [
    ("bookings", "clients(id, full_name)", dict),
    ("bookings", "clients (full_name)", dict),
    ("bookings", "orgs(id, name)", dict),
    ("bookings", "offers(name)", dict),
    ("client_purchases", "offers(name, offer_type)", dict),
    ("client_purchases", "offer_id(name)", dict),
    ("client_purchases", "offer_id(session_duration_mins)", dict),
    ("client_purchases", "offer_id(name, session_duration_mins)", dict),
    ("clients", "orgs!clients_org_id_fkey(name)", dict),
    ("clients", "subscriptions(status, manage_url)", list),
    ("clients", "client_risk(tier, score)", list),
    ("org_members", "orgs(id, name, slug)", dict),
    ("money_events", "clients(full_name)", dict),
    ("client_risk", "clients(full_name)", dict),
    ("automation_runs", "clients(full_name)", dict),
    ("automation_runs", "automations(name)", dict),
    ("message_threads", "clients(full_name)", dict),
    ("referrals", "referral_links(name, code)", dict),
    ("client_habits", "habits(name)", dict),
    ("client_invites", "clients(full_name)", dict),
    ("client_invites", "orgs(name)", dict),
]


class Gym:
    """A coach, and the org whose rows embed each other."""

    def __init__(self, api: LocalApi, world: World) -> None:
        self.coach = api.person("embedding coach")
        self.service = api.service
        self.world = world
        self.org_id: UUID = self.coach.rpc("create_org", p_name="Embedding").data["id"]

    def scene(self) -> Scene:
        """A client of the org."""
        assert self.coach.id is not None
        return Scene(self.world, self.org_id, self.coach.id)


@pytest.fixture(scope="module")
def gym(api: LocalApi, api_world: World) -> Gym:
    """The org whose rows embed each other."""
    return Gym(api, api_world)


def embedded(person: Person, table: str, select: str, row: Row) -> Row:
    """The row as the API answers it, with the embed."""
    result = person.send(("from", table), ("select", f"id, {select}"), ("eq", "id", row["id"]), ("single",))
    assert result.error is None, result.error
    answer: Row = result.data
    return answer


@pytest.mark.parametrize("who", ["coach", "service"])
@pytest.mark.parametrize(
    ("table", "select", "shape"), [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in EMBEDDED]
)
def test_an_embed_has_its_shape(gym: Gym, who: str, table: str, select: str, shape: type) -> None:
    scene = gym.scene()
    row = scene.row(table)
    fill_embeds(scene, table, select)

    answer = embedded(getattr(gym, who), table, select, row)

    [embed] = parse(select)[1]
    found: Any = answer[embed.name.split("!")[0]]
    assert type(found) is shape
    one: Any = found[0] if isinstance(found, list) else found
    assert list(one) == embed.columns
    assert answer == expected(scene, table, f"id, {select}", row)


@pytest.mark.parametrize(("table", "column", "select"), [
    ("bookings", "offer_id", "offers(name)"),
    ("money_events", "client_id", "clients(full_name)"),
])  # fmt: skip
def test_an_object_that_is_not_there_is_null(gym: Gym, table: str, column: str, select: str) -> None:
    row = gym.scene().row(table, **{column: None})

    assert embedded(gym.coach, table, select, row) == {"id": row["id"], select.split("(", 1)[0]: None}


def test_of_many_that_are_not_there_comes_an_empty_array(gym: Gym) -> None:
    row = gym.scene().row("clients")

    answer = embedded(gym.coach, "clients", "subscriptions(status), client_risk(tier)", row)

    assert answer == {"id": row["id"], "subscriptions": [], "client_risk": []}


def test_a_count_is_an_array_of_one(gym: Gym) -> None:
    scene = gym.scene()
    scene.row("subscriptions")
    clients: Any = gym.world.value("select count(*) from public.clients where org_id = %s", gym.org_id)
    subscriptions: Any = gym.world.value("select count(*) from public.subscriptions where org_id = %s", gym.org_id)

    answer = embedded(gym.coach, "orgs", "clients(count), subscriptions(count)", {"id": gym.org_id})

    assert answer["clients"] == [{"count": clients}]
    assert answer["subscriptions"] == [{"count": subscriptions}]


def test_users_of_supabase_auth_are_not_embedded(gym: Gym) -> None:
    result = gym.coach.send(("from", "org_members"), ("select", "id, users:user_id (email)"))

    assert result.error is not None
    assert result.error["code"].startswith("PGRST2")  # PGRST200 of PostgREST, PGRST205 of the local API
