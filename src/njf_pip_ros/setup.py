from setuptools import setup

setup(
    name="njf_pip_ros",
    version="0.1.0",
    description="cv_bridge, message_filters, tf2_ros, tf_transformations without ROS",
    maintainer="NJF ROS maintainers",
    maintainer_email="maintainers@njf-ros.org",
    license="Apache-2.0",
    packages=["cv_bridge", "message_filters", "tf2_ros", "tf_transformations"],
)
