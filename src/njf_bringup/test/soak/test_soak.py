"""Judging a long run by numbers that are made up, and reading the kernel's accounts."""

import json
import math
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from njf_bringup.process_usage import process_usage
from njf_bringup.soak import run
from njf_bringup.soak.judge import Sample, after_warm_up, judge
from njf_bringup.soak.run import SoakOptions, run_soak
from njf_perception.errors import StoppedError


def samples(count: int = 100, growth: float = 0.0, missed: float = 0.0) -> list[Sample]:
    """One a second; memory doubles in the warm-up, then grows evenly by `growth` in the rest."""
    rising = np.concatenate([np.linspace(0.5, 1.0, count // 5), np.linspace(1, 1 + growth, 80)])
    return [
        Sample(
            time_s=float(index),
            rss_mb={"driver": 100.0 * rising[index], "simulator": 300.0},
            cpu_s={"driver": 0.1 * index, "simulator": 0.5 * index},
            cycles=50 * index,
            missed=round(missed * 50 * index),
            control_hz=12.0 if index % 2 else math.nan,
        )
        for index in range(count)
    ]


def test_a_steady_run_is_ok_whatever_its_warm_up() -> None:
    verdict = judge(samples(), 0.01)
    assert verdict.ok and verdict.growth["driver"] == pytest.approx(0.0, abs=1e-3)
    assert verdict.cpu_share == {"driver": pytest.approx(0.1), "simulator": pytest.approx(0.5)}
    assert verdict.control_hz == 12.0 and verdict.missed_share == 0.0
    assert after_warm_up(samples())[0].time_s == 20.0


def test_memory_that_is_given_back_is_no_growth() -> None:
    borrowed = samples()
    for sample in borrowed[60:]:
        if round(sample.time_s) % 4:
            sample.rss_mb["driver"] += 30.0
    assert judge(borrowed, 0.01).growth["driver"] == pytest.approx(0.0, abs=1e-3)


def test_a_node_that_grows_is_named() -> None:
    verdict = judge(samples(growth=0.1), 0.01)
    assert not verdict.ok and verdict.growth["driver"] == pytest.approx(0.075, abs=0.002)
    assert verdict.troubles == ["driver grew by 7.6 % of its memory, allowed 5 %"]
    assert judge(samples(growth=0.05), 0.01).ok


def test_missed_deadlines_beyond_the_budget_are_told() -> None:
    assert judge(samples(missed=0.02), 0.03).ok
    (trouble,) = judge(samples(missed=0.02), 0.01).troubles
    assert "missed 1.96 % of its deadlines, allowed 1.00 %" in trouble


def test_a_driver_that_said_nothing_is_no_success() -> None:
    silent = [Sample(s.time_s, s.rss_mb, s.cpu_s, 0, 0, s.control_hz) for s in samples()]
    assert "missed nan %" in judge(silent, 0.01).troubles[0]


def test_too_short_a_run_says_so() -> None:
    assert "run longer" in judge(samples()[:5], 0.01).troubles[0]
    assert not judge([], 0.01).ok


def test_an_interrupted_run_writes_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(graph: object, options: object, course: run._Course) -> None:
        course.samples, course.outcomes = samples(), Counter(CONVERGED=3)
        raise StoppedError("stopped by SIGINT.")

    monkeypatch.setattr(run, "_drive", interrupted)
    assert not run_soak(SoakOptions("finger", 30.0, 0, tmp_path, None, 0.01))
    written = json.loads((tmp_path / "soak.json").read_text())
    assert not written["ok"] and written["troubles"] == ["ended early: stopped by SIGINT."]
    assert written["goals"] == {"CONVERGED": 3} and len(written["samples"]) == 100
    assert written["growth"]["driver"] == pytest.approx(0.0, abs=1e-3)
    assert (tmp_path / "soak.png").stat().st_size > 10_000


def test_the_kernels_accounts_are_read() -> None:
    before = process_usage(os.getpid())
    held = np.ones(2**23)  # 64 MB
    begin_s = time.process_time()
    while time.process_time() - begin_s < 0.2:
        held.sum()
    after = process_usage(os.getpid())
    assert before is not None and after is not None
    assert 50e6 < after.rss_bytes - before.rss_bytes < 90e6
    assert 0.15 < after.cpu_s - before.cpu_s < 2.0
    assert process_usage(2**30) is None


def test_a_name_with_brackets_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "statm").write_text("500 300 100 1 0 200 0\n")
    fields = " ".join(map(str, range(1, 50)))
    (tmp_path / "7" / "stat").write_text(f"7 (a b) c) S {fields}\n")
    usage = process_usage(7, tmp_path)
    assert usage is not None and usage.rss_bytes == 200 * os.sysconf("SC_PAGE_SIZE")
    assert usage.cpu_s == (11 + 12) / os.sysconf("SC_CLK_TCK")
