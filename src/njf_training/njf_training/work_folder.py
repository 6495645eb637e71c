"""The unfinished dataset and what is already done of it."""

import json
import shutil
from pathlib import Path
from typing import Any


class WorkFolder:
    """The unfinished dataset beside the final one, with a journal of what is done."""

    def __init__(self, out: Path, key: dict[str, Any]) -> None:
        """Continue the work on `out` if it was begun with the same `key` (JSON), else start it."""
        self.folder = out.with_name(f".{out.name}.partial")
        self._journal = self.folder / "journal.json"
        if not self._journal.exists() or json.loads(self._journal.read_text())["key"] != key:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._state: dict[str, Any] = {"key": key, "done": {}}
            self._save()
        self._state = json.loads(self._journal.read_text())

    def is_done(self, step: str) -> bool:
        """Whether a step was finished, now or in an earlier attempt."""
        return step in self._state["done"]

    def result(self, step: str) -> list[Any]:
        """What a finished step had found."""
        return self._state["done"][step]

    def set_done(self, step: str, result: list[Any] | None = None) -> None:
        """Note a finished step and what it found."""
        self._state["done"][step] = result or []
        self._save()

    def publish(self, out: Path) -> None:
        """Give the folder its final name."""
        self._journal.unlink()
        self.folder.rename(out)

    def _save(self) -> None:
        temporary = self._journal.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._state))
        temporary.replace(self._journal)
