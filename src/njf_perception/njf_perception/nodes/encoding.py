"""Scene encodings to messages and back."""

import numpy as np
import torch
from jaxtyping import Float
from std_msgs.msg import Header

from njf_msgs.msg import SceneEncoding
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_perception.nodes.conversions import float_array
from njf_perception.scene import Encoding


def encoding_to_msg(
    encoding: Encoding, camera: Camera, checkpoint_id: str, header: Header
) -> SceneEncoding:
    """Message of what the encoder of checkpoint `checkpoint_id` made of one image of `camera`."""
    channels, height, width = encoding.feature_map.shape
    return SceneEncoding(
        header=header,
        checkpoint_id=checkpoint_id,
        image_width=int(camera.width),
        image_height=int(camera.height),
        k=camera.K.astype(np.float64).ravel(),
        r_trained_camera=encoding.R_trained_camera.astype(np.float64).ravel(),
        channels=channels,
        map_height=height,
        map_width=width,
        feature_map=float_array(encoding.feature_map.numpy()),
        global_code=float_array(encoding.global_code.numpy()),
    )


def encoding_from_msg(
    msg: SceneEncoding, name: str, T_world_camera: Float[np.ndarray, "4 4"] | None = None
) -> tuple[Encoding, Camera]:
    """Encoding and camera of a message; the pose is the identity when it is not given.

    Raises:
        DataError: the feature map does not have the size the message states, or what should be
            a rotation is none.
    """
    shape = (msg.channels, msg.map_height, msg.map_width)
    if len(msg.feature_map) != int(np.prod(shape)) or 0 in shape:
        raise DataError(
            f"SceneEncoding holds {len(msg.feature_map)} features, its stated shape is {shape}. "
            "Run the same version on both ends."
        )
    R = np.asarray(msg.r_trained_camera, np.float64).reshape(3, 3)
    if not np.allclose(R @ R.T, np.eye(3), atol=1e-6):
        raise DataError(
            f"SceneEncoding has r_trained_camera {R.ravel().tolist()}, which is no rotation. "
            "Run the same version on both ends."
        )
    feature_map = torch.from_numpy(np.array(msg.feature_map, np.float32).reshape(shape))
    code = torch.from_numpy(np.array(msg.global_code, np.float32))
    K = np.asarray(msg.k, np.float64).reshape(3, 3)
    T = np.eye(4) if T_world_camera is None else T_world_camera
    camera = Camera(name, int(msg.image_width), int(msg.image_height), K, T)
    return Encoding(feature_map, code, R), camera
