# The Pythons, their environments and the wheel, for the scripts that need them: sourced, after
# lib.sh.

# Those that the package is for.
versions=(3.11 3.12 3.13)

package="$PWD/bindings/python"
made="$package/target"
# Beside what the rest has built, of which most is the same.
cargo_made="$(mkdir -p "$target_dir" && cd "$target_dir" && pwd)"

# Whether a program is a Python of a version: a shim that leads nowhere, as of pyenv, is none.
is_python() {
    [ -x "$1" ] && [ "$("$1" -c 'import sys, venv
print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$2" ]
}

# The Python of a version, or nothing: where pyenv or uv keep them, or on the path.
python_of() {
    local root candidate
    local uv="${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"
    for root in "${PYENV_ROOT:-}" "$HOME/.pyenv" "$(pyenv root 2>/dev/null || true)"; do
        for candidate in "$root"/versions/"$1".*/bin/python3; do
            ! is_python "$candidate" "$1" || { echo "$candidate"; return; }
        done
    done
    while read -r candidate; do
        ! is_python "$candidate" "$1" || { echo "$candidate"; return; }
    done < <(type -aP "python$1" python3; printf '%s\n' "$uv/cpython-$1."*/bin/python3)
}

# That there is none of a version, and what to do.
no_python() {
    echo "Python $1 is not here: neither under pyenv, nor on the path, nor among those of uv." \
        "scripts/install installs it where the system's packages or a mirror have it; else" \
        "'pyenv install $1' or 'uv python install $1'." >&2
}

# What pip is asked for, in an environment; where there is nobody to ask, that is said.
pip_in() {
    local folder="$1"
    shift
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" && return
    echo "pip could not install $* (see above). Where the package index cannot be reached, set" \
        "PIP_INDEX_URL to one that can, or PIP_FIND_LINKS to a folder with the wheels." >&2
    return 1
}

# A virtual environment of a Python, made once, with the packages that are named.
environment() {
    local python="$1" folder="$2"
    shift 2
    # One whose Python has gone, or is of another version now, is none.
    if ! [ "$("$folder/bin/python" -c 'import pip, sys; print(sys.version)' 2>/dev/null)" = \
        "$("$python" -c 'import sys; print(sys.version)')" ]; then
        rm -rf "$folder"
        "$python" -m venv "$folder" || {
            echo "$python cannot make a virtual environment: scripts/install installs what it" \
                "lacks (python3-venv)" >&2
            return 1
        }
    fi
    local wanted
    wanted="$("$folder/bin/python" - "$@" <<'END'
import importlib.metadata, re, sys

for asked in sys.argv[1:]:
    try:
        importlib.metadata.version(re.split("[<>=]", asked)[0])
    except importlib.metadata.PackageNotFoundError:
        print(asked)
END
    )"
    # One to a line, without blanks.
    # shellcheck disable=SC2086
    [ -z "$wanted" ] || pip_in "$folder" $wanted
}

# Builds the wheel; leaves its path in `wheel`.
build_wheel() {
    local builder=""
    local version
    for version in 3.12 3.13 3.11; do
        [ -n "$builder" ] || builder="$(python_of "$version")"
    done
    [ -n "$builder" ] || { no_python "3.11 or later"; exit 1; }
    environment "$builder" "$made/build" "maturin>=1.8,<2"
    rm -rf "$made/wheels"
    (cd "$package" && PYO3_PYTHON="$made/build/bin/python" CARGO_TARGET_DIR="$cargo_made" \
        "$made/build/bin/maturin" build --release --quiet --locked \
        --interpreter "$made/build/bin/python" --out "$made/wheels")
    wheel="$(echo "$made"/wheels/*.whl)"
}

# Puts that wheel into an environment, whatever is there of an earlier one.
install_wheel() {
    pip_in "$1" --force-reinstall --no-deps "$wheel"
}
