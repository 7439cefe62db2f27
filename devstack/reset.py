"""`./just reset`: stop the stack and forget everything it kept."""

from __future__ import annotations

from devstack.db import forget
from devstack.down import stop_up
from devstack.problems import told
from devstack.stack import Stack


@told
def main() -> None:
    """Stop whatever runs, then remove the stack's folder."""
    stack = Stack.here()
    stop_up(stack)
    stack.cluster.stop()
    forget(stack)
    print("All local data is gone; `./just up` begins anew.")


if __name__ == "__main__":
    main()
