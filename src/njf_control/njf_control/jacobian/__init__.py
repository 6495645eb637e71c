"""Jacobian field: how every 3D point moves per unit of every command."""

from njf_control.jacobian.config import JacobianConfig
from njf_control.jacobian.field import FeatureScene, JacobianField, load_jacobian, make_jacobian

__all__ = ["FeatureScene", "JacobianConfig", "JacobianField", "load_jacobian", "make_jacobian"]
