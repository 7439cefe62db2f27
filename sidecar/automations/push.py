"""What an automation needs of whoever sends push notifications.

The one seam between the two: the worker is given a provider, or none. Without one every `send_push` fails, with that as
its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What became of one notification, on whichever of the client's devices (see app.settle_automation_push).

    sent: the push service took it for at least one device. failed: final. retry: it may work later. unknown: it was
    called and did not answer, so it is not sent again. `cause`: why, for a coach to read, as a sentence without its
    full stop; nothing of a person in it.
    """

    kind: Literal["sent", "failed", "retry", "unknown"]
    cause: str | None = None


class PushProvider(Protocol):
    """Sends a notification to the devices of one client; any number of calls at once."""

    async def send(self, tokens: Sequence[str], title: str, body: str) -> PushOutcome:
        """Try once, within four minutes: after five, the notification is taken for lost. May raise: that is `unknown`.

        `tokens` are push_tokens.expo_token, at least one; `title` may be empty.
        """


NOT_SET_UP = PushOutcome("failed", "push notifications are not set up")
