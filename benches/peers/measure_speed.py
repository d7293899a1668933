"""The torchattacks and Captum side of the measuring timings: one case, run again for every line.

Usage: measure_speed.py CASE THREADS, with CASE = pgd10 | ig50. The protocol is that of
train_speed.py. Both work on `mnist-cnn` with the golden weights and the first 256 test images:
SGT_GOLDEN names the folder of mnist-cnn.weights.safetensors, SGT_DATA that of mnist/.

Captum gets internal_batch_size 256: without it, it would hold all 12,800 images of the path.
"""

import gzip
import os
import pathlib
import resource
import sys
import time

import captum.attr
import numpy
import safetensors.torch
import torch
import torchattacks
from train_speed import MnistCnn

BATCH = 256
EPSILON = 0.1


def read_idx(name, header):
    folder = pathlib.Path(os.environ["SGT_DATA"]) / "mnist"
    with gzip.open(folder / f"{name}.gz") as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def main():
    torch.set_num_threads(int(sys.argv[2]))
    weights = pathlib.Path(os.environ["SGT_GOLDEN"]) / "mnist-cnn.weights.safetensors"
    model = MnistCnn()
    model.load_state_dict(safetensors.torch.load_file(weights))
    model.eval()
    images = read_idx("t10k-images-idx3-ubyte", 16)[: BATCH * 784].reshape(BATCH, 1, 28, 28)
    x = torch.tensor(images / 255.0, dtype=torch.float32)
    y = torch.tensor(read_idx("t10k-labels-idx1-ubyte", 8)[:BATCH], dtype=torch.int64)
    attack = torchattacks.PGD(
        model, eps=EPSILON, alpha=EPSILON / 4, steps=10, random_start=False
    )
    gradients = captum.attr.IntegratedGradients(model)
    zero = torch.zeros_like(x)

    def pgd10():
        attack(x, y)

    def ig50():
        gradients.attribute(x, zero, y, n_steps=50, internal_batch_size=BATCH)

    case = {"pgd10": pgd10, "ig50": ig50}[sys.argv[1]]
    for line in sys.stdin:
        if line.strip() == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
            continue
        start = time.perf_counter()
        case()
        print((time.perf_counter() - start) * 1e3, flush=True)


if __name__ == "__main__":
    main()
