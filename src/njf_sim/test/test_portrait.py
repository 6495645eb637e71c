"""Pictures with shadows."""

import numpy as np

from njf_sim.portrait import portrait
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

POSITION = np.array([0.5, -0.6, 0.7])


def test_it_shows_what_the_camera_shows_plus_shadows(model: RobotModel, renderer: Renderer) -> None:
    camera = model.cameras["camera_0"]
    renderer.pose(POSITION)
    frame = renderer.render("camera_0")
    picture = portrait(model, POSITION, camera, camera.width).astype(float)
    difference = picture - frame.rgb
    table = frame.geom == model.model.geom("table").id
    darker = (difference.mean(axis=-1) < -15) & table
    assert 0.005 < darker.mean() < 0.1
    assert np.median(np.abs(difference)) < 2
    assert np.corrcoef(picture[~table].ravel(), frame.rgb[~table].ravel())[0, 1] > 0.9


def test_it_has_the_size_that_was_asked_for(model: RobotModel) -> None:
    picture = portrait(model, POSITION, model.cameras["camera_5"], 100)
    assert picture.shape == (75, 100, 3)
