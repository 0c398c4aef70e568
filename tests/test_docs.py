"""The pages: what they link to is there, and the tests they name as proof exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)")
_PROOF = re.compile(r"\[[^\]]*\]\(([^)\s]+\.py)\) `(\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tests_that_the_page_on_security_names_exist() -> None:
    page = ROOT / "docs" / "security.md"
    proofs = _PROOF.findall(page.read_text())
    assert len(proofs) >= 20
    assert [(link, name) for link, name in proofs if f"def {name}(" not in (page.parent / link).read_text()] == []
