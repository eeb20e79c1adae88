# A shell job as people run them: a pipeline of two stages with traps, watched by the script that started it.
#
# The first stage numbers the words it gets; the second waits at a gate and then stamps each line with a secret that
# only memory has. Lines lie in the pipe between them meanwhile. For any POSIX shell whose numbers have 64 bits.

patience="$((${WAIT_MS:-6000} / 1000)).$((${WAIT_MS:-6000} % 1000 / 100))"

be_first() {
    count=0 hups=0 seen=0
    trap 'hups=$((hups + 1))' HUP
    trap 'echo "first ends after $count"; exit 3' EXIT
    echo "first $$" >&4
    while :; do
        # a trapped signal may end the read; then there is no word yet
        if ! read -r word; then
            [ "$hups" -gt "$seen" ] || break
            seen=$hups
            continue
        fi
        [ "$word" != end ] || break
        count=$((count + 1))
        echo "$count $hups $word"
    done
}

be_second() {
    count=0
    trap '' HUP
    echo "second $$" >&4
    read -r _ <&5
    while read -r line; do
        count=$((count + 1))
        echo "$count $secret $line" >&4
    done
    echo "second ends after $count" >&4
    exit 5
}

start_pipeline() {
    secret=$secret sh "$0" first <&3 | secret=$secret sh "$0" second &
    job=$!
    for _ in 1 2; do
        read -r role number <&4
        case $role in
        first) first=$number ;;
        second) second=$number ;;
        esac
    done
    printf 'alpha\nbeta\ngamma\n' >&3
}

mismatch() {
    mismatches="$mismatches${mismatches:+, }\"$1\""
}

expect() {
    read -r got <&4
    [ "$got" = "$1" ] || mismatch "expected ${1%%"$secret"*}${1##*"$secret"}, got ${got%%"$secret"*}${got##*"$secret"}"
}

verify() {
    kill -HUP "$first" || mismatch "the first stage is gone"
    printf 'delta\nend\n' >&3
    echo go >&5
    # nobody else would end the reads if a stage were gone
    (sleep "$patience"; yes 'nothing came' | head -n 9 >&4) &
    guard=$!
    expect "1 $secret 1 0 alpha"
    expect "2 $secret 2 0 beta"
    expect "3 $secret 3 0 gamma"
    expect "4 $secret 4 1 delta"
    expect "5 $secret first ends after 4"
    expect "second ends after 5"
    kill "$guard"
    wait "$job"
    status=$?
    [ "$status" = 5 ] || mismatch "the pipeline ended with $status"
    kill -TERM $$
    [ "$terms" = 1 ] || mismatch "TERM was trapped $terms times"
}

damage() {
    case $1 in
    killed) kill -KILL "$first" ;;
    restarted) kill -KILL "$first" "$second"; start_pipeline ;;
    stray) echo stray >&3 ;;
    secret) secret=0$secret ;;
    trap) trap '' TERM ;;
    umask) umask 022 ;;
    counter) ticks=$((ticks - 1)) ;;
    esac
}

answer() {
    read -r question <question || :
    mismatches=
    case $question in
    corrupt*) damage "${question#corrupt }" ;;
    check) verify ;;
    esac
    {
        printf '{"pid": %d, "remembered_pid": %d, "nonce": "%s", ' $$ "$self" "$nonce"
        printf '"ticks": %d, "chain": %u, "mismatches": [%s], ' "$ticks" "$chain" "$mismatches"
        printf '"first": %d, "second": %d, "job": %d, "umask": "%s"}\n' "$first" "$second" "$job" "$(umask)"
    } >report.json.new
    mv report.json.new report.json
}

case ${1-} in
first) be_first; exit ;;
second) be_second; exit ;;
esac

asked=
trap 'asked=yes' USR1
terms=0
trap 'terms=$((terms + 1))' TERM
umask 027
self=$$ ticks=1
nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
secret=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
chain=$(od -An -N8 -td8 /dev/urandom | tr -d ' ')
rm -f in out gate
mkfifo in out gate
exec 3<>in 4<>out 5<>gate
start_pipeline
: >ready
while :; do
    ticks=$((ticks + 1))
    chain=$((chain * 6364136223846793005 + 1442695040888963407))
    sleep 0.05 &
    wait $!
    [ -z "$asked" ] || { asked=; answer; }
done
