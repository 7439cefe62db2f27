"""Progress photos in Supabase Storage: whose folder it is decides. On a stand-in: the local API has no Storage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest

from devstack.functions import MIGRATIONS

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import Org, World

# As on the platform, as far as policies see it. https://supabase.com/docs/guides/storage/schema/design
STORAGE = """
create schema storage;
create table storage.buckets (
  id text primary key, name text not null unique, owner uuid, owner_id text, public boolean default false,
  avif_autodetection boolean default false, file_size_limit bigint, allowed_mime_types text[],
  created_at timestamptz default now(), updated_at timestamptz default now()
);
create table storage.objects (
  id uuid primary key default gen_random_uuid(), bucket_id text references storage.buckets, name text, owner uuid,
  owner_id text, version text, metadata jsonb, user_metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  created_at timestamptz default now(), updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  unique (bucket_id, name)
);
create function storage.foldername(name text) returns text[] language plpgsql immutable as $$
declare
  _parts text[];
begin
  select string_to_array(name, '/') into _parts;
  return _parts[1 : array_length(_parts, 1) - 1];
end;
$$;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
grant usage on schema storage to anon, authenticated, service_role;
grant all on all tables in schema storage to anon, authenticated, service_role;
alter schema storage owner to postgres;
alter table storage.buckets owner to postgres;
alter table storage.objects owner to postgres;
insert into storage.buckets (id, name, public) values ('progress-photos', 'progress-photos', true),
                                                      ('elsewhere', 'elsewhere', false);
"""


def block() -> str:
    """What the migration does about Storage, and does not where there is none."""
    [file] = MIGRATIONS.glob("*_client_access_policies.sql")
    [found] = re.findall(r"^do \$\$.*?^\$\$;", file.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


class Bucket:
    """The bucket, as a user of the API has it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def run(self, user_id: UUID | None, query: str, *arguments: object) -> int | str:
        """Rows found or written, or the SQLSTATE of the refusal. Nobody is signed in without a user."""
        claims = f'{{"sub": "{user_id}", "role": "authenticated"}}' if user_id else '{"role": "anon"}'
        with psycopg.connect(self.world.url("postgres")) as db:
            db.execute("select set_config('request.jwt.claims', %s, true)", [claims])
            db.execute("set local role authenticated" if user_id else "set local role anon")
            try:
                return db.execute(query.encode(), arguments).rowcount
            except psycopg.Error as refused:
                return str(refused.sqlstate)

    def upload(self, user_id: UUID | None, name: str, bucket: str = "progress-photos") -> int | str:
        """As with `upsert: true`."""
        return self.run(
            user_id,
            "insert into storage.objects (bucket_id, name) values (%s, %s)"
            " on conflict (bucket_id, name) do update set updated_at = now() returning id",
            bucket, name,
        )  # fmt: skip

    def read(self, user_id: UUID | None) -> int | str:
        return self.run(user_id, "select from storage.objects")


@pytest.fixture
def bucket(world: World) -> Bucket:
    world.db.execute(STORAGE.encode())
    with psycopg.connect(world.url("postgres")) as db:
        db.execute(block().encode())
    return Bucket(world)


@pytest.fixture
def org(world: World) -> Org:
    return world.org()


def app_user(world: World, client_id: UUID) -> UUID:
    user_id = world.user()
    world.db.execute("update public.clients set auth_user_id = %s where id = %s", [user_id, client_id])
    return user_id


def stored(world: World, name: str, bucket: str = "progress-photos") -> None:
    world.db.execute("insert into storage.objects (bucket_id, name) values (%s, %s)", [bucket, name])


def test_without_storage_the_migration_does_nothing(world: World) -> None:
    with psycopg.connect(world.url("postgres")) as db:
        db.execute(block().encode())

    assert world.value("select to_regnamespace('storage')") is None


def test_the_bucket_is_private_even_if_it_was_not(world: World, bucket: Bucket) -> None:
    assert bucket is not None
    assert world.value("select public from storage.buckets where id = 'progress-photos'") is False


def test_running_it_again_changes_nothing(world: World, bucket: Bucket) -> None:
    assert bucket is not None
    seen = "select policyname, roles, cmd, qual, with_check from pg_policies where schemaname = 'storage' order by 1"
    before = world.rows(seen)

    with psycopg.connect(world.url("postgres")) as db:
        db.execute(block().encode())

    assert world.rows(seen) == before
    assert [(row["cmd"], row["roles"]) for row in before] == [
        (command, ["authenticated"]) for command in ("INSERT", "SELECT", "UPDATE")
    ]


def test_a_client_writes_and_reads_their_own_folder(world: World, org: Org, bucket: Bucket) -> None:
    user = app_user(world, org.client_id)
    other = world.client(org, "+61491570001")
    mine, theirs = f"{org.client_id}/2026-03-01/front-1.jpg", f"{other}/2026-03-01/front-1.jpg"
    stored(world, theirs)

    assert bucket.upload(user, mine) == 1
    assert bucket.read(user) == 1, "theirs, not the other client's"
    assert bucket.upload(user, mine) == 1, "replacing it"
    assert bucket.upload(user, theirs) == "42501", "replacing another client's"


@pytest.mark.parametrize(
    "name",
    ["{other}/2026-03-01/front-1.jpg", "front-1.jpg", "{own}", "", "/{own}/a.jpg", "x/{own}/a.jpg", "not-a-uuid/a.jpg"],
)
def test_a_client_writes_nowhere_else(world: World, org: Org, bucket: Bucket, name: str) -> None:
    user = app_user(world, org.client_id)
    path = name.format(own=org.client_id, other=world.client(org, "+61491570001"))

    assert bucket.upload(user, path) == "42501"
    assert bucket.upload(user, f"{org.client_id}/a.jpg", "elsewhere") == "42501"


def test_moving_a_photo_into_another_folder_is_refused(world: World, org: Org, bucket: Bucket) -> None:
    user = app_user(world, org.client_id)
    other = world.client(org, "+61491570001")
    stored(world, f"{org.client_id}/a.jpg")

    assert bucket.run(user, "update storage.objects set name = %s", f"{other}/a.jpg") == "42501"
    assert bucket.run(user, "update storage.objects set bucket_id = 'elsewhere'") == "42501"
    assert bucket.run(user, "delete from storage.objects") == 0


def test_staff_read_their_own_clients_photos_and_write_none(world: World, org: Org, bucket: Bucket) -> None:
    elsewhere = world.org()
    stored(world, f"{org.client_id}/a.jpg")
    stored(world, f"{elsewhere.client_id}/b.jpg")
    stored(world, f"{org.client_id}/c.jpg", "elsewhere")

    for user in (org.owner_id, world.member(org, "staff")):
        assert bucket.read(user) == 1
        assert bucket.run(user, "select from storage.objects where name = %s", f"{org.client_id}/a.jpg") == 1
        assert bucket.upload(user, f"{org.client_id}/new.jpg") == "42501"
        assert bucket.run(user, "update storage.objects set metadata = '{}'") == 0


def test_nobody_else_sees_a_photo(world: World, org: Org, bucket: Bucket) -> None:
    stored(world, f"{org.client_id}/a.jpg")

    assert bucket.read(world.member(org, "accountant_readonly")) == 0
    assert bucket.read(world.org().owner_id) == 0
    assert bucket.read(world.user()) == 0
    assert bucket.read(None) == 0
    assert bucket.upload(None, f"{org.client_id}/a.jpg") == "42501"


def test_access_ends_with_the_link(world: World, org: Org, bucket: Bucket) -> None:
    user = app_user(world, org.client_id)
    stored(world, f"{org.client_id}/a.jpg")
    world.db.execute("update public.clients set auth_user_id = null")

    assert bucket.read(user) == 0
    assert bucket.upload(user, f"{org.client_id}/a.jpg") == "42501"
