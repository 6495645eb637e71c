"""Write the versions of everything pip installed in this environment to constraints.txt."""

from importlib.metadata import distributions
from pathlib import Path

HEADER = "# Every version of the pip lane, as tested. Written by `make lock`.\n"


def main() -> None:
    """Packages built here, editable or by CMake, are left out; so are local labels such as +cpu."""
    pinned = {
        f"{package.name}=={package.version.split('+')[0]}"
        for package in distributions()
        if package.read_text("INSTALLER") == "pip\n"
        and not package.read_text("direct_url.json")
        and package.name != "pip"
    }
    text = HEADER + "\n".join(sorted(pinned, key=str.lower)) + "\n"
    (Path(__file__).parents[1] / "constraints.txt").write_text(text)


if __name__ == "__main__":
    main()
