"""What happened on an org's account as the stand-in for Stripe shows it, told to us or not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from books import Payment
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from conftest import Org, Standin, World

    Event = dict[str, Any]


@dataclass
class Shop:
    """An org's account; its objects exist from now on, whatever their events say."""

    standin: Standin
    org: Org

    async def shows(self, shown: dict[str, Any], created: int | None = None) -> None:
        """Stripe has this object, and no event of it any more."""
        kept = shown | {"created": int(time.time()) if created is None else created}
        await self.standin.control("keep", {"object": kept, "account": self.org.account})

    async def tells(self, event: Event) -> str:
        """Stripe has made this event, and has not delivered it. Gives its id."""
        told = {"type": event["type"], "object": event["data"]["object"], "account": self.org.account}
        answer = await self.standin.control("emit", told | {"delivery": "none"})
        return str(answer["event_id"])

    async def happens(self, *events: Event, told: bool = True) -> list[str]:
        """The objects of these events are there, and (`told`) their events, undelivered. Gives their ids."""
        ids = []
        for event in events:
            await self.shows(event["data"]["object"])
            if told:
                ids.append(await self.tells(event))
        return ids

    async def sells(self, n: int, *, told: bool = True, **fields: Any) -> Payment:  # noqa: ANN401 - as Payment takes them
        """A payment, as Stripe shows it: charge and intent."""
        payment = Payment(self.org, n, **fields)
        await self.happens(payment.charge(), told=told)
        await self.shows(payment.intent()["data"]["object"])
        return payment

    async def delivers(self, world: World, *ids: str) -> list[str]:
        """These events come to the webhook's door. Gives what became of each."""
        async with self.standin.http.get(f"{self.standin.url}/_control/events") as response:
            told = {entry["event"]["id"]: entry["event"] for entry in await response.json()}
        return [world.value("select app.receive_stripe_event(%s, false)", Jsonb(told[each])) for each in ids]
