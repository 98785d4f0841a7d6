"""What a session's frames are answered with, in whatever pieces they come."""

import random

import pytest

from support import native
from support.device import Device

SEED = 7


@pytest.fixture
def device(gateway):
    with Device.login(gateway.address, "d", 60) as device:
        yield device


@pytest.mark.parametrize("count", [0, 1, 15, 16])
def test_a_pong_carries_the_bytes_of_its_ping(device, count):
    echo = bytes(range(count))
    assert device.ping(echo) == native.Pong(echo)


def test_a_message_that_wants_an_ack_is_told_that_nobody_takes_it_yet(gateway, device):
    device.send(native.Message("t", b"payload", ack_id=0xFFFFFFFF))
    assert device.receive() == native.Ack(0xFFFFFFFF, native.ACK_UNAVAILABLE)
    device.send(native.Message("t", b"payload"))
    assert device.ping(b"next") == native.Pong(b"next")  # no ack came between
    assert gateway.admin.stats()["messages_in"] == 2


def test_a_message_of_the_largest_size_is_taken(device):
    device.send(native.Message("", b"x" * (65536 - 1 - 4), ack_id=1))
    assert device.receive() == native.Ack(1, native.ACK_UNAVAILABLE)


def test_subscriptions_are_told_that_there_are_none_yet(device):
    device.send(native.Subscribe(5, ("a/+/b", "c/#")))
    assert device.receive() == native.Ack(5, native.ACK_UNAVAILABLE)
    device.send(native.Unsubscribe(6, ("a/+/b",)))
    assert device.receive() == native.Ack(6, native.ACK_UNAVAILABLE)


def test_a_goodbye_is_answered_by_closing(gateway, device):
    device.send(native.Goaway(native.GOODBYE, 0, "bye"))
    device.expect_end()
    gateway.wait_for_closed("goodbye", 1)
    gateway.wait_for_connections(0)
    assert gateway.admin.session("d") is None


def test_a_device_that_just_leaves_is_counted_and_forgotten(gateway, device):
    device.close()
    gateway.wait_for_closed("peer_closed", 1)
    gateway.wait_for_connections(0)


def test_what_came_before_the_end_of_the_stream_still_counts(gateway, device):
    device.send_bytes(native.Message("t", b"last words").encode() * 3)
    device.close()
    gateway.wait_for_stats(lambda stats: stats["messages_in"] == 3, what="3 messages")


STREAM = (
    native.Ping(b"first"),
    native.Message("topic/a", b"p" * 200, ack_id=1),
    native.Pong(b"unasked"),
    native.Ack(9),
    native.Subscribe(2, ("x/#",)),
    native.Ping(),
    native.Message("t", b"", ack_id=3),
    native.Ping(b"0123456789abcdef"),
)
STREAM_ANSWERS = [
    native.Pong(b"first"),
    native.Ack(1, native.ACK_UNAVAILABLE),
    native.Ack(2, native.ACK_UNAVAILABLE),
    native.Pong(),
    native.Ack(3, native.ACK_UNAVAILABLE),
    native.Pong(b"0123456789abcdef"),
]


def answers_to(device, pieces):
    for piece in pieces:
        device.send_bytes(piece)
    return [device.receive() for _ in STREAM_ANSWERS]


def test_every_cut_in_two_of_a_stream_gives_the_same_answers(device):
    data = b"".join(frame.encode() for frame in STREAM)
    for cut in range(1, len(data)):
        assert answers_to(device, (data[:cut], data[cut:])) == STREAM_ANSWERS, f"cut at {cut}"


def test_a_stream_in_single_bytes_gives_the_same_answers(device):
    data = b"".join(frame.encode() for frame in STREAM)
    assert answers_to(device, (data[i : i + 1] for i in range(len(data)))) == STREAM_ANSWERS


def test_random_cuts_of_a_stream_give_the_same_answers(device):
    data = b"".join(frame.encode() for frame in STREAM)
    chance = random.Random(SEED)
    for _ in range(50):
        cuts = sorted(chance.sample(range(1, len(data)), chance.randint(1, 20)))
        ends = [*cuts, len(data)]
        pieces = [data[start:end] for start, end in zip([0, *cuts], ends)]
        assert answers_to(device, pieces) == STREAM_ANSWERS, f"cut at {cuts}"


@pytest.mark.threads
def test_ten_thousand_frames_in_one_write_are_answered_in_order(device):
    frames = b"".join(native.Ping(number.to_bytes(4, "big")).encode() for number in range(10_000))
    device.send_bytes(frames)
    for number in range(10_000):
        assert device.receive() == native.Pong(number.to_bytes(4, "big"))
