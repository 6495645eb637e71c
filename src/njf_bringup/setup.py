from pathlib import Path

from setuptools import find_packages, setup

NAME = "njf_bringup"
SHARED = ["config", "launch", "checkpoints"]  # folders at the top of the repository


def installed(folder: str) -> list[tuple[str, list[str]]]:
    """Files below a top-level folder by the share folder they are installed to."""
    top = Path("../..")
    folders = sorted({path.parent for path in top.glob(f"{folder}/**/*") if path.is_file()})
    return [
        (
            f"share/{NAME}/{path.relative_to(top)}",
            sorted(str(file) for file in path.iterdir() if file.is_file()),
        )
        for path in folders
        if path.name != "__pycache__"
    ]


setup(
    name=NAME,
    version="0.1.0",
    description="The node graph as launch files and as the njf command line",
    maintainer="NJF ROS maintainers",
    maintainer_email="maintainers@njf-ros.org",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={NAME: ["py.typed", "browser/*.js"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *(entry for folder in SHARED for entry in installed(folder)),
    ],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "njf = njf_bringup.cli:main",
            "browser = njf_bringup.nodes.browser:main",
            "shadow = njf_bringup.nodes.shadow:main",
        ]
    },
)
