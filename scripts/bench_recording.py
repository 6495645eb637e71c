"""How many cameras can be recorded here: real camera nodes, DDS and recorder, and what got lost.

Each camera is a process of its own, the node that `njf up --hardware` starts, with a source that
shows a moving texture with noise at an exact rate. The recorder is the one of `njf record`. Per
number of cameras one line: images that never left a camera node, images lost on the way, disk
and processor; the most cameras that lost nothing come last. Also the arithmetic: bytes and time
per image and compression.

    python scripts/bench_recording.py --cameras 1,2,4,6,8,10,12 --seconds 20
    python scripts/bench_recording.py --sizes
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from njf_bringup.process import environment_defaults
from njf_bringup.process_usage import process_usage
from njf_bringup.up import use_private_domain
from njf_perception.cameras.base import CameraSource, Grabbed
from njf_perception.cameras.freshness import Instant
from njf_perception.image_compression import Compression, compress_depth, compress_image

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 640, 480
FRAMES = 30  # made beforehand, then shown in turn
NOISE = 2.0  # of a sensor [grey levels]
UP_TIMEOUT_S, DOWN_TIMEOUT_S = 180.0, 60.0
COUNTED_S = 2.0  # of the beginning, in which nodes still find each other, is not judged


def texture(seed: int, index: int) -> np.ndarray:
    """RGB image number `index` of a rough, coloured surface that slides by, seen with noise."""
    rng = np.random.default_rng(seed)
    surface = np.zeros((HEIGHT, WIDTH + 4 * FRAMES, 3))
    for cell in (4, 16, 64):
        small = rng.normal(0, 1, (HEIGHT // cell + 2, surface.shape[1] // cell + 2, 3))
        surface += cell**0.5 * cv2.resize(
            small, surface.shape[1::-1], interpolation=cv2.INTER_CUBIC
        )
    seen = 128 + 6 * surface[:, 4 * index : 4 * index + WIDTH]
    noise = np.random.default_rng(1000 * seed + index).normal(0, NOISE, seen.shape)
    return np.clip(seen + noise, 0, 255).astype(np.uint8)


class TextureCamera(CameraSource):
    """Hands out ready images at an exact rate, whatever its reader does."""

    def __init__(self, name: str, rate_hz: float) -> None:
        super().__init__(name, rate_hz, repeats_allowed=True)
        number = int(name.split("_")[1])
        self._images = [texture(number, index) for index in range(FRAMES)]
        self._shown, self._begin_s = 0, time.monotonic()

    def _grab(self) -> Grabbed:
        self._shown += 1
        due_s = self._begin_s + self._shown / self.rate_hz
        self._stopping.wait(max(0.0, due_s - time.monotonic()))
        return Grabbed(self._images[self._shown % FRAMES], Instant.now())

    def _release(self) -> None:
        pass


def run_camera(name: str, rate_hz: float) -> int:
    """Body of a camera's process."""
    from njf_perception.nodes.camera import CameraNode
    from njf_perception.nodes.main import run

    values = {"camera": name, "source": "video", "path": ROOT}  # a path is of no use to this source
    given = [text for key, value in values.items() for text in ("-p", f"{key}:={value}")]

    def make_node() -> CameraNode:
        return CameraNode(open_camera=lambda camera, _: TextureCamera(camera, rate_hz))

    return run(make_node, ["--ros-args", *given])


@dataclass(frozen=True)
class Spent:
    """Processor time [s] of all cameras and of the recorder between two times."""

    begin_ns: int
    end_ns: int
    cameras_s: float
    recorder_s: float


@dataclass(frozen=True)
class Line:
    """One number of cameras.

    Attributes:
        late: images that the camera nodes had no time for.
        lost: images that were sent and are not in the bag.
        cores: processor time per second, of all cameras and the recorder.
        camera_ms, recorder_ms: processor time per recorded image, of its camera and the recorder.
    """

    cameras: int
    images: int
    late: int
    lost: int
    mb_per_s: float
    cores: float
    camera_ms: float
    recorder_ms: float

    def text(self) -> str:
        """A row of the table."""
        return (
            f"| {self.cameras} | {self.images} | {self.late} | {self.lost} | {self.mb_per_s:.1f} | "
            f"{self.cores:.2f} | {self.camera_ms:.1f} + {self.recorder_ms:.1f} |"
        )


HEAD = (
    "| cameras | images recorded | too late to be sent | lost | MB/s on disk | cores | "
    "CPU ms per image: camera + recorder |\n|---|---|---|---|---|---|---|"
)


def measure(count: int, rate_hz: float, seconds: float, transport: str, scratch: Path) -> Line:
    """Record `count` cameras for a while."""
    names = [f"camera_{index}" for index in range(count)]
    bag, robot = scratch / f"bag_{count}", robot_file(scratch / f"robot_{count}.yaml", names)
    environment = os.environ | environment_defaults(scratch)
    own = [sys.executable, __file__, "--rate-hz", str(rate_hz), "--camera"]
    cameras = [subprocess.Popen([*own, name], env=environment) for name in names]
    parameters = {"robot_file": robot, "output": bag, "mode": "stream"}
    parameters["image_transport"] = transport
    command = [sys.executable, "-m", "njf_training.nodes.recorder", "--ros-args"]
    command += [a for key, value in parameters.items() for a in ("-p", f"{key}:={value}")]
    recorder = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        data = bag / f"{bag.name}.mcap"
        wait_for_images(data, count)
        before, begin_ns = [*cpu(cameras), *cpu([recorder])], time.time_ns()
        time.sleep(seconds)
        spent_s = np.subtract([*cpu(cameras), *cpu([recorder])], before)
        spent = Spent(begin_ns, time.time_ns(), float(spent_s[:-1].sum()), float(spent_s[-1]))
    finally:
        for process in (recorder, *cameras):
            process.send_signal(signal.SIGINT)
            process.wait(DOWN_TIMEOUT_S)
    return judged(bag, count, rate_hz, spent)


def robot_file(path: Path, names: Sequence[str]) -> Path:
    """The finger with other cameras."""
    robot = yaml.safe_load((ROOT / "config" / "robots" / "finger.yaml").read_text())
    size = {"width": WIDTH, "height": HEIGHT}
    robot["cameras"] = [{"name": name, "role": "training", **size} for name in names]
    robot["cameras"][0]["role"] = "control"
    path.write_text(yaml.safe_dump(robot))
    return path


def wait_for_images(data: Path, count: int) -> None:
    """Until a second's worth of every camera can be on disk."""
    deadline_s = time.monotonic() + UP_TIMEOUT_S
    while not data.exists() or data.stat().st_size < count * 10**5:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"no images of {count} cameras within {UP_TIMEOUT_S:.0f} s")
        time.sleep(0.2)


def cpu(processes: Sequence[subprocess.Popen]) -> list[float]:
    """Processor time of processes so far [s]."""
    found = [process_usage(process.pid) for process in processes]
    return [usage.cpu_s if usage else 0.0 for usage in found]


def judged(bag: Path, count: int, rate_hz: float, spent: Spent) -> Line:
    """What the stamps say: a camera's images were due at an exact rate, and numbered by it."""
    from njf_perception.bag import BagReader, header_stamp_ns
    from njf_training.recording.topics import camera_of

    stamps: dict[str, list[int]] = {}
    skipped: dict[str, list[tuple[int, int]]] = {}  # (time [ns], so far) per camera
    reader = BagReader(bag)
    for message in reader.messages():
        name = camera_of(message.topic)
        if name:
            stamps.setdefault(name, []).append(header_stamp_ns(message.data))
        elif message.topic == "/diagnostics":
            for status in reader.decode(message).status:
                values = {pair.key: pair.value for pair in status.values}
                if "skipped" in values:
                    told = (message.time_ns, int(values["skipped"]))
                    skipped.setdefault(status.hardware_id, []).append(told)
    begin_ns = max(found[0] for found in stamps.values()) + int(COUNTED_S * 1e9)
    late, lost, images = 0, 0, 0
    for name, found in stamps.items():
        # From the camera's first to its last word about itself, within which both counts are known.
        told = [(when, number) for when, number in skipped[name] if when >= begin_ns]
        kept = np.array([stamp for stamp in found if told[0][0] <= stamp <= told[-1][0]])
        missing = round((kept[-1] - kept[0]) * 1e-9 * rate_hz) + 1 - len(kept)
        unsent = told[-1][1] - told[0][1]
        images, late = images + len(kept), late + unsent
        lost += max(0, missing - unsent)
    written = bag.joinpath(f"{bag.name}.mcap").stat().st_size
    first_ns, last_ns = min(s[0] for s in stamps.values()), max(s[-1] for s in stamps.values())
    duration_s = (last_ns - first_ns) * 1e-9
    assert len(stamps) == count
    mb_per_s = written / duration_s / 1e6
    every = np.concatenate(list(stamps.values()))
    during = int(((every >= spent.begin_ns) & (every <= spent.end_ns)).sum())
    seconds, per_image_ms = (spent.end_ns - spent.begin_ns) * 1e-9, 1e3 / max(during, 1)
    return Line(
        cameras=count,
        images=images,
        late=late,
        lost=lost,
        mb_per_s=mb_per_s,
        cores=(spent.cameras_s + spent.recorder_s) / seconds,
        camera_ms=spent.cameras_s * per_image_ms,
        recorder_ms=spent.recorder_s * per_image_ms,
    )


def sizes() -> str:
    """Bytes and milliseconds per 640 x 480 image, and disk per number of cameras at 30 Hz."""
    images = [texture(7, index) for index in range(10)]
    depth_mm = (600 + 200 * np.sin(np.arange(WIDTH) / 90))[None] + np.arange(HEIGHT)[:, None] / 4
    noisy = [depth_mm + np.random.default_rng(i).normal(0, 1.5, depth_mm.shape) for i in range(10)]
    depths = [np.rint(depth).astype(np.uint16) for depth in noisy]
    rows = [("raw rgb8", 3.0 * WIDTH * HEIGHT, 0.0), ("raw depth 16UC1", 2.0 * WIDTH * HEIGHT, 0.0)]
    for name, how in (
        ("JPEG 95", Compression("jpeg", 95)),
        ("JPEG 80", Compression("jpeg", 80)),
        ("PNG 1", Compression("png", png_level=1)),
        ("PNG 3", Compression("png", png_level=3)),
    ):
        rows.append((name, *per_image([lambda i=i, h=how: compress_image(i, h) for i in images])))
    how = Compression(png_level=1)
    packed = [lambda d=d: compress_depth(d, how) for d in depths]
    rows.append(("depth PNG 1", *per_image(packed)))
    head = "| | kB per image | CPU ms per image | MB/s of 1 | 4 | 8 | 12 cameras at 30 Hz |\n"
    lines = [head + "|---|---|---|---|---|---|---|"]
    for name, size, spent_ms in rows:
        rates = " | ".join(f"{n * 30 * size / 1e6:.1f}" for n in (1, 4, 8, 12))
        lines.append(f"| {name} | {size / 1e3:.0f} | {spent_ms:.1f} | {rates} |")
    return "\n".join(lines)


def per_image(work: list) -> tuple[float, float]:
    """Mean bytes and milliseconds of processor time of compressing."""
    begin_s = time.process_time()
    lengths = [len(make().data) for make in work]
    return float(np.mean(lengths)), 1e3 * (time.process_time() - begin_s) / len(work)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cameras", default="1,2,4,6,8,10,12", help="numbers of cameras to try")
    parser.add_argument("--seconds", type=float, default=20.0, help="to record each [s]")
    parser.add_argument("--rate-hz", type=float, default=30.0, help="of every camera [Hz]")
    parser.add_argument("--transport", default="compressed", choices=["raw", "compressed"])
    parser.add_argument("--out", type=Path, help="JSON of the figures")
    parser.add_argument("--keep", type=Path, help="folder for the bags, which are removed else")
    parser.add_argument("--sizes", action="store_true", help="only bytes and time per image")
    parser.add_argument("--camera", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.camera:
        return run_camera(options.camera, options.rate_hz)
    if options.sizes:
        print(sizes())
        return 0
    use_private_domain()
    print(
        f"{WIDTH} x {HEIGHT} at {options.rate_hz:g} Hz, {options.transport}, {os.cpu_count()} cores"
    )
    print(f"load before: {os.getloadavg()[0]:.1f}\n{HEAD}", flush=True)
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        scratch = options.keep or temporary
        for count in map(int, options.cameras.split(",")):
            found = measure(
                count, options.rate_hz, options.seconds, options.transport, Path(scratch)
            )
            lines.append(found)
            print(found.text(), flush=True)
    whole = [line.cameras for line in lines if line.late + line.lost == 0]
    print(f"most cameras without a loss: {max(whole, default=0)}")
    if options.out:
        options.out.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
