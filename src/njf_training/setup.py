from setuptools import find_packages, setup

NAME = "njf_training"
NODES = ["explorer", "player", "recorder"]

setup(
    name=NAME,
    version="0.1.0",
    description="From a recorded bag to a checkpoint: exploration, dataset, training, evaluation",
    maintainer="NJF ROS maintainers",
    maintainer_email="maintainers@njf-ros.org",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    zip_safe=False,
    entry_points={"console_scripts": [f"{node} = {NAME}.nodes.{node}:main" for node in NODES]},
)
