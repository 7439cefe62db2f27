"""The stand-ins' HTML. Everything that came from outside is escaped here and nowhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from string import Template

_LAYOUT = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2563eb; --warn: #b45309; }
* { box-sizing: border-box; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 44rem; padding: 1rem; }
h1 { font-size: 1.2rem; }
h2 { font-size: 1rem; margin: 0 0 .75rem; overflow-wrap: anywhere; }
.note { opacity: .75; font-size: .85rem; }
.card { border: 1px solid var(--line); border-radius: .75rem; margin: 1rem 0; padding: 1rem; }
.bubble { border-radius: .9rem; margin: .5rem 0 0; max-width: 85%; padding: .5rem .75rem;
  width: fit-content; }
.bubble p { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.ours { background: var(--soft); border: 1px solid var(--line); }
.theirs { background: var(--accent); color: #fff; margin-left: auto; }
.meta { font-size: .75rem; opacity: .75; }
.theirs + .meta { text-align: right; }
.warn { color: var(--warn); font-size: .85rem; overflow-wrap: anywhere; }
form { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: 1rem; }
input { border: 1px solid var(--line); border-radius: .5rem; flex: 1 1 10rem; font: inherit; padding: .5rem; }
button, .button { border: 1px solid var(--accent); border-radius: .5rem; cursor: pointer; font: inherit;
  padding: .5rem 1rem; text-decoration: none; }
button { background: var(--accent); color: #fff; }
.button { color: inherit; border-color: var(--line); }
.amount { font-size: 1.8rem; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; }
td { padding: .25rem 0; } td:last-child { text-align: right; }
</style>
</head>
<body>
$body
</body>
</html>
""")

# Refreshes the conversations in place, but never under the fingers of someone who is typing.
_REFRESH = """<script>
setInterval(async () => {
  const inputs = [...document.querySelectorAll("main input[name=body]")];
  if (document.hidden || inputs.some((i) => i === document.activeElement || i.value)) return;
  try {
    const html = await (await fetch("/")).text();
    const next = new DOMParser().parseFromString(html, "text/html").querySelector("main");
    if (next) document.querySelector("main").replaceWith(next);
  } catch { /* the stand-in is stopped; try again */ }
}, 2000);
</script>"""


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message as the outbox shows it; `warning` is what went wrong with it, if anything did."""

    body: str
    from_phone: bool
    time: str
    status: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages between one phone and one of our numbers, oldest first."""

    phone: str
    ours: str
    bubbles: Sequence[Bubble]


def outbox_page(conversations: Iterable[Conversation]) -> str:
    """The Twilio stand-in's page: every conversation, and a form to answer as the phone."""
    cards = "\n".join(_conversation(each) for each in conversations)
    body = f"""<h1>Text messages</h1>
<p class="note">A local stand-in for Twilio: nothing here reaches a real phone. Times are UTC.</p>
<main>{cards or '<p class="card">No message yet.</p>'}</main>
<details class="card"><summary>Send a text from another phone</summary>
<form method="post" action="/_control/reply">
<input name="from" placeholder="From, e.g. +61400000001" aria-label="From" required>
<input name="to" placeholder="To (our number)" aria-label="To" required>
<input name="body" placeholder="Message" aria-label="Message" required>
<button>Send</button></form></details>
{_REFRESH}"""
    return _LAYOUT.substitute(title="Text messages", body=body)


def _conversation(conversation: Conversation) -> str:
    phone, ours = escape(conversation.phone), escape(conversation.ours)
    bubbles = "\n".join(_bubble(each) for each in conversation.bubbles)
    return f"""<section class="card" data-phone="{phone}">
<h2>{phone} <span class="note">with {ours}</span></h2>
{bubbles}
<form method="post" action="/_control/reply">
<input type="hidden" name="from" value="{phone}"><input type="hidden" name="to" value="{ours}">
<input name="body" placeholder="Reply as {phone}" aria-label="Reply as {phone}" autocomplete="off" required>
<button>Reply</button></form>
</section>"""


def _bubble(bubble: Bubble) -> str:
    side = "theirs" if bubble.from_phone else "ours"
    warning = f'<p class="warn">{escape(bubble.warning)}</p>' if bubble.warning else ""
    return f"""<div class="bubble {side}"><p>{escape(bubble.body)}</p></div>
<div class="meta">{escape(bubble.time)} · {escape(bubble.status)}</div>{warning}"""


@dataclass(frozen=True, slots=True)
class Payment:
    """What the payment page shows; `lines` are (text, amount) pairs."""

    session_id: str
    lines: Sequence[tuple[str, str]]
    total: str
    open: bool
    cancel_url: str | None


def payment_page(payment: Payment) -> str:
    """The Stripe stand-in's payment page, with Pay and (when the session has a cancel URL) Cancel."""
    rows = "".join(f"<tr><td>{escape(text)}</td><td>{escape(cost)}</td></tr>" for text, cost in payment.lines)
    if payment.open:
        # Only a web address may become a link: a javascript: URL would run in this page.
        safe = (payment.cancel_url or "").startswith(("http://", "https://"))
        cancel = f'<a class="button" href="{escape(payment.cancel_url or "")}">Cancel</a>' if safe else ""
        action = f"""<form method="post" action="/pay/{escape(payment.session_id)}">
<button>Pay {escape(payment.total)}</button>{cancel}</form>"""
    else:
        action = "<p><strong>This has been paid.</strong></p>"
    body = f"""<h1>Checkout</h1>
<p class="note">A local stand-in for Stripe: no card, no money.</p>
<main class="card"><table>{rows}</table><p class="amount">{escape(payment.total)}</p>{action}</main>"""
    return _LAYOUT.substitute(title="Checkout", body=body)


def message_page(title: str, text: str) -> str:
    """A page that says one thing."""
    body = f"<h1>{escape(title)}</h1><p>{escape(text)}</p>"
    return _LAYOUT.substitute(title=escape(title), body=body)


def button_page(title: str, text: str, button: str) -> str:
    """A page that says one thing and has one button, which posts to the page's own address."""
    form = f'<form method="post"><button>{escape(button)}</button></form>'
    body = f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{form}"
    return _LAYOUT.substitute(title=escape(title), body=body)
