"""What row security costs: the frontend's reads as a signed-in user, against the same reads with no policy at all.

`service_role` passes every policy, so its time is the least these reads can take: the bare limit. The peers are the
other forms that a policy with the same promise can have.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from bench import requests
from bench.ground import Answer, Api
from bench.measure import Timing, in_turn, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg import Connection

    from bench.ground import Ground

LIMIT = 1.5
"""The calendar week as `authenticated` takes at most so many times what it takes as `service_role`."""

OTHER_POLICIES_SQL = Path(__file__).with_name("other_policies.sql")
BARE = "service_role"
OURS = "authenticated"
FORMS = {
    OURS: "ours: = any (array(select f()))",
    "bench_sql_helper": "ours, but f() in SQL",
    "bench_in_select": "in (select f())",
    "bench_exists": "exists (select from members …)",
    "bench_per_row": "f(org_id), for each row",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in, and whose rows they look at."""

    name: str
    user_id: UUID
    org_id: UUID
    orgs: int = 1
    client_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """One of `bench.requests`, with its arguments."""

    name: str
    query: str
    arguments: list[str]


def run(ground: Ground) -> list[str]:
    """Measure and print; returns a sentence for each promise that does not hold."""
    database = ground.filled()
    with ground.connect(database) as admin, ExitStack() as connections:
        admin.execute(OTHER_POLICIES_SQL.read_bytes())
        people, week = _people(admin), _week(admin)

        def api(role: str, person: Person) -> Api:
            return Api(connections.enter_context(ground.connect(database)), role, person.user_id)

        failures = _frontend(ground, people, week, api)
        studio = people[1]
        forms = {role: api(role, studio) for role in (BARE, *FORMS)}
        _other_forms(ground, studio, week, forms)
        for read in _reads(studio, week):
            ground.show(
                f"Plan of the {read.name}, {studio.name}, as {OURS}",
                forms[OURS].plan(read.query, read.arguments),
            )
    return failures


def _frontend(ground: Ground, people: list[Person], week: list[str], api: Callable[[str, Person], Api]) -> list[str]:
    """What the frontend asks, with policies and without."""
    failures = []
    shown = table("request", "who", "rows", BARE, OURS, "ratio", "statement alone", text=2)
    for person in people:
        bare, ours = api(BARE, person), api(OURS, person)
        for read in _reads(person, week):
            answers = _ask({BARE: (bare, read), OURS: (ours, read)})
            request, statement = _requests(answers), _statements(answers)
            ratio = request[OURS].over(request[BARE])
            shown.add_row(
                *(read.name, person.name, str(answers[OURS][0].rows), str(request[BARE]), str(request[OURS])),
                *(f"{ratio:.2f}", f"{statement[OURS].over(statement[BARE]):.2f}"),
            )
            if read.query == requests.CALENDAR_WEEK and person.orgs == 1 and ratio > LIMIT:
                failures.append(
                    f"The calendar week ({person.name}) took {ratio:.2f} times as long as {OURS} as it took as "
                    f"{BARE}: at most {LIMIT} is promised."
                )
    ground.show(f"Requests as {BARE} and as {OURS}, in ms: median (middle half of the rounds)", shown)
    return failures


def _other_forms(ground: Ground, person: Person, week: list[str], apis: dict[str, Api]) -> None:
    """The same rows through policies of other forms, when the request names the org and when it does not."""
    named = Read("calendar week", requests.CALENDAR_WEEK, [str(person.org_id), *week])
    unnamed = Read("week, org not named", requests.WEEK_OF_ANY_ORG, week)
    shown = table("policy", named.name, "ratio", unnamed.name, "ratio")
    for role, form in FORMS.items():
        cells = []
        for read in (named, unnamed):
            # Without a policy the org has to be named, to get the same rows.
            took = _requests(_ask({BARE: (apis[BARE], named), role: (apis[role], read)}))
            cells += [str(took[role]), f"{took[role].over(took[BARE]):.2f}"]
        shown.add_row(form, *cells)
    ground.show(f"The same promise in other forms of policy ({person.name}), in ms, and against {BARE}", shown)


def _people(admin: Connection) -> list[Person]:
    """An owner of each kind of org, a member of many orgs, and a client; their rows lie amid the others'."""
    query = """
        select distinct on (o.kind) o.*, md5('manager')::uuid as manager_id,
               md5(format('client %s 1', o.org_no))::uuid as client_id, md5('client user ' || o.org_no)::uuid as user_id
          from bench.orgs as o
          join (select kind, percentile_disc(0.5) within group (order by org_no) as middle
                  from bench.orgs group by kind) as m on m.kind = o.kind and m.middle = o.org_no
    """
    with admin.cursor(row_factory=dict_row) as cursor:
        orgs = {row["kind"]: row for row in cursor.execute(query).fetchall()}
    coach, studio, newcomer = orgs["coach"], orgs["studio"], orgs["newcomer"]
    return [
        Person("full-time coach", coach["owner_id"], coach["id"]),
        Person("studio owner", studio["owner_id"], studio["id"]),
        Person("newcomer", newcomer["owner_id"], newcomer["id"]),
        Person("member of 50 orgs", studio["manager_id"], studio["id"], orgs=50),
        Person("client of a coach", coach["user_id"], coach["id"], client_id=coach["client_id"]),
    ]


def _week(admin: Connection) -> list[str]:
    """Start and end of this week, as the frontend asks for them."""
    query = "select range_start::text, range_end::text from app.calendar_range('week', current_date, %s)"
    return list(admin.execute(query, ["Australia/Brisbane"]).fetchall()[0])


def _reads(person: Person, week: list[str]) -> list[Read]:
    org_id = str(person.org_id)
    if person.client_id:
        return [Read("own next sessions", requests.OWN_BOOKINGS, [str(person.client_id), week[0]])]
    return [
        Read("calendar week", requests.CALENDAR_WEEK, [org_id, *week]),
        Read("confirmation poll", requests.CONFIRMATION_POLL, [org_id, *week]),
        Read("client list", requests.CLIENT_LIST, [org_id]),
        Read("money list", requests.MONEY_LIST, [org_id]),
    ]


def _ask(contenders: dict[str, tuple[Api, Read]]) -> dict[str, list[Answer]]:
    """Their answers, round by round; all must have the same rows: a policy that hides some would only seem fast."""
    answers = in_turn(
        {role: partial(api.get, read.query, read.arguments) for role, (api, read) in contenders.items()},
        rounds=200,
        warm_up=20,
    )
    rows = {role: answer[0].rows for role, answer in answers.items()}
    if len(set(rows.values())) > 1:
        raise RuntimeError(f"these are not the same reads, they found so many rows: {rows}")
    return answers


def _requests(answers: dict[str, list[Answer]]) -> dict[str, Timing]:
    return {role: Timing.of(answer.request_s for answer in rounds) for role, rounds in answers.items()}


def _statements(answers: dict[str, list[Answer]]) -> dict[str, Timing]:
    return {role: Timing.of(answer.statement_s for answer in rounds) for role, rounds in answers.items()}
