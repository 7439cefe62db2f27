"""One way for the local stack to fail: a sentence that says what is wrong and what to do."""


class Problem(Exception):
    """Something the person at the keyboard can mend; the message is one sentence with the remedy."""
