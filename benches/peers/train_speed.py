"""The PyTorch side of the CNN timings: one case, run again for every line read.

Usage: train_speed.py CASE THREADS, with CASE = forward | standard | sgt | pgd7.
Protocol (the same for every peer): one line read = one repetition; its milliseconds are written.
The line `memory` asks for the peak resident memory in MiB instead.
"""

import resource
import sys
import time

import torch
import torch.nn.functional as F

BATCH = 128
PGD_STEPS = 7
EPSILON = 0.3
ALPHA = 0.1


class MnistCnn(torch.nn.Module):
    """The network of the published code: `mnist-cnn`."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 32, 3)
        self.conv2 = torch.nn.Conv2d(32, 64, 3)
        self.dropout1 = torch.nn.Dropout(0.25)
        self.dropout2 = torch.nn.Dropout(0.5)
        self.fc1 = torch.nn.Linear(9216, 128)
        self.fc2 = torch.nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout1(torch.flatten(x, 1))
        x = self.dropout2(F.relu(self.fc1(x)))
        return self.fc2(x)


def mask_half(x, saliency):
    """Replaces the less salient half of the pixels by uniform noise in each image's range."""
    flat, scores = x.flatten(1), saliency.flatten(1)
    index = scores.topk(scores.shape[1] // 2, dim=1, largest=False, sorted=False).indices
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    noise = low + (high - low) * torch.rand(index.shape)
    return flat.scatter(1, index, noise).view_as(x)


def forward(model, optimizer, x, y):
    model.eval()
    with torch.no_grad():
        model(x)


def standard(model, optimizer, x, y):
    model.train()
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def sgt(model, optimizer, x, y):
    model.eval()
    probe = x.clone().requires_grad_()
    score = model(probe).gather(1, y[:, None]).sum()
    (saliency,) = torch.autograd.grad(score, probe)
    masked = mask_half(x, saliency)
    model.train()
    optimizer.zero_grad()
    clean, perturbed = model(x), model(masked)
    divergence = F.kl_div(
        F.log_softmax(perturbed, 1), F.log_softmax(clean, 1), reduction="batchmean", log_target=True
    )
    (F.cross_entropy(clean, y) + divergence).backward()
    optimizer.step()


def pgd7(model, optimizer, x, y):
    model.eval()
    adversarial = x.clone()
    for _ in range(PGD_STEPS):
        adversarial.requires_grad_()
        loss = F.cross_entropy(model(adversarial), y)
        (gradient,) = torch.autograd.grad(loss, adversarial)
        step = adversarial.detach() + ALPHA * gradient.sign()
        adversarial = torch.clamp(x + torch.clamp(step - x, -EPSILON, EPSILON), 0, 1)


def main():
    case = {"forward": forward, "standard": standard, "sgt": sgt, "pgd7": pgd7}[sys.argv[1]]
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(0)
    model = MnistCnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.rand(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    for line in sys.stdin:
        if line.strip() == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
            continue
        start = time.perf_counter()
        case(model, optimizer, x, y)
        print((time.perf_counter() - start) * 1e3, flush=True)


if __name__ == "__main__":
    main()
