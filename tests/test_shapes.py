"""Array annotations are checked while tests run."""

import jaxtyping
import numpy as np
import pytest

from njf_perception.camera import project

K = np.array([[100.0, 0.0, 50.0], [0.0, 100.0, 40.0], [0.0, 0.0, 1.0]])


def test_right_shape_passes() -> None:
    assert project(np.array([[0.0, 0.0, 1.0]]), K).tolist() == [[50.0, 40.0]]


@pytest.mark.parametrize("points", [np.ones((4, 2)), np.ones((4, 3), dtype=np.int64)])
def test_wrong_shape_or_type_fails(points: np.ndarray) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        project(points, K)
