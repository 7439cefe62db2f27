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
    """Make a command print a Problem as its sentence, and exit 1, instead of a traceback."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except Problem as problem:
            sys.exit(f"coach-os: {problem}")

    return run
