"""Temporal saliency rescaling of one 50 × 50 series: `sgt attribute` against the published loop over
attributions of one sample in PyTorch and Captum, same network, same values.

    python benches/peers/rescaling_speed.py [path/to/sgt] [samples]

Needs numpy, torch, captum and safetensors. Prints seconds a sample of both sides, their ratio and
the largest difference of the maps; exit code 1 when the maps differ.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from captum.attr import IntegratedGradients
from safetensors.torch import save_file

STEPS, CHANNELS, HIDDEN, CLASSES, POINTS = 50, 50, 5, 2, 50
QUANTILE, FLOOR = 0.55, 0.1
TOLERANCE = 1e-2


class SensorLstm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(CHANNELS, HIDDEN, batch_first=True)
        self.fc = torch.nn.Linear(HIDDEN, CLASSES)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


def minmax(values):
    span = values.max() - values.min()
    return (values - values.min()) / (span if span > 0 else 1)


def rescaled(method, x, label):
    """The published loop: one attribution after the other."""

    def attribute(x):
        values = method.attribute(x, baselines=torch.zeros_like(x), target=label, n_steps=POINTS)
        return values.detach()

    clean = attribute(x)
    time_relevance = torch.zeros(STEPS)
    for step in range(STEPS):
        without = x.clone()
        without[:, step] = 0
        time_relevance[step] = (clean - attribute(without)).abs().sum()
    time_relevance = minmax(time_relevance)
    threshold = torch.quantile(time_relevance, QUANTILE)
    result = torch.zeros(STEPS, CHANNELS)
    for step in range(STEPS):
        features = torch.full((CHANNELS,), FLOOR)
        if time_relevance[step] > threshold:
            for channel in range(CHANNELS):
                without = x.clone()
                without[:, step, channel] = 0
                features[channel] = (clean - attribute(without)).abs().sum()
            features = minmax(features)
        result[step] = time_relevance[step] * features
    return result


def main():
    sgt = sys.argv[1] if len(sys.argv) > 1 else "target/release/sgt"
    samples = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    torch.manual_seed(0)
    model = SensorLstm().eval()
    x = torch.randn(samples, STEPS, CHANNELS)
    labels = torch.arange(samples) % CLASSES
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "w.safetensors")
        np.save(folder / "x.npy", x.transpose(1, 2).contiguous().numpy())
        np.save(folder / "y.npy", labels.numpy())
        command = [sgt, "attribute", "--weights", "w.safetensors", "--model", "sensor-lstm"]
        command += ["--input", "x.npy", "--labels", "y.npy", "--method", "temporal-rescaling"]
        command += ["--steps", str(POINTS), "--output", "maps.npy"]
        command[0] = str(pathlib.Path(sgt).resolve())
        start = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        ours = (time.perf_counter() - start) / samples
        maps = np.load(folder / "maps.npy").transpose(0, 2, 1)
    method = IntegratedGradients(model)
    start = time.perf_counter()
    expected = [rescaled(method, x[i : i + 1], int(labels[i])).numpy() for i in range(samples)]
    theirs = (time.perf_counter() - start) / samples
    difference = np.abs(maps - np.stack(expected)).max()
    print(f"sgt attribute        {ours:8.3f} s a sample, start of the process included")
    print(f"loop over attributions {theirs:6.3f} s a sample, {torch.get_num_threads()} threads")
    print(f"ratio {theirs / ours:.1f}; largest difference of the maps {difference:.1e}")
    sys.exit(difference > TOLERANCE)


if __name__ == "__main__":
    main()
