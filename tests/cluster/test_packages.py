"""Debian packages: what is missing is named with the command that mends it."""

import pytest

from tests.cluster.packages import PackagesMissingError, ensure_packages, missing_packages


def test_missing_is_what_lacks_one_of_its_parts() -> None:
    needed = {"there": ("sh",), "half": ("sh", "no-such-program-1"), "file": ("/no/such/file",)}
    assert missing_packages(needed) == ["file", "half"]


def test_without_root_the_error_names_packages_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cluster.packages.missing_packages", lambda: ["nftables", "runc"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(PackagesMissingError, match="apt-get install --no-install-recommends nftables runc") as error:
        ensure_packages(pytest.fail)
    assert error.value.packages == ["nftables", "runc"]
