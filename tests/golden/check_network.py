"""Checks network.py against PyTorch's own modules and against explicit loops.

For maintainers: `pip install torch numpy safetensors`, then
`python tests/golden/check_network.py`, which prints the largest difference of every check, in
float64. It exits with 1 where one is above TOLERANCE. The last check reads networks.safetensors.
"""

import json
import math
import pathlib
import sys
import warnings

import torch
from safetensors import safe_open
from torch import nn

from network import Network

TOLERANCE = 1e-12
# The logits are stored in float32.
STORED = 1e-6


def network(steps, channels, *layers):
    source = {"kind": "series", "steps": steps, "channels": channels, "order": "steps-first"}
    built = Network({"name": "check", "input": source, "layers": list(layers)}).double()
    for value in built.parameters():
        nn.init.uniform_(value, -0.7, 0.7)
    return built


FLATTEN = {"kind": "flatten", "order": "channels-last"}


def encoder_layers():
    """Residuals of attention and feed-forward against nn.TransformerEncoderLayer."""
    norms = [{"kind": "layer-norm", "name": f"norm{i}"} for i in (1, 2)]
    feed_forward = [
        {"kind": "linear", "name": "linear1", "outputs": 7},
        {"kind": "gelu"},
        {"kind": "linear", "name": "linear2", "outputs": 6},
    ]
    x = torch.randn(3, 5, 6, dtype=torch.float64)
    for first in (True, False):
        for causal in (False, True):
            attend = {"kind": "self-attention", "name": "self_attn", "heads": 3, "causal": causal}
            pairs = [(norms[0], [attend]), (norms[1], feed_forward)]
            layers = []
            for norm, body in pairs:
                body = [norm, *body] if first else body
                layers.append({"kind": "residual", "body": body})
                layers += [] if first else [norm]
            ours = network(5, 6, *layers, FLATTEN)
            theirs = nn.TransformerEncoderLayer(
                6, 3, 7, dropout=0.0, activation="gelu", batch_first=True, norm_first=first
            ).double()
            theirs.load_state_dict(ours.state_dict(), strict=True)
            mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=x.dtype)
            expected = theirs(x, mask if causal else None).flatten(1)
            yield f"encoder layer, norm first {first}, causal {causal}", ours(x), expected


def separate_attention():
    packed = {"kind": "self-attention", "name": "attn", "heads": 2, "causal": True}
    ours = network(5, 4, {**packed, "projections": "separate"}, FLATTEN)
    theirs = network(5, 4, packed, FLATTEN)
    state = ours.state_dict()
    for kind in ("weight", "bias"):
        joined = torch.cat([state[f"attn.{part}_linear.{kind}"] for part in "qkv"])
        state[f"attn.in_proj_{kind}"] = joined
        state[f"attn.out_proj.{kind}"] = state[f"attn.out.{kind}"]
    theirs.load_state_dict({name: state[name] for name in theirs.state_dict()}, strict=True)
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    yield "separate attention", ours(x), theirs(x)


def convolutions():
    """Against nn.Conv1d and nn.Conv2d with the paddings' own names and PyTorch's weight norm."""
    x = torch.randn(2, 9, 4, dtype=torch.float64)
    for kernel, dilation in ((3, 1), (4, 1), (4, 3), (5, 2)):
        fields = {"channels": 6, "kernel": kernel, "dilation": dilation, "groups": 2}
        fields |= {"padding": "same", "weight-norm": True}
        conv = {"kind": "convolution", "name": "conv", **fields}
        ours = network(9, 4, conv, FLATTEN)
        theirs = nn.Conv1d(4, 6, kernel, dilation=dilation, groups=2, padding="same").double()
        with warnings.catch_warnings():
            # PyTorch has another form of weight norm besides.
            warnings.simplefilter("ignore")
            theirs = nn.ModuleDict({"conv": nn.utils.weight_norm(theirs)})
        theirs.load_state_dict(ours.state_dict(), strict=True)
        expected = theirs["conv"](x.transpose(1, 2)).transpose(1, 2).flatten(1)
        yield f"convolution of kernel {kernel}, dilation {dilation}", ours(x), expected
    source = {"kind": "image", "channels": 2, "height": 6, "width": 7}
    fields = {"kernel": [2, 3], "stride": [2, 1], "padding": [1, 2], "dilation": [3, 2]}
    conv = {"kind": "convolution", "name": "conv", "channels": 3, **fields}
    ours = Network({"input": source, "layers": [conv, {"kind": "flatten"}]}).double()
    pairs = {name: tuple(pair) for name, pair in fields.items() if name != "kernel"}
    theirs = nn.ModuleDict({"conv": nn.Conv2d(2, 3, (2, 3), **pairs)}).double()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(2, 2, 6, 7, dtype=torch.float64)
    yield "convolution of pairs", ours(x), theirs["conv"](x).flatten(1)


def cell(gates, c):
    """One step of an LSTM, from the gates' sums."""
    i, f, g, o = gates.chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def lstms():
    """Every direction's states step by step, one sample and layer at a time."""
    batch, steps, hidden, count = 2, 5, 3, 2
    x = torch.randn(batch, steps, 4, dtype=torch.float64)
    directions = {"forward": [""], "reverse": ["_reverse"], "both": ["", "_reverse"]}
    for direction, suffixes in directions.items():
        lstm = {"kind": "lstm", "name": "rnn", "hidden": hidden, "layers": count}
        lstm |= {"direction": direction, "readout": "all"}
        ours = network(steps, 4, lstm, FLATTEN)
        state = ours.state_dict()
        expected = []
        for sample in x:
            values = list(sample)
            for index in range(count):
                outputs = [torch.zeros(0, dtype=x.dtype)] * steps
                for suffix in suffixes:
                    w, u, b, d = (
                        state[f"rnn.{name}_l{index}{suffix}"]
                        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                    )
                    h = c = torch.zeros(hidden, dtype=x.dtype)
                    for t in reversed(range(steps)) if suffix else range(steps):
                        h, c = cell(w @ values[t] + b + u @ h + d, c)
                        outputs[t] = torch.cat([outputs[t], h])
                values = outputs
            expected.append(torch.cat(values))
        yield f"LSTM, {direction}", ours(x), torch.stack(expected)


def input_cell_lstm():
    batch, steps, features, hops, width, hidden = 2, 5, 3, 4, 6, 2
    layer = {"kind": "input-cell-lstm", "name": "rnn", "hidden": hidden, "hops": hops}
    ours = network(steps, features, {**layer, "attention-width": width, "readout": "all"}, FLATTEN)
    p = {name.removeprefix("rnn."): value for name, value in ours.state_dict().items()}
    x = torch.randn(batch, steps, features, dtype=torch.float64)
    expected = []
    for sample in x:
        h = c = torch.zeros(hidden, dtype=x.dtype)
        for t in range(steps):
            mean = torch.zeros(features, dtype=x.dtype)
            for hop in range(hops):
                scores = []
                for s in range(t + 1):
                    first = p["linear_first.weight"] @ sample[s] + p["linear_first.bias"]
                    second = p["linear_second.weight"][hop] @ torch.tanh(first)
                    scores.append(second + p["linear_second.bias"][hop])
                total = sum(math.exp(score) for score in scores)
                for s in range(t + 1):
                    mean += math.exp(scores[s]) / total * sample[s] / hops
            h, c = cell(mean @ p["weight_iBarh"] + h @ p["weight_hh"] + p["bias"], c)
            expected.append(h)
    yield "input-cell LSTM", ours(x), torch.cat(expected).reshape(batch, -1)


def lengths():
    """Every stored sample without its padding, in a network of as many steps, alone."""
    path = pathlib.Path(__file__).with_name("networks.safetensors")
    with safe_open(path, "pt") as file:
        for name, case in json.loads(file.metadata()["cases"]).items():
            description, real = case["description"], case["lengths"]
            if real is None or any(one["kind"] == "flatten" for one in description["layers"]):
                continue
            x, logits = file.get_tensor(f"{name}/x"), file.get_tensor(f"{name}/logits")
            first = description["input"].get("order") == "channels-first"
            prefix = f"{name}/parameter/"
            names = [key for key in file.keys() if key.startswith(prefix)]
            state = {key.removeprefix(prefix): file.get_tensor(key) for key in names}
            found = []
            for sample, steps in zip(x, real):
                source = dict(description["input"])
                source["tokens" if source["kind"] == "tokens" else "steps"] = steps
                alone = Network({**description, "input": source}).double()
                alone.load_state_dict(state, strict=True)
                sample = sample[:, :steps] if first else sample[:steps]
                found.append(alone.eval()(sample[None].double())[0])
            dx = file.get_tensor(f"{name}/dx")
            dx = dx.transpose(1, 2) if first else dx
            padding = [row[steps:].flatten() for row, steps in zip(dx, real)]
            yield f"{name}: gradient of the padding", torch.cat(padding), 0 * torch.cat(padding)
            yield f"{name}: logits without padding", torch.stack(found), logits


def main():
    torch.manual_seed(0)
    worst = 0.0
    checks = (encoder_layers, separate_attention, convolutions, lstms, input_cell_lstm, lengths)
    for check in checks:
        for name, found, expected in check():
            difference = (found - expected).abs().max().item()
            worst = max(worst, difference / (STORED if check is lengths else TOLERANCE))
            print(f"{name}: {difference:.1e}")
    sys.exit(worst > 1)


if __name__ == "__main__":
    main()
