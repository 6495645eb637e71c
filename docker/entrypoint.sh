#!/bin/bash
# ROS and this workspace on the path, then whatever was asked for. exec: signals reach it itself.
set -eo pipefail
# shellcheck disable=SC1090,SC1091
source "/opt/ros/${ROS_DISTRO}/setup.bash"
# shellcheck disable=SC1091
source /workspace/install/setup.bash
exec "$@"
