#!/bin/sh
# Trains, measures and writes benches/results/SET.md. Runs that are finished are kept, so an
# interrupted measurement goes on where it was.
#
# Usage: benches/results/measure.sh mnist|cifar10 DATA_DIR [RUNS_DIR]
#        SGT=path/to/sgt names another binary than target/release/sgt.
set -eu

set_name=${1:?"found no data set, expected mnist or cifar10"}
data=${2:?"found no folder of data, expected the folder of named data sets"}
runs=${3:-runs/results}/$set_name
here=$(dirname "$0")
sgt=${SGT:-target/release/sgt}

# What is trained and measured of each set.
case $set_name in
mnist)
    model=mnist-cnn
    clean_seeds="0 1 2 3 4"
    adversarial_seeds="0 1 2"
    clean_epochs=2
    adversarial_epochs=1
    attack="--set attack.epsilon=0.3 --set attack.alpha=0.1 --set attack.steps=5"
    epsilons=0.05,0.1,0.2,0.3
    samples=1000
    ;;
cifar10)
    model=cifar-cnn
    clean_seeds="0 1 2"
    adversarial_seeds="0 1"
    clean_epochs=6
    adversarial_epochs=6
    attack="--set attack.epsilon=0.03 --set attack.alpha=0.01 --set attack.steps=5"
    epsilons=0.01,0.02,0.03,0.05
    samples=500
    ;;
*)
    echo "$set_name: found no such set, expected mnist or cifar10" >&2
    exit 2
    ;;
esac

finished=""

# train NAME SEED SETTINGS…
train() {
    folder=$runs/$1-$2
    seed=$2
    shift 2
    finished="$finished $folder"
    [ -f "$folder/run.json" ] && return
    "$sgt" train --data "$set_name" --data-dir "$data" --model "$model" --seed "$seed" \
        --out "$folder" --overwrite "$@"
}

for seed in $clean_seeds; do
    train standard "$seed" --regime standard --epochs $clean_epochs
done
for seed in $clean_seeds; do
    train sgt-signed "$seed" --preset reference --epochs $clean_epochs
done
for seed in $clean_seeds; do
    train sgt-absolute "$seed" --preset reference --set masking.importance=absolute \
        --epochs $clean_epochs
done
for regime in adversarial asgt sga; do
    for seed in $adversarial_seeds; do
        # shellcheck disable=SC2086 # the attack's settings are several words
        train $regime "$seed" --regime $regime --set masking.score=true-log-prob $attack \
            --epochs $adversarial_epochs
    done
done

# shellcheck disable=SC2086 # a list of folders
"$sgt" report $finished --data-dir "$data" --samples $samples --eps $epsilons \
    --fills zero,uniform \
    --methods gradient,input-x-gradient,integrated-gradients,smoothgrad,gradient-shap,deeplift,random \
    --out "$runs/report"

for picture in robustness-pgd saliency-gradient; do
    cp "$runs/report/$picture.svg" "$here/$set_name-$picture.svg"
done
{
    sed '/^Mean ± /,$d' "$runs/report/results.md"
    echo "Made by \`benches/results/measure.sh $set_name DATA_DIR\`."
    echo
    echo "![Accuracy under PGD against its radius]($set_name-robustness-pgd.svg)"
    echo
    echo "![Gradient saliency of test samples under every regime]($set_name-saliency-gradient.svg)"
    echo
    sed -n '/^Mean ± /,$p' "$runs/report/results.md"
} >"$here/$set_name.md.new"
mv "$here/$set_name.md.new" "$here/$set_name.md"
