"""The PyTorch side of the LSTM timings: one case, run again for every line read.

Usage: lstm_speed.py CASE THREADS, with CASE = forward | saliency | standard | sgt.
Protocol (the same for every peer): one line read = one repetition; its milliseconds are written.
The line `memory` asks for the peak resident memory in MiB instead.

Without arguments: median milliseconds of every case on 2 threads, as JSON.
"""

import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F

BATCH, STEPS, CHANNELS, HIDDEN, CLASSES = 64, 128, 9, 64, 6
REPETITIONS, WARM_UP, THREADS = 31, 5, 2


class SensorLstm(torch.nn.Module):
    """`sensor-lstm`: an LSTM and a linear layer on its last state."""

    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(CHANNELS, HIDDEN, batch_first=True)
        self.fc = torch.nn.Linear(HIDDEN, CLASSES)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


def mask_half(x, saliency):
    """Replaces the less salient half of the cells by uniform noise in each sample's range."""
    flat, scores = x.flatten(1), saliency.flatten(1)
    index = scores.topk(scores.shape[1] // 2, dim=1, largest=False, sorted=False).indices
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    noise = low + (high - low) * torch.rand(index.shape)
    return flat.scatter(1, index, noise).view_as(x)


def forward(model, optimizer, x, y):
    with torch.no_grad():
        model(x)


def saliency(model, optimizer, x, y):
    probe = x.clone().requires_grad_()
    score = model(probe).gather(1, y[:, None]).sum()
    return torch.autograd.grad(score, probe)[0]


def standard(model, optimizer, x, y):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def sgt(model, optimizer, x, y):
    masked = mask_half(x, saliency(model, optimizer, x, y))
    optimizer.zero_grad()
    clean, perturbed = model(x), model(masked)
    divergence = F.kl_div(
        F.log_softmax(perturbed, 1), F.log_softmax(clean, 1), reduction="batchmean", log_target=True
    )
    (F.cross_entropy(clean, y) + divergence).backward()
    optimizer.step()


CASES = {"forward": forward, "saliency": saliency, "standard": standard, "sgt": sgt}


def main():
    torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else THREADS)
    # Subnormal numbers would make gradients through many steps ten times as slow.
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    model = SensorLstm()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.rand(BATCH, STEPS, CHANNELS), torch.randint(CLASSES, (BATCH,))

    def milliseconds(case):
        start = time.perf_counter()
        case(model, optimizer, x, y)
        return (time.perf_counter() - start) * 1e3

    if len(sys.argv) == 1:
        medians = {}
        for name, case in CASES.items():
            times = [milliseconds(case) for _ in range(WARM_UP + REPETITIONS)]
            medians[name] = statistics.median(times[WARM_UP:])
        print(json.dumps(medians | {"threads": torch.get_num_threads(), "torch": torch.__version__}))
        return
    for line in sys.stdin:
        if line.strip() == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        else:
            print(milliseconds(CASES[sys.argv[1]]), flush=True)


if __name__ == "__main__":
    main()
