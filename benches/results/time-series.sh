#!/bin/sh
# Trains, maps and scores, and writes benches/results/time-series.md. Cells that are finished are
# kept, so an interrupted measurement goes on where it was.
#
# Usage: benches/results/time-series.sh [RUNS_DIR]
#        SGT=path/to/sgt names another binary than target/release/sgt; SEEDS=N other than 3 seeds.
set -eu

runs=${1:-runs/results}/time-series
here=$(dirname "$0")
sgt=${SGT:-target/release/sgt}
seeds=${SEEDS:-3}

# Boxes in three processes, as the benchmark of 2020 is printed.
"$sgt" benchmark time-series --seeds "$seeds" --out "$runs/boxes" \
    --sets '*-gaussian,*-autoregressive,*-narma' \
    --models lstm,lstm-max,input-cell-lstm,tcn,transformer \
    --regimes standard,sgt,sgt-per-step,sgt-time-rescaled \
    --methods gradient,integrated-gradients,smoothgrad,deeplift,gradient-shap,random \
    --enough 2 --epochs 40 --points 10 >/dev/null

# The sets that TimeX is printed on.
"$sgt" benchmark time-series --seeds "$seeds" --out "$runs/shapes" \
    --sets 'freq-shapes,seqcomb-uv,seqcomb-mv,lowvar' \
    --models 'lstm?hidden=64,lstm-max?hidden=64,tcn?hidden=16x16x16x32,transformer,cnn' \
    --regimes standard,sgt,sgt-per-step,sgt-time-rescaled \
    --methods gradient,integrated-gradients,random \
    --epochs 100 >/dev/null

{
    echo "# Maps against a known truth"
    for part in boxes shapes; do
        printf '\n# %s\n' "$part"
        tail -n +2 "$runs/$part/time-series.md"
    done
} >"$here/time-series.md"
