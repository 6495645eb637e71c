"""Documents hold what the metrics say, and nothing else."""

import pytest

from njf_bringup.paths import root
from njf_bringup.tables.cells import median, number, with_interval
from njf_bringup.tables.results import readme_block, results_page
from njf_bringup.tables.text import summary_text
from njf_bringup.tables.write import BEGIN, END, documents, replaced
from njf_perception.errors import DataError


@pytest.fixture
def metrics() -> dict:
    """Figures of a robot with one channel."""

    def mean(value: float) -> dict:
        return {"mean": value, "low": value - 0.01, "high": value + 0.01, "count": 9}

    flow = ("error_px", "error_off_robot_px", "motion_px", "cosine", "depth_error_mm")
    view = {name: mean(0.5) for name in (*flow, "opacity_iou", "psnr_db", "psnr_robot_db")}
    cosine = {"cosine": mean(0.9), "gain": mean(1.0)}
    tips = {"median": 2.25, "median_low": 2.0, "median_high": 3.0}
    recovery = {"relative": mean(0.1), "channels": {"slide": {"mean": 1.5, "unit": "deg"}}}
    return {
        "robot": "ball",
        "made_by": "njf pipeline",
        "prediction": {
            "motions": 9,
            "channels": ["slide"],
            "flow": {"control": view, "held_out": view},
            "jacobian": {"cosine": mean(0.87), "channels": {"slide": cosine}},
            "command_recovery": {"estimated_flow": recovery},
            "confidence": {"ece": 0.04, "right": 0.9, "auroc": None},
        },
        "closed_loop": {"learned": {"goals": 50, "success_rate": 0.98, "tip_error_mm": tips}},
        "data": {"states": 100, "robot_minutes": 12.3, "training_cameras": 6},
        "training": {"seconds": 600.0},
    }


def test_documents_equal_what_the_committed_metrics_make_of_them() -> None:
    for path, text in documents(root()).items():
        assert path.read_text() == text, f"{path} is stale; run `njf table`"


def test_cells_tell_what_is_missing() -> None:
    found = {"a": {"mean": 0.5, "low": 0.4, "high": 0.6}, "b": {"count": 0}, "c": None}
    assert with_interval(found, "a", 1) == "0.5 [0.4, 0.6]"
    assert with_interval(found, "a", 0, 100) == "50 [40, 60]"
    for text in (with_interval(found, "b", 1), median(found, "a", 1), number(found, "c")):
        assert text == "not measured"


def test_readme_has_a_row_per_robot(metrics: dict) -> None:
    lines = readme_block({"ball": metrics, "unheard": {}}).splitlines()
    assert lines[2] == (
        "| ball | 1 | 12 | 10 min | 0.87 [0.86, 0.88] | no joints | 2.25 [2.00, 3.00] mm | 98 % |"
    )
    assert lines[3] == "| unheard | not measured |" + "  |" * 6
    assert len({line.count("|") for line in lines}) == 1


def test_page_and_terminal_show_the_figures(metrics: dict) -> None:
    page = results_page({"ball": metrics, "unheard": {}}, ["## What matters"])
    assert "| ball | 0.870 [0.860, 0.880] | 0.900 (slide) | 10 [9, 11] |" in page
    assert "| ball | learned model | not measured | 2.25 [2.00, 3.00] | 98 % | 50 |" in page
    assert page.endswith("## What matters\n")
    text = summary_text(metrics)
    assert "from measured flow" in text
    assert "slide 1.50 deg" in text
    assert "area under the ROC curve not measured" in text


def test_only_what_stands_between_the_markers_changes() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(text, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(DataError, match="needs one line"):
        replaced("no markers", "new")
