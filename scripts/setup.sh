#!/bin/sh
# Sets up the pip lane in .venv: pinned packages, our messages, our packages. Repeats only what
# changed, judged by content. Used by every target of the Makefile.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=$PWD/.venv
[ -x "$venv/bin/pip" ] && python=$venv/bin/python
stamps=$venv/stamps

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

digest() { cat "$@" | sha256sum; }
is_done() { name=$1; shift; [ "$(digest "$@")" = "$(cat "$stamps/$name" 2>/dev/null)" ]; }
mark_done() { name=$1; shift; mkdir -p "$stamps"; digest "$@" > "$stamps/$name"; }

check_machine() {
    [ "$(uname -sm)" = "Linux x86_64" ] ||
        fail "the ROS wheels exist for Linux x86_64 only, this is $(uname -sm). Use docker/ or a ROS installation."
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null ||
        fail "Python 3.11 or 3.12 is needed, '$python' is $("$python" --version 2>&1). Name another: make PYTHON=python3.12 ..."
}

# What Debian and Ubuntu keep in packages of their own: venv, Python's headers and a compiler.
missing_packages() {
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$version-venv"
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    [ -f "$headers/Python.h" ] || echo "$version-dev"
    { command -v cc && command -v c++; } >/dev/null || echo build-essential
}

install_missing_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    if command -v apt-get >/dev/null && { [ -z "$as_root" ] || sudo -n true 2>/dev/null; }; then
        say "installing $packages"
        $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $packages >/dev/null
    else
        fail "missing system packages. Install them and repeat: sudo apt-get install $packages"
    fi
}

make_venv() {
    [ "$python" = "$venv/bin/python" ] && return
    say "creating .venv with $("$python" --version)"
    "$python" -m venv "$venv"
}

install_dependencies() {
    is_done dependencies pyproject.toml constraints.txt && return
    say "installing the pinned packages (1 to 10 minutes)"
    pip="$venv/bin/pip --disable-pip-version-check"
    $pip install -q "pip==25.3"
    $pip install -q -c constraints.txt --group pip-lane
    mark_done dependencies pyproject.toml constraints.txt
}

# ROS interface packages go straight into the venv, so that no environment is needed at run time.
build_messages() {
    package=$1
    name=$(basename "$package")
    sources=$(find src/njf_msgs/cmake "$package" -type f | sort)
    is_done "$name" constraints.txt $sources && return
    say "building $name (half a minute)"
    PATH=$venv/bin:$PATH AMENT_PREFIX_PATH=$venv sh -eu <<COMMANDS > "$stamps/$name.log" 2>&1 ||
    cmake -G Ninja -S "$package" -B "build/$name" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$venv" -DCMAKE_PREFIX_PATH="$venv" -DPython3_EXECUTABLE="$venv/bin/python"
    cmake --build "build/$name"
    cmake --install "build/$name"
COMMANDS
        { tail -40 "$stamps/$name.log"; fail "$package does not build; the whole log: $stamps/$name.log"; }
    mark_done "$name" constraints.txt $sources
}

install_packages() {
    files=$(ls src/*/setup.py src/*/setup.cfg)
    is_done packages $files && return
    say "installing our packages, editable"
    set --
    for file in src/*/setup.py; do set -- "$@" -e "$(dirname "$file")"; done
    "$venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-build-isolation \
        --config-settings editable_mode=compat "$@"
    mark_done packages $files
}

exec 9< pyproject.toml
flock 9 # two makes at once take turns
check_machine
install_missing_packages
make_venv
install_dependencies
build_messages src/njf_pip_ros/tf2_msgs
build_messages src/njf_msgs
install_packages
