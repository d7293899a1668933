"""Scores the maps of `sgt benchmark time-series --dump DIR` with scikit-learn, numpy and the
published programs' formulas, and compares with what `sgt benchmark time-series --score DIR --json`
says of the same files.

    sgt benchmark time-series --dump maps …
    sgt benchmark time-series --score maps --json > scores.json
    python benches/peers/score_known_truth.py maps scores.json

Needs numpy and scikit-learn 1.1 or newer. Exit code 1 when a score differs by more than 1e-6.
"""

import json
import pathlib
import sys

import numpy as np
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

TOLERANCE = 1e-6


def minmax(rows):
    low = rows.min(axis=1, keepdims=True)
    span = rows.max(axis=1, keepdims=True) - low
    return (rows - low) / np.where(span > 0, span, 1)


def areas(scores, truth):
    """AUP and AUR over thresholds, with the point of each threshold itself."""
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    if len(thresholds) < 2:
        return 0.0, 0.0
    return auc(thresholds, precision[:-1]), auc(thresholds, recall[:-1])


def weighted(scores, truth):
    """AUP, AUR and AUPR of the benchmark of Ismail et al. (2020), weighted by saliency."""
    shares = np.arange(1, 10) / 10
    precision, recall = np.zeros((2, 9)), np.zeros((2, 9))
    for row, true in zip(scores, truth):
        order = np.argsort(-row, kind="stable")
        mass = np.cumsum(row[order])
        hits = np.cumsum(row[order] * true[order])
        for place, share in enumerate(shares):
            count = min(np.searchsorted(mass, share * mass[-1]), len(row) - 1)
            if mass[count] > 0:
                precision[:, place] += hits[count] / mass[count], 1
            if row[true].sum() > 0:
                recall[:, place] += hits[count] / row[true].sum(), 1
    precision, recall = precision[0] / precision[1], recall[0] / recall[1]
    by_recall = np.argsort(recall, kind="stable")
    return (
        np.trapezoid(precision, shares),
        np.trapezoid(recall, shares),
        np.trapezoid(precision[by_recall], recall[by_recall]),
    )


def scores(maps, truth):
    maps = maps.reshape(len(maps), -1).astype(np.float64)
    truth = truth.reshape(len(truth), -1).astype(bool)
    scored = truth.any(axis=1)
    maps, truth = maps[scored], truth[scored]
    magnitudes, signed = minmax(np.abs(maps)), minmax(maps)
    rows = list(zip(magnitudes, signed, truth))
    aup, aur, aupr = weighted(magnitudes, truth)
    signed_areas = np.array([areas(row, true) for _, row, true in rows])
    pooled = areas(magnitudes.ravel(), truth.ravel())
    inside = magnitudes[truth]
    epsilon = 1e-5
    top = np.quantile(signed, 0.9, axis=1, keepdims=True) <= signed
    reference = truth.astype(float)
    overlap = np.minimum(reference, magnitudes).sum(1) / np.maximum(reference, magnitudes).sum(1)
    distance = np.linalg.norm(reference - magnitudes, axis=1) / np.linalg.norm(reference, axis=1)
    return {
        "samples": len(rows),
        "weighted.aup": aup,
        "weighted.aur": aur,
        "weighted.aupr": aupr,
        "average-precision": np.mean([average_precision_score(t, m) for m, _, t in rows]),
        "roc-area": np.mean([roc_auc_score(t, m) for m, _, t in rows]),
        "timex-average-precision": np.mean([average_precision_score(t, s) for _, s, t in rows]),
        "timex-aup": signed_areas[:, 0].mean(),
        "timex-aur": signed_areas[:, 1].mean(),
        "timex-overlap": ((top & truth).sum(1) / (top | truth).sum(1)).mean(),
        "dynamask-aup": pooled[0],
        "dynamask-aur": pooled[1],
        "information": -np.log2(1 - inside + epsilon).sum(),
        "entropy": -(
            inside * np.log2(inside + epsilon) + (1 - inside) * np.log2(1 - inside + epsilon)
        ).sum(),
        "weighted-jaccard": overlap.mean(),
        "euclid": distance.mean(),
    }


def found(entry, name):
    value = entry
    for key in name.split("."):
        value = value[key]
    return value["mean"] if isinstance(value, dict) else value


def main():
    folder, path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    entries = json.loads(path.read_text())
    worst = {}
    for entry in entries:
        archive = np.load(folder / pathlib.Path(entry["file"]).relative_to(folder))
        expected = scores(archive[f"map_{entry['method']}"], archive["truth"])
        for name, value in expected.items():
            difference = abs(found(entry["scores"], name) - value) / max(1, abs(value))
            if difference >= worst.get(name, (-1,))[0]:
                worst[name] = difference, entry["file"], entry["method"]
    print(f"{len(entries)} arrays of maps; largest difference, relative to 1 or the value:")
    for name, (difference, file, method) in worst.items():
        print(f"  {name:<26} {difference:.1e}  {file} {method}")
    sys.exit(any(difference > TOLERANCE for difference, *_ in worst.values()))


if __name__ == "__main__":
    main()
