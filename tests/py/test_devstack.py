"""The local stack's promises to whoever starts it: one clear sentence when it cannot, and secrets that stay put."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devstack.gateway import iso_timestamps, one_object, quoted_plus
from devstack.layout import ROOT, load_secrets, require_free
from devstack.postgres import Cluster
from devstack.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def devstack(module: str, data: Path, postgres_port: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of the recipes' modules on a stack of its own."""
    port = postgres_port or free_port()
    env = os.environ | {"COACH_OS_DATA": str(data), "COACH_OS_PORT_OFFSET": str(port - 54322)}
    return subprocess.run(
        [sys.executable, "-m", f"devstack.{module}"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def listener() -> socket.socket:
    """A socket on a port that an offset can shift Postgres to."""
    for port in secrets.SystemRandom().sample(range(54323, 64000), 200):
        candidate = socket.socket()
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            candidate.close()
        else:
            return candidate
    raise AssertionError("no port is free")


def free_port() -> int:
    with listener() as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def busy_port() -> Iterator[int]:
    with listener() as taken:
        taken.listen()
        yield int(taken.getsockname()[1])


def assert_one_sentence(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 1, result.stdout + result.stderr
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("coach-os: ")
    for part in parts:
        assert part in sentence


# -- a busy port ------------------------------------------------------------------------------------------------------


def test_a_free_port_is_free() -> None:
    require_free("Postgres", free_port())


def test_a_busy_port_is_named_with_the_remedy(busy_port: int) -> None:
    with pytest.raises(Problem) as told:
        require_free("the web app", busy_port)

    sentence = str(told.value)
    assert f"Port {busy_port}, needed for the web app, is in use" in sentence
    assert "./just down" in sentence
    assert "COACH_OS_PORT_OFFSET" in sentence


def test_a_start_on_a_busy_port_is_one_sentence(tmp_path: Path, busy_port: int) -> None:
    result = devstack("db", tmp_path / "data", busy_port)

    assert_one_sentence(result, f"Port {busy_port}", "Postgres", "./just down", "COACH_OS_PORT_OFFSET")
    assert not (tmp_path / "data" / "postgres").exists()  # nothing was begun


@pytest.mark.parametrize("offset", ["many", "-1", "1.5", "", "99999"])
def test_an_offset_that_makes_no_sense_is_one_sentence(tmp_path: Path, offset: str) -> None:
    env = os.environ | {"COACH_OS_DATA": str(tmp_path / "data"), "COACH_OS_PORT_OFFSET": offset}

    result = subprocess.run(
        [sys.executable, "-m", "devstack.db"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )

    assert_one_sentence(result, "COACH_OS_PORT_OFFSET")


@pytest.mark.parametrize("version", ["16", "", "17.10"])
def test_a_version_of_postgres_that_is_not_there_is_one_sentence(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACH_OS_POSTGRES", version)

    assert_one_sentence(devstack("db", tmp_path / "data"), "COACH_OS_POSTGRES", "17, 18")


# -- a broken data folder ---------------------------------------------------------------------------------------------


def _garbage_version(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_bytes(b"\x00garbage")


def _another_major_version(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("12\n")


def _somebody_elses(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("not yours")


def _half_initialised(folder: Path) -> None:
    (folder / "base").mkdir(parents=True)
    (folder / "postgresql.conf").write_text("")


def _a_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("not a folder")


BROKEN = [_garbage_version, _another_major_version, _somebody_elses, _half_initialised, _a_file]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__.lstrip("_"))
def test_a_broken_data_folder_is_one_sentence_and_reset_mends_it(
    tmp_path: Path, broken: Callable[[Path], None]
) -> None:
    data = tmp_path / "data"
    broken(data / "postgres")

    assert_one_sentence(devstack("db", data), str(data / "postgres"), "`./just reset`")

    reset = devstack("reset", data)
    assert (reset.returncode, reset.stderr) == (0, "")
    assert not (data / "postgres").exists()


def test_a_cluster_that_was_damaged_is_one_sentence(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "postgres", free_port(), "test-password", durable=False)
    cluster.start()
    cluster.stop()
    (cluster.folder / "global" / "pg_control").write_bytes(b"\x00" * 100)

    with pytest.raises(Problem, match=r"`\./just reset`"):
        cluster.start()


def test_a_cluster_stops_and_starts_with_its_data(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "postgres", free_port(), "test-password", durable=False)
    try:
        cluster.start()
        assert cluster.running()
        cluster.create_database("kept")
        cluster.start()  # while it runs: nothing to do
        cluster.stop()
        assert not cluster.running()
        cluster.stop()  # nor now
        cluster.start()
        cluster.prepare("kept")
    finally:
        cluster.stop()


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    first, second = load_secrets(folder), load_secrets(folder)

    assert first == second
    assert stat.S_IMODE((folder / "secrets.env").stat().st_mode) == 0o600
    assert len(set(first.values())) == len(first)
    assert load_secrets(tmp_path / "another")["STRIPE_WEBHOOK_SECRET"] != first["STRIPE_WEBHOOK_SECRET"]


def test_a_secret_that_came_later_is_added_and_the_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = load_secrets(folder)
    file = folder / "secrets.env"
    kept = [line for line in file.read_text().splitlines() if not line.startswith("STRIPE_SECRET_KEY=")]
    file.write_text("\n".join(kept))  # as an editor may leave it: without a line break at the end

    second = load_secrets(folder)

    assert second == load_secrets(folder)
    assert second["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert second["STRIPE_SECRET_KEY"] != first["STRIPE_SECRET_KEY"]
    for name in first.keys() - {"STRIPE_SECRET_KEY"}:
        assert second[name] == first[name]


# -- timestamps of the local API --------------------------------------------------------------------------------------

TIMESTAMPS = st.builds(
    lambda at, zone, minutes: (
        f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond}" if at.microsecond else "") + zone + minutes,
        f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{at.microsecond}" if at.microsecond else "") + zone + (minutes or ":00"),
    ),
    st.datetimes().filter(lambda at: at.year >= 1000),
    st.sampled_from(["+00", "+10", "-03", "+14"]),
    st.sampled_from(["", ":30", ":45"]),
)
# Text that comes near to a timestamp, as a client's notes may.
NEARLY = st.lists(
    st.sampled_from(['"', "\\", " ", "2026-11-23 07:00:00+00", "2026-11-23T07:00:00+00:00", ",", ":", "{", "é"])
).map("".join).filter(lambda text: text.strip() != "2026-11-23 07:00:00+00")  # fmt: skip
PLAIN = st.none() | st.booleans() | st.integers() | st.text() | NEARLY
# Pairs of what Postgres prints and what must come out.
VALUES: st.SearchStrategy[tuple[object, object]] = st.recursive(
    PLAIN.map(lambda value: (value, value)) | TIMESTAMPS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda pairs: ([p[0] for p in pairs], [p[1] for p in pairs]))
        | st.dictionaries(st.text(max_size=5) | NEARLY, inner, max_size=4).map(
            lambda d: ({k: v[0] for k, v in d.items()}, {k: v[1] for k, v in d.items()})
        )
    ),
)


# A note that quotes a timestamp: the quotation mark before it is text, not the beginning of a value.
@example(pair=('"2026-11-23 07:00:00+00', '"2026-11-23 07:00:00+00'), ascii_only=False, indent=None)
@given(pair=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_only_timestamps_change_on_the_way_through(
    pair: tuple[object, object], ascii_only: bool, indent: int | None
) -> None:
    printed, expected = pair
    body = json.dumps(printed, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")

    changed = iso_timestamps(body)

    assert json.loads(changed.decode("utf-8", "surrogatepass")) == expected
    assert iso_timestamps(changed) == changed


@pytest.mark.parametrize(
    ("query", "forwarded"),
    [
        ("phone=eq.%2B61491570006", "phone=eq.%22%2B61491570006%22"),
        ("phone=not.eq.%2B61491570006", "phone=not.eq.%22%2B61491570006%22"),
        (
            "or=%28phone.eq.%2B61491570006%2Cphone.eq.0491570006%29&select=id",
            "or=%28phone.eq.%22%2B61491570006%22%2Cphone.eq.0491570006%29&select=id",
        ),
        ("phone=in.%28%2B61%2C%2B62%2C63%29", "phone=in.%28%22%2B61%22%2C%22%2B62%22%2C63%29"),
        ("phone=eq.%22%2B61491570006%22", "phone=eq.%22%2B61491570006%22"),
        ("start_time=gte.2026-11-23T07%3A00%3A00%2B00%3A00", "start_time=gte.2026-11-23T07%3A00%3A00%2B00%3A00"),
        ("name=eq.A%2B1&notes=eq.%2Babc", "name=eq.A%2B1&notes=eq.%2Babc"),
    ],
)
def test_a_phone_number_in_a_filter_is_quoted_for_the_local_api(query: str, forwarded: str) -> None:
    assert quoted_plus(f"/rest/v1/clients?{query}") == f"/rest/v1/clients?{forwarded}"


@pytest.mark.parametrize(
    ("answer", "forwarded"),
    [
        (b'[{"id": 1, "offers": {"name": "Ten"}}]', {"id": 1, "offers": {"name": "Ten"}}),
        (b'{"id": 1}', {"id": 1}),
        (b"[]", []),
        (b"[1, 2]", [1, 2]),
        (b"null", None),
    ],
)
def test_who_asks_for_one_object_gets_it_without_its_array(answer: bytes, forwarded: object) -> None:
    assert json.loads(one_object(answer)) == forwarded


# -- ./just on a machine that lacks something -------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of executables that is all of PATH, with what the wrapper needs to get to its checks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "dirname"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def add(machine: Path, name: str, script: str) -> None:
    """Put an executable on the machine."""
    (machine / name).write_text(f"#!/bin/sh\n{script}\n")
    (machine / name).chmod(0o755)


PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
# What it is asked: whether it is too old, which it says by its exit status.
OLD_PYTHON, PYTHON = "exit 1", "exit 0"
OLD_NODE = 'case "$1" in --version) echo v18.19.1 ;; *) exit 1 ;; esac'
NODE = 'case "$1" in --version) echo v20.11.0 ;; *) exit 0 ;; esac'


def just(machine: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the wrapper, so that nothing could be installed into this checkout."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(ROOT / "just", checkout / "just")
    (checkout / "requirements.lock").write_text("")
    result = subprocess.run(
        [checkout / "just", "up"], env={"PATH": str(machine)}, capture_output=True, text=True, check=False, timeout=30
    )
    assert not (checkout / ".venv").exists()
    return result


@pytest.mark.parametrize("old", [True, False], ids=["too old", "absent"])
def test_without_a_recent_python_just_says_so(machine: Path, tmp_path: Path, old: bool) -> None:
    for name in PYTHONS if old else ():
        add(machine, name, OLD_PYTHON)
    add(machine, "node", NODE)

    assert_one_sentence(just(machine, tmp_path), "Python 3.11 or newer is needed", "https://www.python.org/downloads/")


def test_an_old_node_is_named_with_its_version(machine: Path, tmp_path: Path) -> None:
    add(machine, "python3", PYTHON)
    add(machine, "node", OLD_NODE)

    assert_one_sentence(just(machine, tmp_path), "Node.js v18.19.1 is too old", "or newer", "https://nodejs.org/")


def test_without_node_just_says_so(machine: Path, tmp_path: Path) -> None:
    add(machine, "python3", PYTHON)

    assert_one_sentence(just(machine, tmp_path), "Node.js 20.9 or newer is needed", "https://nodejs.org/")


def test_without_npm_just_says_so(machine: Path, tmp_path: Path) -> None:
    add(machine, "python3", PYTHON)
    add(machine, "node", NODE)

    assert_one_sentence(just(machine, tmp_path), "npm is needed", "https://nodejs.org/")


def test_an_old_python3_does_not_hide_a_newer_one(machine: Path, tmp_path: Path) -> None:
    add(machine, "python3", OLD_PYTHON)
    add(machine, "python3.12", PYTHON)
    add(machine, "node", OLD_NODE)

    assert_one_sentence(just(machine, tmp_path), "Node.js v18.19.1 is too old")  # it came as far as Node


@pytest.mark.parametrize(
    ("version", "enough"),
    [("18.19.1", False), ("20.8.1", False), ("20.9.0", True), ("22.0.0", True), ("100.1.0", True)],
)
def test_the_question_to_node_means_what_it_should(version: str, enough: bool) -> None:
    """Next.js needs 20.9."""
    [question] = re.findall(r"^node -e '(.+)'", (ROOT / "just").read_text(), re.MULTILINE)
    faked = f'Object.defineProperty(process.versions, "node", {{value: "{version}"}}); {question}'

    assert (subprocess.run(["node", "-e", faked], check=False).returncode == 0) is enough


@pytest.mark.parametrize(
    ("version", "enough"), [((2, 7, 18), False), ((3, 10, 14), False), ((3, 11, 0), True), ((3, 14, 0), True)]
)
def test_the_question_to_python_means_what_it_should(version: tuple[int, int, int], enough: bool) -> None:
    [question] = re.findall(r"-c '(import sys.+)' 2>", (ROOT / "just").read_text())
    faked = f"import sys; sys.version_info = {version}; {question}"

    assert (subprocess.run([sys.executable, "-c", faked], check=False).returncode == 0) is enough
