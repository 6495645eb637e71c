"""One check's outcome."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """Outcome of one check. `mend` is the command that repairs a failed one."""

    name: str
    state: Literal["ok", "failed", "note"]
    detail: str
    mend: str = ""

    def line(self) -> str:
        """One line for people."""
        mend = f"  ->  {self.mend}" if self.state == "failed" else ""
        return f"{self.state:>6}  {self.name:<16} {self.detail}{mend}"
