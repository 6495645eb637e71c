"""Whether the given focal lengths fit the views: a wrong one hides in the poses, not in the error.

At the solution one more step of Gauss and Newton is taken, with the logarithm of each camera's
focal length as a further unknown. Its column in the Jacobian is the pixel less the principal point:
the predicted one, since the noise of the seen one is in the error too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from njf_perception.calibration.lens import Lens


@dataclass(frozen=True)
class FocalCheck:
    """What the views say about one camera's focal length.

    Attributes:
        error: by what share the views ask for a longer one.
        std: its standard deviation.
    """

    error: float
    std: float


def check_focal(
    lenses: Mapping[str, Lens],
    cameras: Sequence[str],
    owner: Int[np.ndarray, " n"],
    pixels: Float[np.ndarray, "n 2"],
    jacobian: csr_matrix,
    error_px: Float[np.ndarray, "n 2"],
    sigma_px: float,
) -> dict[str, FocalCheck]:
    """By camera.

    Args:
        lenses: by camera.
        cameras: names in the order of `owner`.
        owner: index of the camera that saw each corner.
        pixels: where [px].
        jacobian: of the errors, u and v in turn, by the poses' unknowns.
        error_px: predicted minus seen [px].
        sigma_px: standard deviation of u and of v [px].
    """
    columns = np.zeros((len(pixels), 2, len(cameras)))
    predicted = pixels + error_px
    for index, name in enumerate(cameras):
        ours = owner == index
        columns[ours, :, index] = predicted[ours] - lenses[name].K[:2, 2]
    by_focal = columns.reshape(-1, len(cameras))
    poses, across = (jacobian.T @ jacobian).toarray(), jacobian.T @ by_focal
    solved = np.linalg.pinv(poses) @ np.column_stack([across, jacobian.T @ error_px.ravel()])
    information = by_focal.T @ by_focal - across.T @ solved[:, :-1]
    gradient = by_focal.T @ error_px.ravel() - across.T @ solved[:, -1]
    covariance = np.linalg.pinv(information)
    step, std = -covariance @ gradient, sigma_px * np.sqrt(np.diag(covariance).clip(0))
    return {
        name: FocalCheck(float(np.expm1(step[i])), float(std[i])) for i, name in enumerate(cameras)
    }
