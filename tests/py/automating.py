"""What the tests of automations share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from conftest import Org, World

    from sidecar.automations.push import PushOutcome

MESSAGE = {"type": "send_message", "params": {"body": "Hi {{first_name}}"}}
PUSH = {"type": "send_push", "params": {"title": "Hi {{first_name}}", "body": "{{days_inactive}} days"}}


def schedule(text: str) -> dict[str, str]:
    """A trigger by the clock."""
    return {"type": "schedule", "schedule": text}


def event(name: str) -> dict[str, str]:
    """A trigger by what happens to a client."""
    return {"type": "event", "event": name}


def automation(
    world: World,
    org: Org,
    actions: Sequence[dict[str, Any]] = (MESSAGE,),
    trigger: dict[str, str] | None = None,
    due_at: datetime | None = None,
    conditions: Sequence[dict[str, Any]] = (),
    guardrails: dict[str, Any] | None = None,
    name: str = "Nudge",
) -> UUID:
    """An automation as a coach saves it; `due_at`: as if that much time had passed."""
    automation_id = uuid4()
    world.db.execute(
        "insert into public.automations (id, org_id, name, trigger, conditions, actions, guardrails)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [automation_id, org.id, name]
        + [json.dumps(part) for part in (trigger or schedule("daily"), conditions, actions, guardrails or {})],
    )
    if due_at:
        world.db.execute("update public.automations set next_due_at = %s where id = %s", [due_at, automation_id])
    return automation_id


def device(world: World, org: Org, client_id: UUID | None = None) -> str:
    """The client has the app on one more device."""
    token = f"ExponentPushToken[{uuid4().hex}]"
    world.db.execute(
        "insert into public.push_tokens (org_id, client_id, expo_token) values (%s, %s, %s)",
        [org.id, client_id or org.client_id, token],
    )
    return token


class Pushes:
    """A push service: what it was asked to send, and what it answers."""

    def __init__(self, *answers: PushOutcome | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[tuple[list[str], str, str]] = []

    async def send(self, tokens: Sequence[str], title: str, body: str) -> PushOutcome:
        """As asked, in turn; the last answer stands."""
        self.sent.append((list(tokens), title, body))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer
