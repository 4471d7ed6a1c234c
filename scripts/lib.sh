# Shared by the scripts: sourced, not run.

# Every script works from the top of the tree, wherever it was called from.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Servers live in sbin, which is not always on a user's path; Debian keeps pgbench and initdb apart.
PATH="$HOME/.cargo/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
for directory in /usr/lib/postgresql/*/bin; do
    [ -d "$directory" ] && PATH="$PATH:$directory"
done
export PATH

# Where the scripts keep what they make: beside cargo's own output, so `cargo clean` takes it along.
target_dir="${CARGO_TARGET_DIR:-target}"

say() {
    printf '\n==> %s\n' "$*"
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# Runs a command of the test runner, and keeps its output so that `.ci/run` can add the counts up.
counted() {
    mkdir -p "$target_dir/ci"
    "$@" 2>&1 | tee -a "$target_dir/ci/tests.log"
}
