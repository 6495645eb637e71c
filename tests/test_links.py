"""Links and pictures in README.md and docs/ are there; the README leads to every page."""

from pathlib import Path

import pytest
from documented.markdown import ROOT, anchors, documents, links, place

PAGES = documents()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for line, link in links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{place(page, line)}: {file} does not exist"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{place(page, line)}: no heading #{anchor} in {file}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, queue = set(), [PAGES[0]]
    while queue:
        page = queue.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / link.split("#")[0]).resolve() for _, link in links(page)]
            queue += [target for target in targets if target.suffix == ".md" and target.is_file()]
    missing = sorted(str(page.relative_to(ROOT)) for page in set(PAGES) - reached)
    assert not missing, "no way leads there from README.md: " + ", ".join(missing)
