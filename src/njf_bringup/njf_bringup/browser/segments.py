"""Many line segments as one object of NiceGUI's 3D scene, which has only single lines."""

import numpy as np
from jaxtyping import Float
from nicegui.elements.scene.scene_object3d import Object3D


class Segments(Object3D, component="segments.js"):
    """Line segments; `set_ends` replaces them all."""

    def __init__(self, ends: Float[np.ndarray, "n 2 3"]) -> None:
        super().__init__(_rows(ends))

    def set_ends(self, ends: Float[np.ndarray, "n 2 3"]) -> None:
        """Show these segments, begin and end of each [m]."""
        self.args[0] = _rows(ends)
        self.run_method("set_ends", self.args[0])


def _rows(ends: Float[np.ndarray, "n 2 3"]) -> list:
    return np.round(ends, 4).tolist()
