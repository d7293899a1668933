#!/usr/bin/env python3
"""Checks that PyTorch loads weights saved by sgt and gets the same logits.

    python3 tests/golden/check_weights_in_torch.py MODEL weights.safetensors x.npy logits.npy

MODEL is mnist-cnn, small-cnn, sensor-lstm or text-bilstm. The state dict must fit exactly
(`load_state_dict(strict=True)`); every size is taken from it. `x` is in input units and in the
model's memory order ([n, channels, height, width], [n, steps, channels] or [n, tokens, dim]);
the normalisation in the file's own metadata, if any, is applied first. Exits with 1 when the
logits differ by more than TOLERANCE, relative to the largest logit.

For maintainers; needs torch, safetensors and numpy.
"""

import json
import sys

import numpy as np
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

TOLERANCE = 1e-4


class Cnn(nn.Module):
    """conv 3×3, ReLU, conv 3×3, ReLU, max-pool 2, fc, ReLU, fc (dropout is off)."""

    def __init__(self, state):
        super().__init__()
        self.conv1 = conv(state["conv1.weight"])
        self.conv2 = conv(state["conv2.weight"])
        self.fc1 = linear(state["fc1.weight"])
        self.fc2 = linear(state["fc2.weight"])

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = F.max_pool2d(x, 2).flatten(1)
        return self.fc2(F.relu(self.fc1(x)))


class SensorLstm(nn.Module):
    """LSTM, last step, fc."""

    def __init__(self, state):
        super().__init__()
        self.lstm = lstm(state, bidirectional=False)
        self.fc = linear(state["fc.weight"])

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class TextBilstm(nn.Module):
    """BiLSTM over embedded tokens, [last forward, last backward], fc."""

    def __init__(self, state):
        super().__init__()
        self.lstm = lstm(state, bidirectional=True)
        self.fc = linear(state["fc.weight"])

    def forward(self, x):
        hidden = self.lstm(x)[1][0]
        return self.fc(torch.cat([hidden[0], hidden[1]], dim=1))


MODELS = {
    "mnist-cnn": Cnn,
    "small-cnn": Cnn,
    "sensor-lstm": SensorLstm,
    "text-bilstm": TextBilstm,
}


def conv(weight):
    return nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]))


def linear(weight):
    return nn.Linear(weight.shape[1], weight.shape[0])


def lstm(state, bidirectional):
    gates, inputs = state["lstm.weight_ih_l0"].shape
    return nn.LSTM(inputs, gates // 4, batch_first=True, bidirectional=bidirectional)


def normalise(x, metadata):
    if "sgt" not in metadata:
        return x
    own = json.loads(metadata["sgt"])
    mean = torch.tensor(own["normalization"]["mean"])
    deviation = torch.tensor(own["normalization"]["deviation"])
    shape = own["input"]
    if shape["kind"] == "series" and shape["order"] == "steps-first":
        return (x - mean) / deviation
    axes = [-1] + [1] * (x.dim() - 2)
    return (x - mean.view(axes)) / deviation.view(axes)


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in MODELS:
        sys.exit(__doc__)
    name, weights, x_path, logits_path = sys.argv[1:]
    with safe_open(weights, framework="pt") as file:
        metadata = file.metadata() or {}
        state = {key: file.get_tensor(key) for key in file.keys()}
    model = MODELS[name](state)
    model.load_state_dict(state, strict=True)
    model.eval()
    x = torch.from_numpy(np.load(x_path))
    logits = torch.from_numpy(np.load(logits_path))
    with torch.no_grad():
        expected = model(normalise(x, metadata))
    difference = (logits - expected).abs().max() / expected.abs().max()
    print(f"{name}: {tuple(x.shape)} -> {tuple(logits.shape)}, relative difference {difference:.2e}")
    if not difference <= TOLERANCE:
        sys.exit(1)


main()
