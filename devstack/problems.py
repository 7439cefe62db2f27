"""One way for the local stack to fail: a sentence that says what is wrong and what to do."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Problem(Exception):
    """Something the person at the keyboard can mend; the message is one sentence with the remedy."""


def told(main: Callable[[], None]) -> Callable[[], None]:
    """Make a command end without a traceback: on a Problem with its sentence and status 1, on Ctrl-C with 130."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except Problem as problem:
            sys.exit(f"coach-os: {problem}")
        except KeyboardInterrupt:
            sys.exit(130)

    return run
