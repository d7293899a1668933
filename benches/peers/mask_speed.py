"""Masking speed: this project's core on one thread against PyTorch on two.

Both mask half of the features of every sample of a batch of standard normal values with values
uniform in the sample's [min, max]. PyTorch's side is fully vectorised: topk, scatter, rand.
The two run in turns in one process tree; medians of all rounds are compared.

    python benches/peers/mask_speed.py [--rounds 7]

Needs a Python with torch (`python -m venv .venv && .venv/bin/pip install torch`) and cargo.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import torch

BATCH = 128
SIZES = [64, 784, 1152, 3072, 12288]
ROOT = pathlib.Path(__file__).resolve().parents[2]


def mask_batch(gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    k = x.shape[1] // 2
    lowest = gradient.topk(k, dim=1, largest=False, sorted=False).indices
    low, high = x.aminmax(dim=1, keepdim=True)
    fill = low + torch.rand(x.shape[0], k) * (high - low)
    return x.scatter(1, lowest, fill)


def time_torch(features: int, repeats: int = 40) -> float:
    gradient, x = torch.randn(BATCH, features), torch.randn(BATCH, features)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        mask_batch(gradient, x)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def time_rust() -> dict[str, float]:
    sizes = [str(size) for size in SIZES]
    command = ["cargo", "bench", "-q", "--bench", "mask_timing", "--", str(BATCH), *sizes]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {size: value * 1e-9 for size, value in json.loads(out).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(2)
    ours = {size: [] for size in SIZES}
    theirs = {size: [] for size in SIZES}
    time_rust()  # compiles
    for _ in range(rounds):
        for size, seconds in time_rust().items():
            ours[int(size)].append(seconds)
        for size in SIZES:
            theirs[size].append(time_torch(size))
    print(f"torch {torch.__version__}, 2 threads; sgt-core, 1 thread; batch {BATCH}")
    print("| features | sgt-core | PyTorch | ratio |")
    print("| ---: | ---: | ---: | ---: |")
    for size in SIZES:
        a, b = statistics.median(ours[size]), statistics.median(theirs[size])
        print(f"| {size} | {a * 1e6:.0f} us | {b * 1e6:.0f} us | {b / a:.1f}x |")
    growth = statistics.median(ours[12288]) / statistics.median(ours[3072])
    print(f"growth from 3,072 to 12,288 features: {growth:.2f}x")


if __name__ == "__main__":
    main()
