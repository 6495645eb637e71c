"""What a page of the reference lacks, in words."""

from collections.abc import Iterator


def differences(page: str, said: str) -> list[str]:
    """Sentences about where a page differs from what the program says.

    Args:
        page: docs/reference.md.
        said: the page as the program writes it now.
    """
    old, new = dict(_entries(page)), dict(_entries(said))
    missing = [f"{name} is missing" for name in new if name not in old]
    gone = [f"{name} is there no more" for name in old if name not in new]
    changed = [
        f"{name} now reads: {text}" for name, text in new.items() if old.get(name, text) != text
    ]
    return missing + gone + changed


def _entries(page: str) -> Iterator[tuple[str, str]]:
    """Every chapter, every row of a table under its chapter, and the text between them."""
    chapter, table, prose = "the head", "", []
    before = ""
    for line in [*page.splitlines(), "## end"]:
        if line.startswith("#"):
            yield f"what {chapter} says", "\n".join(prose)
            chapter, table, prose = line.strip("# "), "", []
            yield chapter, ""
        elif line.startswith("| ---"):
            table = before.strip("| ").split(" | ")[0]
            prose.pop()
        elif table and line.startswith("| "):
            name = line.strip("| ").split(" | ")[0]
            yield f"{chapter}: {table} {name}", line
        elif line:
            prose.append(line)
        else:
            table = ""
        before = line
