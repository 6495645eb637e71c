"""Put the figures into the documents."""

import json
from pathlib import Path

from njf_bringup.ablate.summary import markdown
from njf_bringup.paths import robot_names
from njf_bringup.tables.results import (
    ablation_section,
    read_metrics,
    readme_block,
    results_page,
)
from njf_perception.errors import DataError

BEGIN = "<!-- figures: written by `njf table`, do not edit -->"
END = "<!-- end of figures -->"


def documents(root: Path) -> dict[Path, str]:
    """What docs/results.md and README.md have to be, by path.

    Raises:
        DataError: the README has lost its markers.
    """
    metrics = read_metrics(root / "checkpoints", robot_names())
    ablations = []
    for path in sorted((root / "checkpoints").glob("*/ablation.json")):
        content = json.loads(path.read_text())
        ablations.append(ablation_section(content, markdown(content)))
    readme = root / "README.md"
    return {
        root / "docs" / "results.md": results_page(metrics, ablations),
        readme: replaced(readme.read_text(), readme_block(metrics)),
    }


def write_tables(root: Path) -> list[Path]:
    """Write the documents; returns their paths."""
    found = documents(root)
    for path, text in found.items():
        path.write_text(text)
    return list(found)


def replaced(text: str, block: str) -> str:
    """`text` with what stands between the markers replaced by `block`.

    Raises:
        DataError: not exactly one pair of markers.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise DataError(f"README.md needs one line '{BEGIN}' and one '{END}' after it.")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{block}\n{END}{after}"
