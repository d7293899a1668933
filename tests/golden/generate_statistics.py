"""Writes statistics.json: three made-up tables and what reference implementations say of them.

Each table is `values[regime][seed][sample]`. Of every pair of regimes: the paired t-test and its
interval over seeds (scipy), the same p-values after Holm's correction (statsmodels), and the
percentile interval, p-value and deviation of a bootstrap over samples and seeds (numpy; for one
seed scipy.stats.bootstrap). Of every regime of a table of zeros and ones: Wilson's interval
(scipy). Then one table of answers with its scores (scikit-learn). The bootstraps draw other numbers
than ours do, so that tests compare them within their own scatter; the rest agrees to rounding.
Run once by a maintainer: python3 generate_statistics.py
"""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn import metrics
from statsmodels.stats.multitest import multipletests

DRAWS = 20_000
LEVEL = 0.95


def shares(rng, rates, seeds, samples):
    """Right (1) or wrong (0), samples being easy or hard for every regime alike."""
    ease = rng.normal(0.0, 0.15, samples)
    chance = np.array(rates)[:, None, None] + ease + rng.normal(0.0, 0.02, (len(rates), seeds, 1))
    return (rng.random((len(rates), seeds, samples)) < chance).astype(float)


def bootstrap(differences, rng):
    """differences[seed][sample]: both drawn with replacement."""
    seeds, samples = differences.shape
    drawn = np.empty(DRAWS)
    for draw in range(DRAWS):
        rows = rng.integers(0, seeds, seeds)
        columns = rng.integers(0, samples, samples)
        drawn[draw] = differences[rows][:, columns].mean()
    low, high = np.percentile(drawn, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    if seeds == 1:
        found = stats.bootstrap(
            (differences[0],), np.mean, n_resamples=DRAWS, method="percentile", random_state=rng
        ).confidence_interval
        low, high = found.low, found.high
    side = min((1 + (drawn <= 0).sum()) / (1 + DRAWS), (1 + (drawn >= 0).sum()) / (1 + DRAWS))
    return {
        "low": float(low),
        "high": float(high),
        "p": float(min(1.0, 2 * side)),
        "deviation": float(differences.mean(axis=0).std(ddof=1)),
    }


def table(values, rng):
    seeds = values.shape[1]
    means = values.mean(axis=2)
    pairs = []
    for other, regime in combinations(range(len(values)), 2):
        pair = {"regime": regime, "other": other}
        pair["difference"] = float((means[regime] - means[other]).mean())
        if seeds > 1:
            found = stats.ttest_rel(means[regime], means[other])
            interval = found.confidence_interval(LEVEL)
            pair["seeds"] = {"low": interval.low, "high": interval.high, "p": found.pvalue}
        pair["samples"] = bootstrap(values[regime] - values[other], rng)
        pairs.append(pair)
    if seeds > 1:
        p_values = [pair["seeds"]["p"] for pair in pairs]
        for pair, p_value in zip(pairs, multipletests(p_values, method="holm")[1]):
            pair["seeds"]["holm"] = float(p_value)
    wilson = []
    samples = values.shape[2]
    if set(np.unique(values)) <= {0.0, 1.0} and seeds == 1:
        for right in values.sum(axis=2)[:, 0]:
            found = stats.binomtest(int(right), samples).proportion_ci(LEVEL, method="wilson")
            wilson.append([found.low, found.high])
    return {
        "values": np.round(values, 6).tolist(),
        "means": [float(mean) for mean in means.mean(axis=1)],
        "deviations": [float(d) for d in means.std(axis=1, ddof=1)] if seeds > 1 else [],
        "pairs": pairs,
        "wilson": wilson,
    }


def answers(rng):
    labels = rng.choice(4, 90, p=[0.6, 0.25, 0.1, 0.05])
    predicted = np.where(rng.random(90) < 0.7, labels, rng.choice(3, 90))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(4), zero_division=0.0
    )
    return {
        "labels": labels.tolist(),
        "predicted": predicted.tolist(),
        "confusion": metrics.confusion_matrix(labels, predicted, labels=range(4)).tolist(),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": float(f1.mean()),
        "majority_baseline": float(np.bincount(labels).max() / len(labels)),
    }


def main():
    rng = np.random.default_rng(7)
    tables = {
        "shares of five seeds": shares(rng, [0.9, 0.75, 0.7], 5, 60),
        "numbers of three seeds": rng.normal([[[0.2]], [[0.25]], [[0.2]], [[0.6]]], 0.2, (4, 3, 40)),
        "shares of one seed": shares(rng, [0.85, 0.7], 1, 80),
    }
    tables = {name: np.round(values, 6) for name, values in tables.items()}
    found = {name: table(values, rng) for name, values in tables.items()}
    document = {"tables": found, "answers": answers(rng)}
    path = Path(__file__).with_name("statistics.json")
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
