"""Senders are killed at every step: no text goes out twice, none is lost, none is stuck."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest
from dying_sender import STEPS, Life, start

if TYPE_CHECKING:
    from conftest import Org, Standin, World

SID, TOKEN = "AC" + "0" * 32, "token-of-the-tests"
MANY = int(os.environ.get("SOAK_DEATHS", "1"))
"""How many times over: once a step in the everyday run."""
DEATHS = 8
"""A text is tried ten times in all."""


class Outbox:
    """So many texts of one org, and the senders that are to send them."""

    def __init__(self, world: World, standin: Standin, name: str, count: int) -> None:
        self.world, self.standin = world, standin
        self.org: Org = world.org()
        self.bodies = [f"{name} {number}" for number in range(count)]
        world.db.execute(
            "update public.sms_settings set max_sms_per_client_per_day = null, max_sms_per_hour = null"
            " where org_id = %s",
            [self.org.id],
        )
        for body in self.bodies:
            world.message(self.org, body)

    async def lives(self, *deaths: tuple[str | None, int], batch: int = 50) -> int:
        """Senders side by side, each to its death; then so much time goes by that their claims are over."""
        processes = [
            await asyncio.to_thread(
                start,
                Life(self.world.url("coach_os_worker"), self.standin.url, SID, TOKEN, step, nth, batch),
            )
            for step, nth in deaths
        ]
        for process in processes:
            await asyncio.to_thread(process.join, 60)
        died = [process.exitcode for process in processes]
        assert set(died) <= {0, -9}, died
        for process in processes:
            process.close()
        self.world.db.execute(
            "update public.sms_messages set locked_until = locked_until - interval '6 minutes',"
            " scheduled_for = scheduled_for - interval '6 minutes', reconcile_at = reconcile_at - interval '6 minutes',"
            " attempted_at = attempted_at - interval '6 minutes' where org_id = %s",
            [self.org.id],
        )
        return died.count(-9)

    async def check(self) -> None:
        """Every text once at Twilio, and every row says so."""
        while self.world.value(
            "select count(*) from public.sms_messages where org_id = %s and status <> 'sent'", self.org.id
        ):
            before = self.world.everything()["public.sms_messages"]
            await self.lives((None, 1))
            assert self.world.everything()["public.sms_messages"] != before, "stuck"
        accepted = await self.standin.messages(self.org.client_phone)
        assert sorted(each["body"] for each in accepted) == sorted(self.bodies)
        rows = self.world.rows(
            "select body, provider_message_id from public.sms_messages where org_id = %s", self.org.id
        )
        assert {row["body"]: row["provider_message_id"] for row in rows} == {
            each["body"]: each["sid"] for each in accepted
        }


async def test_a_sender_dies_at_every_step(world: World, twilio_standin: Standin, subtests: pytest.Subtests) -> None:
    for number, step in ((number, step) for number in range(MANY) for step in STEPS):
        with subtests.test(f"{step} {number}"):
            outbox = Outbox(world, twilio_standin, f"{step} {number}", 6)
            deaths = 0
            for death in range(3 if MANY > 1 else 2):
                if step in {"looking", "looked"}:
                    await outbox.lives(("answered", death + 1))  # so that something is in doubt
                deaths += await outbox.lives((step, death + 1), batch=3)
            assert deaths > 0, "nobody died"
            await outbox.check()


@pytest.mark.parametrize("senders", [2, 4])
async def test_several_senders_die_side_by_side(world: World, twilio_standin: Standin, senders: int) -> None:
    for number in range(MANY):
        chosen = random.Random(number)  # noqa: S311 - the same deaths in every run
        outbox = Outbox(world, twilio_standin, f"{senders} of {number}", 24)
        deaths = 0
        for _ in range(DEATHS if MANY > 1 else 2):
            others = ((chosen.choice(STEPS), chosen.randint(1, 4)) for _ in range(senders - 1))
            deaths += await outbox.lives(("answered", 2), *others, batch=3)
        assert deaths > 0, "nobody died"
        await outbox.check()


async def test_twilio_fails_and_senders_die(world: World, twilio_standin: Standin) -> None:
    for number in range(MANY):
        chosen = random.Random(number)  # noqa: S311 - the same deaths in every run
        outbox = Outbox(world, twilio_standin, f"failing {number}", 12)
        for _ in range(20):
            mode = chosen.choice(["none", "none", "error", "recorded_error", "drop"])
            await twilio_standin.fault(mode, status=chosen.choice([500, 503]))
        for _ in range(3):
            await outbox.lives((chosen.choice(STEPS), chosen.randint(1, 6)), (None, 1), batch=3)
        await outbox.check()
