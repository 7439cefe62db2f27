"""`./just reset`: stop the stack and forget everything it kept."""

from __future__ import annotations

from devstack.db import forget
from devstack.down import stop_everything
from devstack.problems import told
from devstack.stack import Stack


@told
def main() -> None:
    """Stop whatever runs, then remove what the stack kept."""
    stack = Stack.here()
    stop_everything(stack)
    forget(stack)
    print("All local data is gone; `./just up` begins anew.")


if __name__ == "__main__":
    main()
