"""What the visualizer publishes, as messages that RViz and Foxglove know."""

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from jaxtyping import Bool, Float
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from njf_control.visualization.colors import channel_color
from njf_control.visualization.field import FieldView
from njf_msgs.msg import JacobianField
from njf_perception.errors import DataError
from njf_perception.nodes.conversions import byte_array

_LIFETIME_S = 2  # markers of a node that has gone disappear


def field_from_msg(
    msg: JacobianField, names: Sequence[str], half_range: Float[np.ndarray, " k"]
) -> FieldView:
    """The field of a message that has the channels `names` in any order, in half ranges.

    Points with a number that is not finite are left out.

    Raises:
        DataError: other channels, or arrays that do not fit each other.
    """
    found, count = list(msg.channel_names), len(msg.points)
    if sorted(found) != sorted(names):
        raise DataError(
            f"jacobian_field has channels {found}, the robot file {list(names)}. Start all nodes "
            "with the same robot."
        )
    if len(msg.jacobian) != 3 * count * len(names) or len(msg.confidence) != count:
        raise DataError(
            f"jacobian_field has {count} points, {len(msg.jacobian)} values of the Jacobian and "
            f"{len(msg.confidence)} of confidence; expected {3 * len(names)} and 1 per point. "
            "Repair its publisher."
        )
    points = np.array([(p.x, p.y, p.z) for p in msg.points], np.float64).reshape(count, 3)
    jacobian = np.asarray(msg.jacobian, np.float64).reshape(count, 3, len(names))
    jacobian = jacobian[..., [found.index(name) for name in names]]
    confidence = np.asarray(msg.confidence, np.float64)
    finite = np.isfinite(points).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
    finite &= np.isfinite(confidence)
    return FieldView(points[finite], jacobian[finite] * half_range, confidence[finite])


def cloud_msg(
    points_m: Float[np.ndarray, "n 3"],
    colors: Float[np.ndarray, "n 3"],
    confidence: Float[np.ndarray, " n"],
    header: Header,
) -> PointCloud2:
    """Coloured points: x, y, z [m], rgb, and the model's confidence."""
    kinds = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4"), ("confidence", "<f4")]
    rows = np.zeros(len(points_m), kinds)
    rows["x"], rows["y"], rows["z"] = points_m.T
    red, green, blue = np.rint(255 * colors).astype(np.uint32).T
    rows["rgb"] = red << 16 | green << 8 | blue
    rows["confidence"] = confidence
    fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, (name, _) in enumerate(kinds)
    ]
    return PointCloud2(
        header=header,
        height=1,
        width=len(rows),
        fields=fields,
        point_step=rows.itemsize,
        row_step=rows.nbytes,
        data=byte_array(rows),
        is_dense=True,
    )


def arrows_msg(
    names: Sequence[str],
    ends: Sequence[tuple[Float[np.ndarray, "_ 3"], Float[np.ndarray, "_ 3"]]],
    colors: Sequence[tuple[float, float, float]],
    width_m: float,
    header: Header,
) -> MarkerArray:
    """Arrows as one list of lines per name; RViz switches the names on and off."""
    markers = [
        _lines(name, begin, end, color, width_m, header)
        for name, (begin, end), color in zip(names, ends, colors, strict=True)
    ]
    return MarkerArray(markers=markers)


def channel_colors(count: int) -> list[tuple[float, float, float]]:
    """The colours of the first `count` channels."""
    return [channel_color(channel) for channel in range(count)]


def goal_msg(
    now_m: Float[np.ndarray, "n 3"],
    target_m: Float[np.ndarray, "n 3"],
    visible: Bool[np.ndarray, " n"],
    size_m: float,
    header: Header,
) -> MarkerArray:
    """Targets as spheres, and the way that is left to each as a line."""
    spheres = _marker("targets", Marker.SPHERE_LIST, (1.0, 0.36, 0.54), header)
    spheres.scale.x = spheres.scale.y = spheres.scale.z = size_m
    spheres.points = _points(target_m[visible])
    error = _lines("error", now_m[visible], target_m[visible], (1.0, 0.84, 0.4), size_m / 4, header)
    return MarkerArray(markers=[spheres, error])


def _lines(
    name: str,
    begin: Float[np.ndarray, "n 3"],
    end: Float[np.ndarray, "n 3"],
    color: tuple[float, float, float],
    width_m: float,
    header: Header,
) -> Marker:
    """Arrows: a shaft, and two strokes for the head."""
    marker = _marker(name, Marker.LINE_LIST, color, header)
    marker.scale.x = width_m
    way = end - begin
    side = np.cross(way, [0.0, 0.0, 1.0])  # in the image plane: the camera looks along z
    strokes = [(begin, end)]
    strokes += [(end, end - 0.25 * way + sign * 0.12 * side) for sign in (-1.0, 1.0)]
    pairs = np.stack([np.stack(stroke, axis=1) for stroke in strokes], axis=1)
    marker.points = _points(pairs.reshape(-1, 3))
    return marker


def _marker(name: str, kind: int, color: tuple[float, float, float], header: Header) -> Marker:
    red, green, blue = color
    marker = Marker(header=header, ns=name, id=0, type=kind, action=Marker.ADD)
    marker.color = ColorRGBA(r=float(red), g=float(green), b=float(blue), a=1.0)
    marker.pose.orientation.w = 1.0
    marker.lifetime = Duration(sec=_LIFETIME_S)
    return marker


def _points(rows: Float[np.ndarray, "n 3"]) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in rows.tolist()]
