"""Groups of addresses, shares of a total, and allowances."""

import pytest

from webhook.ports.peers import BURST_S, REMEMBERED, Allowance, Shares, peer_group


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::FFFF:0a00:0007", "10.0.0.7"),
        ("2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("a peer without address", "a peer without address"),
    ],
)
def test_addresses_that_one_peer_has_are_one_group(host, group):
    assert peer_group(host) == group


def taken(shares, holder):
    count = 0
    while shares.left(holder) > 0:
        shares.take(holder)
        count += 1
    return count


def test_of_a_total_one_holder_gets_half_and_the_next_half_of_what_is_left():
    shares = Shares(64)
    assert [taken(shares, holder) for holder in "abc"] == [32, 16, 8]
    shares.give("a", 32)
    assert taken(shares, "d") == 20


def test_whoever_comes_next_finds_something():
    shares = Shares(1_000)
    assert min(taken(shares, holder) for holder in range(9)) > 0


def test_what_is_given_back_can_be_taken_again():
    shares = Shares(10)
    shares.take("a", 5)
    shares.give("a", 5)
    assert shares.left("a") == shares.left("b") == 10


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_an_allowance_is_a_burst_and_then_so_many_a_second():
    clock = Clock()
    allowance = Allowance(2, clock)
    assert [allowance.take("a") for _ in range(2 * BURST_S + 3)] == [True] * 2 * BURST_S + [False] * 3
    assert allowance.take("b")
    clock.now = 1.0
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]
    clock.now = 1_000.0
    assert sum(allowance.take("a") for _ in range(100)) == 2 * BURST_S


def test_no_allowance_means_any_number():
    allowance = Allowance(0, Clock())
    assert all(allowance.take("a") for _ in range(10_000))


def test_of_many_peers_the_one_quiet_for_longest_is_forgotten():
    allowance = Allowance(1, Clock())
    for group in ("quiet", "loud"):
        while allowance.take(group):
            pass
    for number in range(REMEMBERED - 1):
        allowance.take(str(number))
    assert not allowance.take("loud")
    assert allowance.take("quiet")
