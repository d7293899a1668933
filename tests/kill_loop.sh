#!/usr/bin/env bash
# Kills train, compare, sweep, evaluate and report again and again, and checks that what they leave is what
# an undisturbed run leaves, and that nothing half-written is taken for whole.
#
#   tests/kill_loop.sh SGT [KILLS]     the binary, and SIGKILLs in all [default: 50]
#
# Ends with the number of kills of each command; any difference is a failure.
set -euo pipefail

sgt=$(realpath "$1")
wanted=${2:-50}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

train=(train --epochs 40 --seed 5 --regime asgt --set training.batch=8
  --set training.checkpoint-seconds=0.01 --set data.validation=0.2)
compare=(compare --data basic-motions --epochs 40 --seeds 2 --regimes standard,asgt
  --set training.checkpoint-seconds=0.01 --samples 8)
sweep=(sweep --data basic-motions --epochs 30 --seeds 2 --regimes standard,asgt
  --grid lambda=0.5,1 --set training.checkpoint-seconds=0.01)
measured=(--extent quick --samples 8)
runs=(whole/standard-0 whole/standard-1 whole/asgt-0 whole/asgt-1)

# Numbers of a comparison without wall-clock times and folders.
numbers() { grep -v -e seconds -e folder "$1" | grep -v '^training seconds'; }

"$sgt" "${train[@]}" --out trained >/dev/null 2>&1
"$sgt" "${compare[@]}" --out whole >/dev/null 2>&1
"$sgt" "${sweep[@]}" --out tried >/dev/null 2>&1
"$sgt" report "${runs[@]}" "${measured[@]}" --out page >/dev/null 2>&1
"$sgt" evaluate "${runs[@]}" "${measured[@]}" >evaluated 2>/dev/null

kills=0
# Of each command, so that none takes all.
quota=$(((wanted + 4) / 5))
declare -A killed=([train]=0 [compare]=0 [sweep]=0 [evaluate]=0 [report]=0)

# kill_after SECONDS NAME COMMAND...: runs, kills after the time; true when it ended by itself.
kill_after() {
  local delay=$1 name=$2 pid code=0
  shift 2
  "$sgt" "$@" >"$name.out" 2>"$name.err" &
  pid=$!
  [ "${killed[$name]}" -ge $quota ] || sleep "$delay"
  if [ "${killed[$name]}" -lt $quota ] && kill -KILL "$pid" 2>/dev/null; then
    kills=$((kills + 1))
    killed[$name]=$((killed[$name] + 1))
  fi
  wait "$pid" 2>/dev/null || code=$?
  if [ $code != 0 ] && [ $code != 137 ]; then
    echo "FAILED $name ended with $code after $kills kills: $(cat "$name.err")"
    exit 1
  fi
  [ $code = 0 ]
}

delay() { awk -v kill="$1" -v base="$2" 'BEGIN { printf "%.3f", base * (1 + kill % 12) }'; }

failed() {
  echo "FAILED $1 after $kills kills"
  exit 1
}

while [ $kills -lt "$wanted" ]; do
  # Longer each time, so that it ends on the slowest machine, too.
  rm -rf run
  try=0
  until if [ -e run/config.toml ]; then
    kill_after "$(delay $try 0.05)" train train --resume run
  else
    kill_after "$(delay $try 0.05)" train "${train[@]}" --out run
  fi; do
    try=$((try + 1))
    [ $try -lt 200 ] || failed "train never ended"
  done
  for name in weights.safetensors metrics.csv; do
    cmp -s "trained/$name" "run/$name" || failed "train: $name differs"
  done

  rm -rf compared
  try=0
  until kill_after "$(delay $try 0.1)" compare "${compare[@]}" --out compared --resume; do
    try=$((try + 1))
    [ $try -lt 200 ] || failed "compare never ended"
  done
  for run in standard-0 standard-1 asgt-0 asgt-1; do
    cmp -s "whole/$run/weights.safetensors" "compared/$run/weights.safetensors" ||
      failed "compare: the weights of $run differ"
  done

  rm -rf swept
  try=0
  until kill_after "$(delay $try 0.1)" sweep "${sweep[@]}" --out swept --resume; do
    try=$((try + 1))
    [ $try -lt 200 ] || failed "sweep never ended"
  done
  # The folders are named otherwise, the numbers are the same.
  diff <(numbers tried/sweep.json) <(sed 's/swept/tried/' swept/sweep.json | grep -v seconds | grep -v folder) ||
    failed "sweep: other numbers"

  try=0
  until kill_after "$(delay $try 0.1)" evaluate evaluate "${runs[@]}" "${measured[@]}"; do
    try=$((try + 1))
    [ $try -lt 200 ] || failed "evaluate never ended"
  done
  diff <(numbers evaluated) <(numbers evaluate.out) || failed "evaluate: other numbers"

  rm -rf drawn
  try=0
  until kill_after "$(delay $try 0.1)" report report "${runs[@]}" "${measured[@]}" --out drawn --overwrite; do
    # Whole or not there.
    for file in drawn/*.json; do
      [ ! -e "$file" ] || python3 -m json.tool "$file" >/dev/null 2>&1 || failed "report: half of $file"
    done
    try=$((try + 1))
    [ $try -lt 200 ] || failed "report never ended"
  done
  diff <(numbers page/results.json) <(numbers drawn/results.json) || failed "report: other numbers"
done
echo "$kills kills (train ${killed[train]}, compare ${killed[compare]}, sweep ${killed[sweep]}, evaluate ${killed[evaluate]}," \
  "report ${killed[report]}): everything as without them"
