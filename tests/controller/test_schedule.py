import pytest

from webhook.controller.bucket import Bucket
from webhook.controller.known import NEVER, Body, Key
from webhook.controller.schedule import ASKED_S, pause_s, reading_order

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("failures", "retry_after_s", "chance", "expected_s"),
    [
        (0, 0, 0, 60),
        (0, 0, 1, 72),
        (1, 0, 0, 5),
        (2, 0, 0, 10),
        (6, 0, 0, 160),
        (7, 0, 0, 300),
        (10_000, 0, 0, 300),
        (1, 90, 0, 90),
        (7, 90, 0, 300),
        (1, 90, 0.5, 99),
    ],
)
def test_the_pause(failures, retry_after_s, chance, expected_s):
    assert pause_s(60, failures=failures, retry_after_s=retry_after_s, chance=chance) == pytest.approx(expected_s)


def role(name, read_at):
    return Key("", "kubernetes", name), Body({}, read_at)


def test_what_pods_ask_for_is_read_first_then_what_was_never_read_then_a_part_of_the_rest():
    texts = [role(f"rest-{n:03}", NOW - 1_000 - n) for n in range(90)]
    texts += [
        role("asked", NOW - 60),
        role("asked-new", NEVER),
        role("new", NEVER),
        role("asked-long-ago", NOW - 9_000),
    ]
    asked = {Key("", "kubernetes", "asked"): NOW - 10, Key("", "kubernetes", "asked-new"): NOW}
    asked[Key("", "kubernetes", "asked-long-ago")] = NOW - ASKED_S - 1
    order = [key.name for key in reading_order(texts, asked, now=NOW, interval_s=60)]
    assert order == ["asked-new", "asked", "new", "asked-long-ago", "rest-089", "rest-088", "rest-087"]


def test_every_role_is_read_once_in_half_an_hour():
    texts = dict(role(str(number), NOW) for number in range(10_000))
    polls = 0
    while any(text.read_at == NOW for text in texts.values()):
        polls += 1
        for key in reading_order(texts.items(), {}, now=NOW + polls * 60, interval_s=60):
            texts[key].read_at = NOW + polls * 60
    assert polls == 30


def test_policies_of_known_roles_are_read_with_every_poll():
    texts = [(Key("", "", "shop-read"), Body("", NOW - 60))]
    assert reading_order(texts, {}, now=NOW, interval_s=60) == [Key("", "", "shop-read")]


class Clock:
    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def test_no_second_sees_more_than_the_rate():
    clock = Clock()
    bucket = Bucket(50, now=lambda: clock.now, sleep=clock.sleep)
    moments = []
    for _ in range(500):
        assert bucket.take()
        moments.append(clock.now)
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(moments, moments[50:], strict=False))
    clock.now += 100  # rest does not fill it beyond one
    assert bucket.take()
    assert not bucket.take(within_s=0)


def test_a_moment_too_far_away_is_not_taken():
    clock = Clock()
    bucket = Bucket(10, now=lambda: clock.now, sleep=clock.sleep)
    assert bucket.take()
    assert not bucket.take(within_s=0.05)
    assert bucket.take(within_s=0.2)
    assert clock.now == pytest.approx(0.1)


def test_a_pause_holds_everybody_and_never_shortens():
    clock = Clock()
    bucket = Bucket(10, now=lambda: clock.now, sleep=clock.sleep)
    bucket.pause(30)
    bucket.pause(5)
    assert not bucket.take(within_s=29)
    assert bucket.take(within_s=31)
    assert clock.now == pytest.approx(30)
