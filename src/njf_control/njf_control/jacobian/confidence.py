"""How sure a model is of a point's motion: what "right" means, and how signs of it become a share.

A predicted motion in the image is **right** when it is off by at most a quarter of the true motion,
or by half a pixel where that is more. A servo step that is a quarter off still takes three quarters
of the error away, and the next one corrects the rest; below half a pixel neither measured flow nor
tracks can tell. Only points that move, or are said to move, by more than a pixel are asked:
what stands still in both is right whatever the model knows of it.

Pixels are those of the images that motion is learnt from.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from njf_perception.config import Config

RIGHT_SHARE = 0.25  # largest error of a right motion, as a share of the true one
RIGHT_PX = 0.5  # ... or this, where it is more [px]
MOVING_PX = 1.0  # motion from which a point says something about its model [px]


def is_right(
    predicted: Float[np.ndarray, "n 2"], true: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    """Whether predicted motions [px] are right."""
    error = np.linalg.norm(predicted - true, axis=-1)
    return error <= np.maximum(RIGHT_PX, RIGHT_SHARE * np.linalg.norm(true, axis=-1))


def is_telling(
    predicted: Float[np.ndarray, "n 2"], true: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    """Whether motions [px] are large enough to say if a model is right; not where one is NaN."""
    lengths = (np.linalg.norm(motion, axis=-1) for motion in (predicted, true))
    return np.maximum(*lengths) > MOVING_PX


class Calibration(Config):
    """Share of right motions among the robot's points, a logistic function of two signs.

    Fitted to motions that no weight was trained on (`njf_training.calibrate`); logistic calibration
    of one sign is Platt's (Advances in Large Margin Classifiers, 1999).
    """

    bias: float = Field(description="log odds where all signs are zero")
    log_spread: float = Field(description="weight of the log of the learnt relative error")
    log_motion: float = Field(
        description="weight of the log of the image motion per command, focal length one"
    )
    motions: int = Field(ge=1, description="motions it was fitted to")
    points: int = Field(ge=1, description="points of those motions")
    right: float = Field(ge=0, le=1, description="share of right ones among these points")

    def probability(self, signs: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Probability that the motion of a robot's point is right, of its `confidence_signs`."""
        weights = torch.tensor([self.log_spread, self.log_motion]).to(signs)
        return torch.sigmoid(self.bias + signs @ weights)


def confidence_signs(
    points: Float[Tensor, "n 3"],
    jacobian: Float[Tensor, "n 3 channels"],
    spread: Float[Tensor, " n"],
) -> Float[Tensor, "n 2"]:
    """What a calibration looks at: log spread, and log of how much commands move the image.

    The motion is that of the projection with focal length one, over all channels, so it does not
    depend on the size of the images. Points that move much are those that a motion can prove
    wrong; the spread was learnt on motions that the weights have seen.
    """
    depth = points[:, 2:, None]
    lateral = (jacobian[:, :2] - points[:, :2, None] / depth * jacobian[:, 2:]) / depth
    motion = torch.linalg.vector_norm(lateral, dim=(1, 2))
    return torch.stack([spread.log(), motion.clamp_min(1e-6).log()], dim=-1)
