import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from devstack.standins.server import running
from devstack.standins.twilio import TwilioConfig, create_twilio_app
from devstack.standins.twilio_messages import count_segments

from .receiver import Delivery, Receiver

# twilio-python 9.13 still uses what aiohttp 3.14 warns about.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "token-of-the-tests"
OURS, PHONE = "+61400000000", "+61400000001"


@dataclass(frozen=True)
class Standin:
    url: str
    client: Any  # twilio-python has no types
    http: aiohttp.ClientSession

    async def send(self, to: str = PHONE, body: str = "Hello", **more: str) -> Any:  # noqa: ANN401
        return await self.client.messages.create_async(to=to, from_=OURS, body=body, **more)

    async def control(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/_control/{path}", json=data) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer

    async def messages(self, to: str = "") -> list[dict[str, Any]]:
        query = {"to": to} if to else {}
        async with self.http.get(f"{self.url}/_control/messages", params=query) as response:
            found: list[dict[str, Any]] = await response.json()
            return found

    async def page(self) -> str:
        async with self.http.get(self.url) as response:
            return await response.text()


def connect(url: str, http_client: AsyncTwilioHttpClient, token: str = TOKEN) -> Any:  # noqa: ANN401
    client = Client(SID, token, http_client=http_client)
    client.api.base_url = url
    return client


@pytest.fixture
def config(receiver: Receiver) -> TwilioConfig:
    return TwilioConfig(SID, TOKEN, receiver.url)


@pytest.fixture
async def standin(config: TwilioConfig, http: aiohttp.ClientSession) -> AsyncIterator[Standin]:
    async with running(create_twilio_app(config)) as url, AsyncTwilioHttpClient() as http_client:
        yield Standin(url, connect(url, http_client), http)


def assert_signed(delivery: Delivery) -> None:
    signature = delivery.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(delivery.url, delivery.form, signature)
    assert not RequestValidator("another").validate(delivery.url, delivery.form, signature)


async def test_a_message_is_accepted_in_the_documented_shape(standin: Standin) -> None:
    message = await standin.send(body="See you at 9:00")

    assert message.sid.startswith("SM")
    assert len(message.sid) == 34
    assert (message.status, message.direction, message.num_segments) == ("queued", "outbound-api", "1")
    assert (message.to, message.from_, message.body) == (PHONE, OURS, "See you at 9:00")
    assert abs(datetime.now(UTC) - message.date_created) < timedelta(seconds=5)
    assert message.subresource_uris["media"].endswith(f"{message.sid}/Media.json")
    fetched = await standin.client.messages(message.sid).fetch_async()
    assert fetched.body == "See you at 9:00"


async def test_a_messaging_service_picks_the_sender_later(standin: Standin, receiver: Receiver) -> None:
    service = "MG" + "a" * 32
    message = await standin.client.messages.create_async(
        to=PHONE, messaging_service_sid=service, body="Hi", status_callback=f"{receiver.url}/status"
    )

    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    delivery = await receiver.next()
    assert (delivery.form["From"], delivery.form["MessagingServiceSid"]) == ("+15005550006", service)


@pytest.mark.parametrize(
    ("to", "body", "code"),
    [
        ("", "Hello", 21604),
        (PHONE, "", 21602),
        ("0400 000 001", "Hello", 21211),
        (PHONE, "x" * 1601, 21617),
        ("+15005550001", "Hello", 21211),
        ("+15005550009", "Hello", 21614),
        ("+15005550004", "Hello", 21610),
    ],
)
async def test_a_refused_message_carries_twilios_code(standin: Standin, to: str, body: str, code: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await standin.send(to, body)

    assert (refused.value.code, refused.value.status) == (code, 400)
    assert await standin.messages() == []


async def test_a_message_needs_a_sender(standin: Standin) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await standin.client.messages.create_async(to=PHONE, body="Hello")

    assert refused.value.code == 21603


async def test_the_longest_body_is_accepted(standin: Standin) -> None:
    assert (await standin.send(body="x" * 1600)).num_segments == "11"


async def test_wrong_credentials_are_refused(standin: Standin) -> None:
    async with AsyncTwilioHttpClient() as http_client:
        client = connect(standin.url, http_client, token="wrong")
        with pytest.raises(TwilioRestException) as refused:
            await client.messages.create_async(to=PHONE, from_=OURS, body="Hello")

    assert (refused.value.status, refused.value.code) == (401, 20003)
    assert await standin.messages() == []


async def test_an_unknown_message_is_not_found(standin: Standin) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await standin.client.messages("SM" + "0" * 32).fetch_async()

    assert (refused.value.status, refused.value.code) == (404, 20404)


@pytest.mark.parametrize(("status", "code"), [(429, 20429), (500, 20500), (503, 20503)])
async def test_an_error_records_nothing_and_is_over_after_its_times(standin: Standin, status: int, code: int) -> None:
    await standin.control("faults", {"mode": "error", "times": 2, "status": status})

    for _ in range(2):
        with pytest.raises(TwilioRestException) as refused:
            await standin.send()
        assert (refused.value.status, refused.value.code) == (status, code)
    assert await standin.messages() == []
    assert (await standin.send()).status == "queued"


async def test_an_error_can_carry_any_code(standin: Standin) -> None:
    await standin.control("faults", {"mode": "error", "status": 400, "code": 21610})

    with pytest.raises(TwilioRestException) as refused:
        await standin.send()

    assert refused.value.code == 21610


async def test_a_refused_message_uses_up_no_fault(standin: Standin) -> None:
    await standin.control("faults", {"mode": "error", "status": 500})

    with pytest.raises(TwilioRestException) as first:
        await standin.send(to="nobody")
    with pytest.raises(TwilioRestException) as second:
        await standin.send()

    assert (first.value.code, second.value.code) == (21211, 20500)


async def test_a_timeout_never_answers_and_records_nothing(standin: Standin) -> None:
    await standin.control("faults", {"mode": "timeout"})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(standin.send(), 0.2)

    assert await standin.messages() == []


async def test_a_late_answer_is_recorded_before_it_comes(standin: Standin) -> None:
    await standin.control("faults", {"mode": "late", "delay_s": 60})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(standin.send(), 0.2)
    assert len(await standin.messages()) == 1

    await standin.control("faults", {"mode": "late", "delay_s": 0.01})
    assert (await standin.send()).status == "queued"


async def test_a_dropped_connection_leaves_the_message_in_the_list(standin: Standin) -> None:
    await standin.control("faults", {"mode": "drop"})

    with pytest.raises(aiohttp.ClientConnectionError):
        await standin.send(body="Accepted all the same")

    [found] = await standin.client.messages.list_async(to=PHONE, from_=OURS)
    assert found.body == "Accepted all the same"


async def test_reset_forgets_messages_and_faults_and_releases_held_calls(standin: Standin) -> None:
    await standin.send()
    await standin.control("faults", {"mode": "timeout"})
    held = asyncio.create_task(standin.send())
    async with asyncio.timeout(5):
        while await waiting_faults(standin):  # until the held call has taken the fault
            pass
    await standin.control("faults", {"mode": "error"})

    await standin.control("reset", {})

    with pytest.raises(aiohttp.ClientConnectionError):
        await held
    assert await standin.messages() == []
    assert (await standin.send()).status == "queued"


async def waiting_faults(standin: Standin) -> int:
    async with standin.http.get(f"{standin.url}/_control/faults") as response:
        return int((await response.json())["waiting"])


@pytest.mark.parametrize(
    "wrong", [{}, {"mode": "explode"}, {"mode": "error", "times": 0}, {"mode": "error", "status": 200}]
)
async def test_a_fault_that_makes_no_sense_is_refused(standin: Standin, wrong: dict[str, Any]) -> None:
    async with standin.http.post(f"{standin.url}/_control/faults", json=wrong) as response:
        assert response.status == 400
        assert (await response.json())["error"]


async def test_the_list_filters_by_number_and_date(standin: Standin) -> None:
    await standin.send(body="first")
    await standin.send(body="second")
    await standin.send(to="+61400000002", body="to someone else")
    messages, now = standin.client.messages, datetime.now(UTC)

    assert [each.body for each in await messages.list_async(to=PHONE)] == ["second", "first"]
    assert len(await messages.list_async(from_=OURS)) == 3
    assert await messages.list_async(from_=PHONE) == []
    hour = timedelta(hours=1)
    assert len(await messages.list_async(to=PHONE, date_sent_after=now - hour)) == 2
    assert await messages.list_async(to=PHONE, date_sent_after=now + hour) == []
    assert await messages.list_async(to=PHONE, date_sent_before=now - hour) == []
    assert len(await messages.list_async(date_sent=now.date())) == 3
    assert await messages.list_async(date_sent=(now - timedelta(days=2)).date()) == []


async def test_the_list_pages(standin: Standin) -> None:
    for number in range(5):
        await standin.send(body=str(number))

    found = await standin.client.messages.list_async(page_size=2)

    assert [each.body for each in found] == ["4", "3", "2", "1", "0"]


async def test_status_callbacks_are_signed_and_in_order(standin: Standin, receiver: Receiver) -> None:
    message = await standin.send(status_callback=f"{receiver.url}/status?outbox=1")

    sent, delivered = await receiver.next(), await receiver.next()

    assert [each.form["MessageStatus"] for each in (sent, delivered)] == ["sent", "delivered"]
    assert {each.form["MessageSid"] for each in (sent, delivered)} == {message.sid}
    assert_signed(sent)
    assert_signed(delivered)


async def test_a_failing_status_callback_is_shown(standin: Standin, receiver: Receiver) -> None:
    receiver.status = 503
    message = await standin.send(status_callback=f"{receiver.url}/status")
    await receiver.next()
    await receiver.next()

    # The receiver has both; the stand-in may still be reading the last answer.
    async with asyncio.timeout(5):
        while len((await standin.messages())[0]["calls"]) < 2:
            pass
    assert (await standin.client.messages(message.sid).fetch_async()).status == "delivered"
    assert "HTTP 503" in await standin.page()


async def test_without_progress_a_message_stays_queued(
    config: TwilioConfig, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    quiet = create_twilio_app(replace(config, progress=False))
    async with running(quiet) as url, AsyncTwilioHttpClient() as http_client:
        standin = Standin(url, connect(url, http_client), http)
        message = await standin.send(status_callback=f"{receiver.url}/status")

        assert (await standin.client.messages(message.sid).fetch_async()).status == "queued"
    assert receiver.deliveries.empty()


async def test_a_reply_arrives_signed_and_its_answer_is_shown(standin: Standin, receiver: Receiver) -> None:
    receiver.answer = "<Response><Message>See you then</Message></Response>"

    reply = await standin.control("reply", {"from": PHONE, "to": OURS, "body": "Y"})

    delivery = await receiver.next()
    assert delivery.url == f"{receiver.url}/webhooks/twilio/inbound"
    assert_signed(delivery)
    expected = {"From": PHONE, "To": OURS, "Body": "Y", "NumMedia": "0", "NumSegments": "1"}
    assert expected.items() <= delivery.form.items()
    assert delivery.form["MessageSid"] == delivery.form["SmsSid"] == reply["message_sid"]
    assert delivery.form["FromCountry"] == "AU"
    assert "OptOutType" not in delivery.form
    assert (reply["status"], reply["answer"], reply["error"]) == (200, "See you then", None)
    assert [each["direction"] for each in await standin.messages()] == ["inbound", "outbound-reply"]
    [answer] = await standin.messages(to=PHONE)
    assert answer["body"] == "See you then"


async def test_the_same_text_can_be_delivered_again(standin: Standin, receiver: Receiver) -> None:
    text = {"from": PHONE, "to": OURS, "body": "Y"}
    first = await standin.control("reply", text)

    second = await standin.control("reply", {"message_sid": first["message_sid"]})

    once, again = await receiver.next(), await receiver.next()
    assert once.form == again.form
    assert second["message_sid"] == first["message_sid"]
    assert len(await standin.messages()) == 1


async def test_an_unreachable_webhook_is_reported(standin: Standin, unused_tcp_port: int) -> None:
    await standin.control("target", {"public_url": f"http://127.0.0.1:{unused_tcp_port}"})

    reply = await standin.control("reply", {"from": PHONE, "to": OURS, "body": "Y"})

    assert (reply["status"], reply["answer"]) == (None, None)
    assert reply["error"] == "ClientConnectorError"
    assert "ClientConnectorError" in await standin.page()


@pytest.mark.parametrize("answer", ["not XML", "<Wrong/>"])
async def test_an_answer_that_is_not_twiml_is_reported(standin: Standin, receiver: Receiver, answer: str) -> None:
    receiver.answer = answer

    reply = await standin.control("reply", {"from": PHONE, "to": OURS, "body": "Y"})

    assert reply["answer"] is None
    assert reply["error"].startswith("12100")


async def test_stop_blocks_the_number_until_start(standin: Standin, receiver: Receiver) -> None:
    await standin.control("reply", {"from": PHONE, "to": OURS, "body": "Stop", "opt_out_type": "STOP"})
    assert (await receiver.next()).form["OptOutType"] == "STOP"

    with pytest.raises(TwilioRestException) as refused:
        await standin.send()
    assert refused.value.code == 21610

    await standin.control("reply", {"from": PHONE, "to": OURS, "body": "start"})
    assert (await standin.send()).status == "queued"


async def test_the_outbox_escapes_and_its_form_replies(standin: Standin, receiver: Receiver) -> None:
    await standin.send(body="<script>alert('&')</script>")
    form = {"from": PHONE, "to": OURS, "body": "Yes <b>please</b>"}

    async with standin.http.post(f"{standin.url}/_control/reply", data=form) as response:
        page = await response.text()

    assert (await receiver.next()).form["Body"] == "Yes <b>please</b>"
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page
    assert "Yes &lt;b&gt;please&lt;/b&gt;" in page
    assert "<b>please" not in page
    assert f"Reply as {PHONE}" in page


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted_as_carriers_do(body: str, segments: int) -> None:
    assert count_segments(body) == segments
