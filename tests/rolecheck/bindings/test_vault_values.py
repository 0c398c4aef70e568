"""Values as people write them."""

from datetime import UTC, datetime

import pytest

from webhook.rolecheck.bindings.vault_values import flag, names, seconds, unix_time


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ("web, worker", ("web", "worker")),
        (" ,web,,", ("web",)),
        (("web", " as is ", ""), ("web", "as is", "")),
    ],
)
def test_a_text_is_cut_at_commas_and_elements_are_trimmed(value, expected) -> None:
    assert names(value) == expected


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        (None, 0),
        ("", 0),
        (0, 0),
        (1200, 1200),
        (1.5, 1.5),
        ("1200", 1200),
        ("20m", 1200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("250ms", 0.25),
        (" 5s ", 5),
    ],
)
def test_durations_are_read_in_seconds(value, expected_s: float) -> None:
    assert seconds(value) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    "value", ["soon", "-1", "-1s", "1h 30m", "5x", "h", "1e3", -1, float("inf"), True, "9" * 5_000]
)
def test_a_value_that_is_no_duration_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r"^\S"):
        seconds(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, True), (True, True), (False, False), ("true", True), ("False", False), ("", False), (1, True), (0, False)],
)
def test_flags_are_read_and_absent_ones_take_the_default(value, expected: bool) -> None:
    assert flag(value, default=True) is expected


@pytest.mark.parametrize("value", ["yes", 2, "on"])
def test_a_value_that_is_no_flag_is_refused(value) -> None:
    with pytest.raises(ValueError, match=str(value)):
        flag(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-03T10:00:00Z", datetime(2026, 2, 3, 10, tzinfo=UTC)),
        ("2026-02-03t10:00:00z", datetime(2026, 2, 3, 10, tzinfo=UTC)),
        ("2026-02-03 12:00:00+02:00", datetime(2026, 2, 3, 10, tzinfo=UTC)),
        ("2026-02-03T10:00:00.5Z", datetime(2026, 2, 3, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-02-03T10:00:00.123456789Z", datetime(2026, 2, 3, 10, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_unix_seconds(text: str, expected: datetime) -> None:
    assert unix_time(text) == expected.timestamp()


@pytest.mark.parametrize("text", ["noon", "2026-02-03", "2026-02-03T10:00:00", "2026-13-03T10:00:00Z", "1770112800"])
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\d|noon"):
        unix_time(text)


def test_no_time_is_none() -> None:
    assert (unix_time(None), unix_time("")) == (None, None)
