"""What `njf doctor` looks at; every failed check ends with the command that mends it."""

from njf_bringup.doctor.check import Check, run_checks

__all__ = ["Check", "run_checks"]
