#!/usr/bin/env bash
# The commands of the README's section "Your own data", on a made recording: tests/own_data.sh SGT
set -euo pipefail
sgt=$(realpath "${1:?the binary}")
readme=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../README.md")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Four people who stand and walk in turn, at 50 Hz.
awk 'BEGIN {
  print "timestamp,ax,ay,az,person,label"
  split("ann bob cem dora", people, " ")
  srand(1)
  for (row = 0; row < 16000; row++) {
    walks = int(row / 250) % 2
    swing = walks * sin(row * 0.25)
    printf "%.2f,%.4f,%.4f,%.4f,%s,%s\n", row * 0.02, swing + rand() / 5, rand() / 5,
      1 + swing / 2 + rand() / 5, people[int(row / 4000) + 1], walks ? "walk" : "stand"
  }
}' > walk.csv

# The first block of commands after the section's title.
commands=$(awk '/^## Your own data/ { section = 1 } section && /^```/ { fence++; next } section && fence == 1' "$readme")
[ "$(grep -c '^sgt ' <<<"$commands")" -ge 6 ]
mkdir bin
ln -s "$sgt" bin/sgt
PATH=$folder/bin:$PATH bash -euc "$commands" > said.txt
grep -q '^- Accuracy:' said.txt
[ "$(wc -l < predictions.csv)" -gt 200 ]
[ -f walk-torch/network.py ]
echo "$(grep -c '^sgt ' <<<"$commands") commands of the README ran"
