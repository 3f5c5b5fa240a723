# Phases of a run, for `run` to source: each has a name, a limit and a log, and ends as a line of the table.

work=$(mktemp -d /tmp/ci-XXXX)
began=$SECONDS
mkdir "$work/logs"

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# phase NAME MINUTES COMMAND…: returns 0 whatever the command does, so that the lane goes on. What it said goes to a log, of
# which the closing lines are shown when it passed, and all of it when it did not.
phase() {
  local name=$1 minutes=$2 from=$SECONDS code=0 result=passed log
  shift 2
  log=$work/logs/$(tr -c '[:alnum:]\n' - <<<"$name").log
  echo "== $(clock $((from - began))) $name"
  timeout --kill-after=60 "${minutes}m" "$@" </dev/null >"$log" 2>&1 &
  echo $! >"$log.pid"
  wait $! || code=$?
  rm "$log.pid"
  ((code == 0)) || result="FAILED ($code)"
  ((SECONDS - from < minutes * 60)) || result="HUNG (over $minutes minutes)"
  printf '%s\t%s\t%s\n' "$name" $((SECONDS - from)) "$result" >>"$work/results"
  {
    printf '\n==== %s: %s after %s\n' "$name" "$result" "$(clock $((SECONDS - from)))"
    if ((code == 0)); then tail -n 25 "$log"; else cat "$log"; fi
  } >"$log.shown"
  flock "$work/results" cat "$log.shown"  # two lanes do not talk at once
}

# Ends the phases that are under way, with all that they started.
stop_phases() {
  local file
  for file in "$work"/logs/*.pid; do [[ -f $file ]] && kill "$(cat "$file")" 2>/dev/null; done
  return 0
}

all_passed() { [[ -s $work/results ]] && ! grep -qv $'\tpassed$' "$work/results"; }

table() {
  printf '\n%-62s %8s  %s\n' phase minutes result
  while IFS=$'\t' read -r name seconds result; do
    printf '%-62s %8s  %s\n' "$name" "$(clock "$seconds")" "$result"
  done <"$work/results"
  printf '%-62s %8s\n' "from beginning to end" "$(clock $((SECONDS - began)))"
}
