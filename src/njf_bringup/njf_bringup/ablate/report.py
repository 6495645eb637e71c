"""Put a finished ablation down: table, figures, picture."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from njf_bringup.ablate.picture import ablation_picture
from njf_bringup.ablate.summary import markdown
from njf_bringup.json_file import write_json
from njf_bringup.paths import root
from njf_bringup.tables.write import write_tables


def report(ablation: Mapping[str, Any], out: Path, publish: bool) -> str:
    """Write ablation.json, ablation.md and ablation.png into `out`; returns the table.

    With `publish` the figures are also put beside the robot's checkpoint and into docs/.
    """
    text = markdown(ablation)
    write_json(out / "ablation.json", ablation)
    (out / "ablation.md").write_text(text + "\n")
    ablation_picture(ablation, out / "ablation.png")
    if publish:
        robot = ablation["robot"]
        write_json(root() / "checkpoints" / robot / "ablation.json", ablation)
        pictures = root() / "docs" / "images" / robot
        pictures.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "ablation.png", pictures / "ablation.png")
        write_tables(root())
    return text
