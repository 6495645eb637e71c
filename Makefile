# Every target sets up what it needs; a second call costs seconds. `make` lists them.
PYTHON ?= python3
ROBOT ?= finger
GOALS ?= 20
SEED ?= 0
FRAMES ?= 1000000
MINUTES ?= 30
BIN := .venv/bin

# A sourced ROS installation or another virtual environment must not leak into the pip lane.
unexport PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PYTHON

.PHONY: help setup demo train-% test lint fuzz soak bench fmt colcon lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*##/ {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## virtual environment, pinned packages, messages
	@scripts/setup.sh

demo: setup ## reach goals with a simulated robot [ROBOT=finger|poppy|allegro|allegro8|pneumatic|hsa GOALS=20 SEED=0]
	$(BIN)/njf demo --robot $(ROBOT) --goals $(GOALS) --seed $(SEED)

train-%: setup ## make the dataset, train, evaluate and install a robot: make train-poppy
	$(BIN)/njf pipeline --robot $* --seed $(SEED)

test: setup ## every test; those of the browser page need Chromium: apt-get install chromium
	$(BIN)/pytest

lint: setup ## style, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

fuzz: setup ## random frames into every decoder, random commands through the gate [FRAMES=1000000]
	NJF_FUZZ=$(FRAMES) $(BIN)/pytest -m fuzz --timeout 7200 --durations 0 --durations-min 1

soak: setup ## servo to random goals for long: memory, deadlines, rate [ROBOT=finger MINUTES=30]
	$(BIN)/njf soak --robot $(ROBOT) --minutes $(MINUTES) --seed $(SEED)

bench: setup ## speed of the control step's parts, as ratios; what the drivers cost
	$(BIN)/python scripts/bench.py
	$(BIN)/python scripts/bench_driver.py

fmt: setup ## format and mend imports
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

colcon: setup ## build and test every package as a robot PC does, in build/colcon
	$(BIN)/pytest -v tests/test_colcon.py

lock: setup ## write the versions now installed to constraints.txt
	$(BIN)/python scripts/lock.py
