"""Write the table of training keys in docs/training.md anew from the code."""

from pathlib import Path

from njf_perception.config import describe
from njf_training.train_config import TrainConfig

PAGE = Path(__file__).parents[1] / "docs" / "training.md"
MARK = "<!-- The rest is written by scripts/config_reference.py -->\n"


def page() -> str:
    """The page as it should be: the hand-written part and the current tables."""
    return PAGE.read_text().partition(MARK)[0] + MARK + "\n" + describe(TrainConfig)


if __name__ == "__main__":
    PAGE.write_text(page())
