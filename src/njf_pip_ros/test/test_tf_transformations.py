import numpy as np
import pytest

import tf_transformations as tft

RNG = np.random.default_rng(0)
AXES = ["sxyz", "rxyz", "szyx", "rzyx"]


def random_quaternion() -> np.ndarray:
    quaternion = RNG.normal(size=4)
    return quaternion / np.linalg.norm(quaternion)


def test_the_order_is_x_y_z_w() -> None:
    np.testing.assert_allclose(tft.quaternion_from_matrix(np.identity(4)), [0, 0, 0, 1], atol=1e-12)
    half = np.sqrt(0.5)
    quarter_turn_z = tft.quaternion_from_euler(0, 0, np.pi / 2)
    np.testing.assert_allclose(quarter_turn_z, [0, 0, half, half], atol=1e-12)


def test_composed_quaternions_are_tuples_as_in_the_original() -> None:
    assert isinstance(tft.quaternion_from_matrix(np.identity(4)), tuple)
    assert isinstance(tft.quaternion_from_euler(0, 0, 1), tuple)
    assert isinstance(tft.quaternion_multiply([0, 0, 0, 1], [0, 0, 0, 1]), tuple)


def test_a_quarter_turn_about_z_maps_x_to_y() -> None:
    matrix = tft.quaternion_matrix([0, 0, np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_allclose(matrix @ [1, 0, 0, 1], [0, 1, 0, 1], atol=1e-12)


def test_matrix_and_quaternion_are_inverse() -> None:
    for _ in range(50):
        quaternion = random_quaternion()
        back = np.array(tft.quaternion_from_matrix(tft.quaternion_matrix(quaternion)))
        np.testing.assert_allclose(back * np.sign(back @ quaternion), quaternion, atol=1e-9)


@pytest.mark.parametrize("axes", AXES)
def test_euler_angles_and_quaternion_are_inverse(axes: str) -> None:
    angles = (0.3, -0.7, 1.1)
    quaternion = tft.quaternion_from_euler(*angles, axes)
    np.testing.assert_allclose(tft.euler_from_quaternion(quaternion, axes), angles, atol=1e-9)


def test_static_axes_apply_in_order_and_rotating_axes_reversed() -> None:
    def about(axis: int, angle: float) -> np.ndarray:
        vector = np.zeros(4)
        vector[axis], vector[3] = np.sin(angle / 2), np.cos(angle / 2)
        return tft.quaternion_matrix(vector)

    x, y, z = about(0, 0.3), about(1, -0.7), about(2, 1.1)
    np.testing.assert_allclose(tft.euler_matrix(0.3, -0.7, 1.1, "sxyz"), z @ y @ x, atol=1e-12)
    np.testing.assert_allclose(tft.euler_matrix(0.3, -0.7, 1.1, "rxyz"), x @ y @ z, atol=1e-12)
    angles = tft.euler_from_matrix(z @ y @ x, "sxyz")
    np.testing.assert_allclose(angles, [0.3, -0.7, 1.1], atol=1e-9)


def test_products_of_quaternions_are_products_of_matrices() -> None:
    a, b = random_quaternion(), random_quaternion()
    product = tft.quaternion_matrix(tft.quaternion_multiply(a, b))
    expected = tft.concatenate_matrices(tft.quaternion_matrix(a), tft.quaternion_matrix(b))
    np.testing.assert_allclose(product, expected, atol=1e-12)


def test_inverse_undoes() -> None:
    quaternion = random_quaternion()
    product = tft.quaternion_multiply(quaternion, tft.quaternion_inverse(quaternion))
    np.testing.assert_allclose(product, [0, 0, 0, 1], atol=1e-12)
    matrix = tft.translation_matrix([1, 2, 3]) @ tft.quaternion_matrix(quaternion)
    np.testing.assert_allclose(
        tft.inverse_matrix(matrix) @ matrix, tft.identity_matrix(), atol=1e-12
    )


def test_translation_round_trip() -> None:
    matrix = tft.translation_matrix([1.0, -2.0, 3.0])
    assert tft.translation_from_matrix(matrix).tolist() == [1.0, -2.0, 3.0]
