"""The grammars of values; they are Go's, so tables of what Go takes and refuses."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.annotations import go_values


@pytest.mark.parametrize("raw", ["1", "t", "T", "true", "TRUE", "True"])
def test_true(raw):
    assert go_values.boolean(raw) is True


@pytest.mark.parametrize("raw", ["0", "f", "F", "false", "FALSE", "False", ""])
def test_false(raw):
    assert go_values.boolean(raw) is False


@pytest.mark.parametrize("raw", ["yes", "on", "tRuE", " true", "true\n", "2", "truE"])
def test_no_boolean(raw):
    with pytest.raises(ValueError, match='"true" or "false"'):
        go_values.boolean(raw)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("", 0),
        ("0100", 100),
        ("+5", 5),
        ("-5", -5),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_integers(raw, number):
    assert go_values.integer(raw) == number


@pytest.mark.parametrize(
    "raw", ["1_000", " 1", "1 ", "0x10", "1.0", "1e3", "٣", "9223372036854775808", "+", "--1", "9" * 5_000]
)
def test_no_integers(raw):
    with pytest.raises(ValueError, match="whole number"):
        go_values.integer(raw)


@pytest.mark.parametrize("raw", ["", "+5", "-1", " 1", "1s", "18446744073709551616"])
def test_no_unsigned_integers(raw):
    with pytest.raises(ValueError, match="0 or more"):
        go_values.unsigned(raw)


@pytest.mark.parametrize(
    ("raw", "ns"),
    [
        ("0", 0),
        ("1ns", 1),
        ("1us", 1_000),
        ("1\u00b5s", 1_000),
        ("1\u03bcs", 1_000),
        ("1.5s", 1_500_000_000),
        (".5m", 30 * 10**9),
        ("1h30m", 5_400 * 10**9),
        ("-5s", -5 * 10**9),
        ("1m1s1ms", 61_001_000_000),
    ],
)
def test_durations(raw, ns):
    assert go_values.duration_ns(raw) == ns


@pytest.mark.parametrize(
    "raw", ["", "5", "1d", "x", "s", ".s", "1 s", "1s ", "1h-1m", "9" * 39 + "h", "1S", "300000h" * 9]
)
def test_no_durations(raw):
    with pytest.raises(ValueError, match="duration"):
        go_values.duration_ns(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("1", 1),
        ("250m", Decimal("0.25")),
        ("1024Mi", 2**30),
        ("1Gi", 2**30),
        ("0.5", Decimal("0.5")),
        (".5", Decimal("0.5")),
        ("5.", 5),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1e-3", Decimal("0.001")),
        ("+1k", 1000),
        ("3u", Decimal("0.000003")),
    ],
)
def test_quantities(raw, value):
    assert go_values.quantity_value(raw) == value


@pytest.mark.parametrize("raw", ["1,5Gi", "lots", "1 Gi", "1K", "1mi", "1e", ".", "", "1ki", "--1", "1.2.3", "1e1.5"])
def test_no_quantities(raw):
    with pytest.raises(ValueError, match="quantity"):
        go_values.quantity_value(raw)


@pytest.mark.parametrize(
    ("raw", "path"), [("/a//b/", "/a/b"), ("//a", "/a"), ("/a/./b/../c", "/a/c"), ("/a/..//b", "/b")]
)
def test_absolute_paths(raw, path):
    assert go_values.absolute_path(raw) == path


@pytest.mark.parametrize("raw", ["", "a", "/", "//", "/..", "/a:b", "/a\0"])
def test_no_absolute_paths(raw):
    with pytest.raises(ValueError, match="path"):
        go_values.absolute_path(raw)


GO_DURATION = re.compile(r"[-+]?(0|([0-9]*(\.[0-9]*)?(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)")


@given(st.text(alphabet="0123456789.+-nuµmsh", max_size=12))
def test_durations_agree_with_gos_grammar(raw):
    # Go wants a digit before or after each point; spelled out here as an oracle of its own
    parts = re.findall(r"([0-9]*(?:\.[0-9]*)?)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)", raw)
    taken = bool(GO_DURATION.fullmatch(raw)) and raw.strip("+-") != "" and all(re.search("[0-9]", n) for n, _ in parts)
    try:
        go_values.duration_ns(raw)
        ours = True
    except ValueError:
        ours = False
    assert ours == taken


@given(st.integers(-(2**70), 2**70))
def test_integers_are_bounded_to_64_bits(number):
    if -(2**63) <= number < 2**63:
        assert go_values.integer(str(number)) == number
    else:
        with pytest.raises(ValueError, match="whole number"):
            go_values.integer(str(number))
