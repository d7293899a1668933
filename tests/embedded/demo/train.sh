#!/bin/sh
# Trains the demo's network and writes network/: two commands, the same bytes every time.
#   tests/embedded/demo/train.sh SGT [RUN]      SGT: the program; RUN: where the run goes
set -eu
sgt=$(realpath "$1")
cd "$(dirname "$0")"
run=${2-$(mktemp -d)/run}
"$sgt" train --data basic-motions --model wrist.toml --regime sgt --epochs 60 --seed 1 \
  --instructions plain --out "$run"
"$sgt" export "$run" --to firmware-rust network --quantize int8 --core ../../../../sgt-core --overwrite
