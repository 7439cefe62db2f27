# Recipes of Coach OS. Run them with ./just, which needs nothing but Python >= 3.11 and Node >= 20.

set positional-arguments

python := justfile_directory() / ".venv/bin/python"
on_every_core := "--numprocesses=auto --dist=loadfile"
export PATH := justfile_directory() / ".venv/bin" + ":" + justfile_directory() / "node_modules/.bin" + ":" + env("PATH")
export DO_NOT_TRACK := "1"
export NEXT_TELEMETRY_DISABLED := "1"

# List the recipes
@_default:
    just --list --unsorted

# Install the Node packages of package-lock.json, if they are not
[no-exit-message]
@install:
    "{{ python }}" -m devstack.install

# Start everything: database, API, sidecar, worker, web; Ctrl-C stops it
[no-exit-message]
@up: install
    "{{ python }}" -m devstack.up

# Play a coach's day against the running stack and show each step's evidence
[no-exit-message]
@demo *args: install
    "{{ python }}" -m devstack.demo "$@"

# Stop everything, also what another terminal started
[no-exit-message]
@down:
    "{{ python }}" -m devstack.down

# Start just the migrated database; the last line is DATABASE_URL=…
[no-exit-message]
@db: install
    "{{ python }}" -m devstack.db

# Forget all local data and begin anew
[no-exit-message]
@reset:
    "{{ python }}" -m devstack.reset

# Run every check: linters, database and sidecar tests, browser tests
test: lint test-databases test-e2e

# Everything on Supabase's Postgres, and on the next one what its version can change
test-databases: test-db test-next-postgres

# Database and sidecar tests only, on every core; arguments go to pytest
test-db *args: install
    "{{ python }}" -m pytest {{ on_every_core }} "$@"

# The rules in the database, migrations and races on Postgres 18, where Supabase goes next
test-next-postgres: (test-postgres-18 "tests/sql" "tests/py/bookings" "tests/py/sessions" "tests/py/test_migrations.py")

# Database and sidecar tests on Postgres 18; arguments go to pytest, none: all
test-postgres-18 *args: install
    COACH_OS_POSTGRES=18 "{{ python }}" -m pytest {{ on_every_core }} "$@"

# Random lives of packs for half an hour and a backlog of 100,000 bookings; SOAK_SEED=… plays the same again
[no-exit-message]
@soak *args: install
    SOAK_EXAMPLES="${SOAK_EXAMPLES:-2000}" SOAK_STEPS="${SOAK_STEPS:-100}" SOAK_BACKLOG="${SOAK_BACKLOG:-100000}" \
        "{{ python }}" -m pytest tests/py/sessions "$@"

# Random lives of a booking and its texts; senders killed hundreds of times, a day of chaos, 10,000 callbacks,
# 100,000 phone numbers; SOAK_SEED=… plays the same again
[no-exit-message]
@soak-texts *args: install
    SOAK_EXAMPLES="${SOAK_EXAMPLES:-1000}" SOAK_STEPS="${SOAK_STEPS:-60}" SOAK_DEATHS="${SOAK_DEATHS:-25}" \
        SOAK_TEXTS="${SOAK_TEXTS:-2000}" SOAK_CALLBACKS="${SOAK_CALLBACKS:-10000}" \
        SOAK_NUMBERS="${SOAK_NUMBERS:-100000}" \
        "{{ python }}" -m pytest tests/py/sms tests/py/clients/test_phones.py "$@"

# Browser test and the coach's day, on a stack of their own
[no-exit-message]
@test-e2e: install
    "{{ python }}" -m devstack.e2e

# Format check, linters and type checkers
lint: install
    ruff format --check sidecar devstack bench tests/py
    ruff check sidecar devstack bench tests/py
    mypy
    squawk supabase/migrations/*.sql
    npm run --silent lint --workspace web
    npm run --silent typecheck --workspace web

# Format the Python code
format:
    ruff format sidecar devstack bench tests/py
    ruff check --fix sidecar devstack bench tests/py

# Write libphonenumber's metadata, of the installed package, as the next migration
[no-exit-message]
@phone-regions:
    "{{ python }}" -m devstack.phone_regions

# Turn changed files of supabase/functions_sql into the next migration
[no-exit-message]
@functions:
    "{{ python }}" -m devstack.functions

# Write web/lib/database.ts anew, from a database that the migrations build
[no-exit-message]
@types: install
    "{{ python }}" -m devstack.database_types

# Measure what things cost, on a database of its own; names of benches, --help
[no-exit-message]
@bench *args: install
    "{{ python }}" -m bench "$@"

# Resolve pyproject.toml into requirements.lock again
lock:
    uv pip compile --universal --generate-hashes --no-header --quiet --group dev pyproject.toml --output-file requirements.lock
