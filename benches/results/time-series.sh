#!/bin/sh
# Trains, maps and scores, and writes benches/results/time-series.md. Cells that are finished are
# kept, so an interrupted measurement goes on where it was.
#
# Usage: benches/results/time-series.sh [RUNS_DIR [PART...]]
#        parts: boxes (within an hour on two cores), recurrent, shapes (some hours) [default: all]
#        SGT=path/to/sgt names another binary than target/release/sgt.
set -eu

runs=${1:-runs/results}/time-series
[ $# -eq 0 ] || shift
parts=${*:-boxes recurrent shapes}
here=$(dirname "$0")
sgt=${SGT:-target/release/sgt}

# Ten boxes in three processes, as the benchmark of 2020 is printed: training ends at 99 %.
boxes() {
    "$sgt" benchmark time-series --seeds 3 --out "$runs/boxes" \
        --sets '*-gaussian,*-autoregressive,*-narma' \
        --models lstm,input-cell-lstm,tcn,transformer \
        --regimes standard,sgt,sgt-time-rescaled \
        --methods gradient,integrated-gradients,smoothgrad,deeplift,gradient-shap,random \
        --epochs 40 --points 10 >/dev/null
}

# What gives early steps their saliency back: readouts, starts and masks of a recurrent network that
# is trained to the end.
recurrent() {
    "$sgt" benchmark time-series --seeds 3 --out "$runs/recurrent" \
        --sets '*-gaussian' \
        --models lstm,lstm-mean,lstm-max,lstm-attention,lstm-forget-bias,lstm-chrono \
        --regimes standard,sgt,sgt-per-step,sgt-integrated,sgt-time-rescaled \
        --methods gradient,integrated-gradients,random \
        --enough 2 --epochs 40 --points 10 >/dev/null
}

# The sets that TimeX is printed on, five draws each, with predictors of about those sizes.
shapes() {
    "$sgt" benchmark time-series --seeds 5 --out "$runs/shapes" \
        --sets 'freq-shapes,seqcomb-uv,seqcomb-mv,lowvar' \
        --models 'lstm?hidden=32,lstm-attention?hidden=32,tcn?hidden=16x16x16x32,transformer?hidden=2x4x64,cnn' \
        --regimes standard,sgt,sgt-time-rescaled \
        --methods gradient,integrated-gradients,random \
        --epochs 60 >/dev/null
}

for part in $parts; do "$part"; done
{
    echo "# Maps against a known truth"
    for part in boxes recurrent shapes; do
        [ -e "$runs/$part/time-series.md" ] || continue
        printf '\n# %s\n' "$part"
        tail -n +2 "$runs/$part/time-series.md"
    done
} >"$here/time-series.md"
