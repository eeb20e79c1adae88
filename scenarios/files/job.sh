# A shell job as people run them: a pipeline of two stages with traps, watched by the script that started it.
# The first stage numbers the lines it gets; the second holds them back until it is let go, then stamps them with a
# secret that only memory has. Lines lie in the pipe between them meanwhile. Written for any POSIX shell.

first_stage() {
    lines=0 hups=0
    trap 'hups=$((hups + 1))' HUP
    trap 'echo "first ends after $lines"; exit 3' EXIT
    while read -r word || [ -n "$(probe)" ]; do
        [ -n "$word" ] || continue
        lines=$((lines + 1))
        echo "$lines $hups $word"
        word=
    done
}

second_stage() {
    stamped=0
    trap '' HUP
    read -r _ <gate
    while read -r line; do
        stamped=$((stamped + 1))
        echo "$stamped $secret $line"
    done
    echo "second ends after $stamped"
    exit 5
}
