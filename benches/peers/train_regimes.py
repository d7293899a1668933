"""One run of a regime on MNIST in PyTorch, measured as the results pages measure.

Usage: train_regimes.py REGIME SEED MNIST_DIR [WEIGHTS]
with REGIME = standard | sgt-signed | sgt-absolute (2 epochs) | adversarial | asgt (1 epoch), and
MNIST_DIR the folder of the four gzipped idx files. With WEIGHTS, a safetensors file of `sgt train`
is measured and nothing is trained.

Prints accuracy under PGD and the mean of ten accuracies with 0 to 90 % of the pixels set to 0, most
salient first (gradient of the predicted class), over the first 1,000 test images.
"""

import gzip
import pathlib
import sys

import torch
import torch.nn.functional as F
from train_speed import MnistCnn, mask_half

BATCH = 128
EPOCHS = {"standard": 2, "sgt-signed": 2, "sgt-absolute": 2, "adversarial": 1, "asgt": 1}
LEARNING_RATE = 1e-3
EPSILON, ALPHA, STEPS = 0.3, 0.1, 5
MEASURED = 1000
MEASURED_EPSILONS = (0.2, 0.3)
MEASURED_STEPS = 10


def idx(folder, name, header):
    bytes_ = gzip.open(pathlib.Path(folder) / f"{name}.gz").read()
    return torch.frombuffer(bytearray(bytes_), dtype=torch.uint8)[header:]


def read(folder, part):
    images = idx(folder, f"{part}-images-idx3-ubyte", 16).view(-1, 1, 28, 28).float() / 255
    return images, idx(folder, f"{part}-labels-idx1-ubyte", 8).long()


def pgd(model, x, y, epsilon, alpha, steps):
    model.eval()
    adversarial = (x + torch.empty_like(x).uniform_(-epsilon, epsilon)).clamp(0, 1)
    for _ in range(steps):
        adversarial.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(adversarial), y), adversarial)
        step = adversarial.detach() + alpha * gradient.sign()
        adversarial = (x + (step - x).clamp(-epsilon, epsilon)).clamp(0, 1)
    return adversarial.detach()


def saliency(model, x, score):
    model.eval()
    probe = x.clone().requires_grad_()
    return torch.autograd.grad(score(model(probe)).sum(), probe)[0]


def true_log_prob(y):
    return lambda logits: F.log_softmax(logits, 1).gather(1, y[:, None])


def divergence(p, q):
    """KL(p || q) of logits, mean over the batch; both sides have a gradient."""
    return F.kl_div(
        F.log_softmax(q, 1), F.log_softmax(p, 1), reduction="batchmean", log_target=True
    )


def loss(model, regime, x, y):
    guided = regime.startswith("sgt")
    attacked = regime in ("adversarial", "asgt")
    source = pgd(model, x, y, EPSILON, ALPHA, STEPS) if attacked else x
    if guided or regime == "asgt":
        gradient = saliency(model, source, true_log_prob(y))
        masked = mask_half(source, gradient.abs() if regime == "sgt-absolute" else gradient)
    model.train()
    clean = model(x)
    total = F.cross_entropy(clean, y)
    if attacked:
        total = total + F.cross_entropy(model(source), y)
    if guided:
        total = total + divergence(clean, model(masked))
    if regime == "asgt":
        total = total + divergence(model(masked), clean)
    return total


def train(model, regime, images, labels):
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    orders = [torch.randperm(len(labels)) for _ in range(EPOCHS[regime])]
    for order in orders:
        for batch in order.split(BATCH):
            value = loss(model, regime, images[batch], labels[batch])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def measure(model, x, y):
    print(f"clean {accuracy(model, x, y):.4f}")
    for epsilon in MEASURED_EPSILONS:
        attacked = pgd(model, x, y, epsilon, epsilon / 4, MEASURED_STEPS)
        print(f"pgd {epsilon} {accuracy(model, attacked, y):.4f}")
    gradient = saliency(model, x, lambda logits: logits.max(1).values)
    order = gradient.flatten(1).abs().argsort(1, descending=True)
    accuracies = []
    for tenth in range(10):
        removed = order[:, : order.shape[1] * tenth // 10]
        accuracies.append(accuracy(model, x.flatten(1).scatter(1, removed, 0.0).view_as(x), y))
    print(f"drop {sum(accuracies) / len(accuracies):.4f}")


def main():
    regime, seed, folder = sys.argv[1:4]
    torch.set_num_threads(2)
    torch.manual_seed(int(seed))
    model = MnistCnn()
    if len(sys.argv) > 4:
        from safetensors.torch import load_file

        model.load_state_dict(load_file(sys.argv[4]))
    else:
        train(model, regime, *read(folder, "train"))
    images, labels = read(folder, "t10k")
    measure(model, images[:MEASURED], labels[:MEASURED])


if __name__ == "__main__":
    main()
