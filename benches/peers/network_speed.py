"""The PyTorch side of the timings of sensor-cnn, tcn, transformer and text-bilstm.

Usage: network_speed.py MODEL CASE THREADS, with CASE = forward | saliency | standard | sgt.
The protocol is that of lstm_speed.py. Every network is written as PyTorch's users write it: its own
convolutions, LSTM and encoder layers (with the fused attention that it chooses itself).
"""

import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from lstm_speed import forward, mask_half, saliency, standard

CLASSES = {"sensor-cnn": 6, "tcn": 2, "transformer": 2, "text-bilstm": 2}
# Batch, steps, channels; the batch is read as [batch, steps, channels] where not said otherwise.
SIZES = {
    "sensor-cnn": (64, 128, 9),
    "tcn": (64, 50, 50),
    "transformer": (64, 50, 50),
    "text-bilstm": (32, 200, 50),
}
DROPOUT = 0.1


class SensorCnn(nn.Sequential):
    """Three convolutions over time, the mean over time, a linear layer; reads [batch, 9, 128]."""

    def __init__(self):
        layers = []
        for inputs, outputs in [(9, 32), (32, 64), (64, 64)]:
            layers += [nn.Conv1d(inputs, outputs, 5, padding=2), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 6))


class TcnBlock(nn.Module):
    def __init__(self, inputs, outputs, dilation):
        super().__init__()
        self.padding = 3 * dilation
        convolution = lambda inputs: nn.utils.parametrizations.weight_norm(
            nn.Conv1d(inputs, outputs, 4, dilation=dilation)
        )
        self.conv1, self.conv2 = convolution(inputs), convolution(outputs)
        self.downsample = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x):
        out = x
        for conv in (self.conv1, self.conv2):
            out = self.dropout(F.relu(conv(F.pad(out, (self.padding, 0)))))
        return F.relu(out + self.downsample(x))


class Tcn(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [50, 5, 5, 50]
        blocks = [TcnBlock(widths[b], widths[b + 1], 2**b) for b in range(3)]
        self.network = nn.Sequential(*blocks)
        self.fc = nn.Linear(50, 2)

    def forward(self, x):
        return self.fc(self.network(x.transpose(1, 2)).amax(2))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            50, 5, 400, DROPOUT, batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(50)
        self.encoder = nn.TransformerEncoder(layer, 6, norm, enable_nested_tensor=False)
        self.out = nn.Linear(50, 2)
        self.register_buffer("positions", torch.rand(50, 50))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(50))

    def forward(self, x):
        x = F.dropout(x * 50**0.5 + self.positions, DROPOUT, self.training)
        return self.out(self.encoder(x, mask=self.mask, is_causal=True).amax(1))


class TextBilstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(50, 64, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(128, 2)

    def forward(self, x):
        states = self.lstm(x)[1][0]
        return self.fc(torch.cat([states[0], states[1]], 1))


MODELS = {
    "sensor-cnn": SensorCnn,
    "tcn": Tcn,
    "transformer": Transformer,
    "text-bilstm": TextBilstm,
}


def mask_half_of_tokens(x, scores):
    """Replaces the less salient half of the tokens by uniform noise in each sample's range."""
    batch, tokens, dim = x.shape
    index = scores.sum(2).topk(tokens // 2, dim=1, largest=False, sorted=False).indices
    low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    noise = low + (high - low) * torch.rand(batch, tokens // 2, dim)
    return x.scatter(1, index[:, :, None].expand(-1, -1, dim), noise)


def sgt(mask):
    def step(model, optimizer, x, y):
        model.eval()
        scores = saliency(model, optimizer, x, y)
        model.train()
        masked = mask(x, scores)
        optimizer.zero_grad()
        clean, perturbed = model(x), model(masked)
        divergence = F.kl_div(
            F.log_softmax(perturbed, 1),
            F.log_softmax(clean, 1),
            reduction="batchmean",
            log_target=True,
        )
        (F.cross_entropy(clean, y) + divergence).backward()
        optimizer.step()

    return step


def main():
    name, case = sys.argv[1:3]
    torch.set_num_threads(int(sys.argv[3]))
    # Subnormal numbers would make gradients through many steps ten times as slow.
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    model = MODELS[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch, steps, channels = SIZES[name]
    x, y = torch.rand(batch, steps, channels), torch.randint(CLASSES[name], (batch,))
    if name == "sensor-cnn":
        x = x.transpose(1, 2).contiguous()
    cases = {
        "forward": forward,
        "saliency": saliency,
        "standard": standard,
        "sgt": sgt(mask_half_of_tokens if name == "text-bilstm" else mask_half),
    }
    model.train(case in ("standard", "sgt"))
    for line in sys.stdin:
        if line.strip() == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
            continue
        start = time.perf_counter()
        cases[case](model, optimizer, x, y)
        print((time.perf_counter() - start) * 1e3, flush=True)


if __name__ == "__main__":
    main()
