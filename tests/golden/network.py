"""The PyTorch module of a network description.

`Network(description)` takes the description as a dictionary, the JSON of a weights file's header,
and has a state dict of exactly the weights file's names, so `load_state_dict(strict=True)` fits.

    network = Network(description)
    logits = network(x, lengths)      # x in the memory order that description["input"] names

Every layer is PyTorch's own operation or the formula written out. Between layers a vector is
[batch, features], a series [batch, steps, channels] and an image [batch, channels, height, width].
`lengths` [batch] are the real steps of the samples; they matter where `skip-padding` is true.

The benchmark's networks (Ismail et al. 2020, "Benchmarking Deep Learning Interpretability in Time
Series Predictions") in these layers, with the names of its modules:

input-cell LSTM     dropout; input-cell-lstm `rnn`, readout last; dropout; linear `fc`.
TCN                 one block b with dilation 2^b: residual, then relu, with
                        body      convolution `tcn.network.B.conv1` (causal: the padding on both
                                  sides and the chomp), relu, dropout,
                                  convolution `tcn.network.B.conv2`, relu, dropout
                        shortcut  convolution `tcn.network.B.downsample` of kernel 1 where the
                                  widths differ, else nothing
                    then global-max-pool (its pool over all steps); linear `fc`.
transformer         positional-encoding, scaled and published; dropout; one layer L two residuals:
                        body      layer-norm `encoder.layers.L.norm_1` (unbiased),
                                  self-attention `encoder.layers.L.attn` (causal, separate), dropout
                        body      layer-norm `encoder.layers.L.norm_2` (unbiased),
                                  linear `encoder.layers.L.ff.linear_1`, relu, dropout,
                                  linear `encoder.layers.L.ff.linear_2`, dropout
                    then layer-norm `encoder.norm` (unbiased); global-max-pool; linear `out`.

The benchmark's softmax behind the last linear layer belongs to the loss here.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Vector(NamedTuple):
    features: int

    @property
    def channels(self):
        return self.features


class Series(NamedTuple):
    steps: int
    channels: int


class Image(NamedTuple):
    channels: int
    height: int
    width: int


class Network(nn.Module):
    """The module of a description; `classes` is the number of its logits."""

    def __init__(self, description):
        super().__init__()
        source = description["input"]
        self._channels_first = source.get("order") == "channels-first"
        self._skip_padding = description.get("skip-padding", False)
        self._embedding = None
        layers = list(description["layers"])
        shape = INPUTS[source["kind"]](source)
        if layers and layers[0]["kind"] == "embedding":
            table = layers.pop(0)
            if source["kind"] != "tokens" or table["dim"] != source["dim"]:
                raise ValueError(f"an embedding of {table['dim']} for {source}")
            self._embedding = table["name"]
            self._register(self._embedding, nn.Embedding(table["vocabulary"], table["dim"]))
        self._sequence, shape = self._build(layers, shape)
        if not isinstance(shape, Vector):
            raise ValueError(f"the network ends in {shape}, not in a vector of logits")
        self.classes = shape.features

    def embed(self, ids):
        """The vectors [batch, tokens, dim] of token numbers [batch, tokens]."""
        return self.get_submodule(self._embedding)(ids)

    def forward(self, x, lengths=None):
        if self._channels_first:
            x = x.transpose(1, 2)
        return run(self._sequence, x, lengths if self._skip_padding else None)

    def _build(self, layers, shape):
        """The modules of `layers` on an input of `shape`, in order, and their output's shape."""
        modules = []
        for layer in layers:
            fields = {key.replace("-", "_"): value for key, value in layer.items()}
            kind, name = fields.pop("kind"), fields.pop("name", None)
            before = shape
            if kind == "residual":
                body, shape = self._build(fields["body"], before)
                shortcut, around = self._build(fields.get("shortcut", []), before)
                if shape != around:
                    raise ValueError(f"a body to {shape} beside a shortcut to {around}")
                modules.append(Residual(body, shortcut))
                continue
            module, shape = LAYERS[kind](before, **fields)
            if name is None:
                if list(module.parameters()):
                    raise ValueError(f"a {kind} without a name")
                name = f"unnamed{sum(1 for _ in self.modules())}"
            self._register(name, module)
            modules.append(module)
            if self._skip_padding and isinstance(shape, Series) and shape.steps != before.steps:
                raise ValueError(f"{name}: lengths of {before.steps} steps for {shape.steps}")
        return modules, shape

    def _register(self, name, module):
        """Makes `module` the submodule at the dotted path `name`."""
        *path, last = name.split(".")
        parent = self
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent._modules[part]
        if last in parent._modules:
            raise ValueError(f"two layers called {name}")
        parent.add_module(last, module)


def run(modules, x, lengths):
    for module in modules:
        # A tensor of its own as every layer's input: hooks on it must see this layer's alone.
        x = x.clone()
        x = module(x, lengths) if getattr(module, "reads_lengths", False) else module(x)
    return x


class Residual(nn.Module):
    """body(x) + shortcut(x). The network, not the residual, owns both as submodules."""

    reads_lengths = True

    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x, lengths=None):
        return run(self.body, x, lengths) + run(self.shortcut, x, lengths)


def real(x, lengths):
    """Which steps of the series `x` are real: [batch, steps, 1]."""
    return (torch.arange(x.shape[1]) < lengths[:, None])[..., None]


def later_steps(steps):
    """[step, other step]: whether the other lies in the first's future."""
    return torch.ones(steps, steps, dtype=torch.bool).triu(1)


# Convolution and pooling


class Convolution(nn.Module):
    """F.conv1d over a series or F.conv2d over an image, after the padding with zeros."""

    def __init__(self, inputs, channels, kernel, stride, pads, dilation, groups, bias, weight_norm):
        super().__init__()
        self.stride, self.dilation, self.groups = stride, dilation, groups
        # F.pad wants the last axis first.
        self.pads = [pad for axis in reversed(pads) for pad in axis]
        weight = torch.empty(channels, inputs // groups, *kernel)
        bound = 1 / math.sqrt(weight[0].numel())
        nn.init.uniform_(weight, -bound, bound)
        if weight_norm:
            self.weight_g = nn.Parameter(row_norms(weight))
            self.weight_v = nn.Parameter(weight)
        else:
            self.weight = nn.Parameter(weight)
        values = torch.empty(channels).uniform_(-bound, bound)
        self.bias = nn.Parameter(values) if bias else None
        self.weight_norm = weight_norm

    def forward(self, x):
        if self.weight_norm:
            weight = self.weight_g * self.weight_v / row_norms(self.weight_v)
        else:
            weight = self.weight
        settings = weight, self.bias, self.stride, 0, self.dilation, self.groups
        if x.dim() == 4:
            return F.conv2d(F.pad(x, self.pads), *settings)
        return F.conv1d(F.pad(x.transpose(1, 2), self.pads), *settings).transpose(1, 2)


def row_norms(weight):
    return weight.flatten(1).norm(dim=1).reshape(-1, *[1] * (weight.dim() - 1))


class OverSteps(nn.Module):
    """A PyTorch module for [batch, channels, steps] on a series."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class GlobalAveragePool(nn.Module):
    reads_lengths = True

    def forward(self, x, lengths=None):
        if x.dim() == 4:
            return x.mean((2, 3))
        return step_mean(x, lengths)


class GlobalMaxPool(nn.Module):
    reads_lengths = True

    def __init__(self, positions):
        super().__init__()
        self.pool = nn.MaxPool1d(positions)

    def forward(self, x, lengths=None):
        if x.dim() == 4:
            return self.pool(x.flatten(2)).squeeze(2)
        if lengths is not None:
            x = x.masked_fill(~real(x, lengths), -math.inf)
        return self.pool(x.transpose(1, 2)).squeeze(2)


def step_mean(x, lengths):
    if lengths is None:
        return x.mean(1)
    return x.masked_fill(~real(x, lengths), 0).sum(1) / lengths[:, None]


def flatten(shape, order="channels-first"):
    features = math.prod(shape)
    return Flatten(order == "channels-first"), Vector(features)


class Flatten(nn.Module):
    def __init__(self, channels_first):
        super().__init__()
        self.channels_first = channels_first

    def forward(self, x):
        if x.dim() == 3 and self.channels_first:
            x = x.transpose(1, 2)
        if x.dim() == 4 and not self.channels_first:
            x = x.permute(0, 2, 3, 1)
        return x.flatten(1)


# Normalisation


class BatchNorm(nn.Module):
    """F.batch_norm, without the count of batches that nn.BatchNorm stores."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        series = x.dim() == 3
        if series:
            x = x.transpose(1, 2)
        running = self.running_mean, self.running_var
        x = F.batch_norm(x, *running, self.weight, self.bias, self.training)
        return x.transpose(1, 2) if series else x


class LayerNorm(nn.LayerNorm):
    def forward(self, x):
        return over_channels(super().forward, x)


class UnbiasedNorm(nn.Module):
    """The benchmark's Norm."""

    EPSILON = 1e-6

    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return over_channels(self._normalise, x)

    def _normalise(self, x):
        deviation = x.std(-1, keepdim=True, unbiased=True) + self.EPSILON
        return self.alpha * (x - x.mean(-1, keepdim=True)) / deviation + self.bias


def over_channels(function, x):
    """`function` with the channels as the last axis."""
    if x.dim() == 4:
        return function(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return function(x)


# Recurrence


class AttentionReadout(nn.Module):
    """Σ_t softmax_t(query · tanh(W h_t + b)) h_t."""

    def __init__(self, width):
        super().__init__()
        bound = 1 / math.sqrt(width)
        self.weight = nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.query = nn.Parameter(torch.empty(width).uniform_(-bound, bound))

    def forward(self, x, lengths):
        scores = torch.tanh(F.linear(x, self.weight, self.bias)) @ self.query
        if lengths is not None:
            scores = scores.masked_fill(~real(x, lengths)[..., 0], -math.inf)
        return (scores.softmax(1)[..., None] * x).sum(1)


class Lstm(nn.LSTM):
    """PyTorch's LSTM; a network of the reverse direction alone has the `_reverse` weights alone."""

    reads_lengths = True

    def __init__(self, inputs, hidden, layers, direction, readout):
        super().__init__(
            inputs, hidden, layers, batch_first=True, bidirectional=direction == "both"
        )
        self.reverse, self.readout = direction == "reverse", readout
        if self.reverse:
            self._call_weights_reverse()
        if readout == "attention":
            self.attention = AttentionReadout(hidden * (1 + self.bidirectional))

    def _call_weights_reverse(self):
        names = self._flat_weights_names
        weights = [self._parameters.pop(name) for name in names]
        self._flat_weights_names = [f"{name}_reverse" for name in names]
        self._all_weights = [[f"{name}_reverse" for name in layer] for layer in self._all_weights]
        for name, weight in zip(self._flat_weights_names, weights):
            self.register_parameter(name, weight)
        self._init_flat_weights()

    def forward(self, x, lengths=None):
        steps = x.shape[1]
        if self.reverse:
            x = turned(x, lengths)
        if lengths is None:
            output, (states, _) = super().forward(x)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            output, (states, _) = super().forward(packed)
            output, _ = pad_packed_sequence(output, batch_first=True, total_length=steps)
        if self.reverse:
            output = turned(output, lengths)
        last = torch.cat([states[-2], states[-1]], 1) if self.bidirectional else states[-1]
        return read_out(self, output, last, lengths)


def turned(x, lengths):
    """The real steps of every sample from the last to the first, the padding in its place."""
    steps = torch.arange(x.shape[1]).expand(x.shape[:2])
    lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
    turned = lengths[:, None] - 1 - steps
    places = torch.where(turned < 0, steps, turned)
    return x.gather(1, places[..., None].expand(x.shape))


def read_out(module, output, last, lengths):
    """What leaves a recurrent layer with these states: a vector, or a series for `all`."""
    match module.readout:
        case "last":
            return last
        case "mean":
            return step_mean(output, lengths)
        case "max":
            if lengths is not None:
                output = output.masked_fill(~real(output, lengths), -math.inf)
            return output.max(1).values
        case "attention":
            return module.attention(output, lengths)
        case "all":
            return output


class InputCellLstm(nn.Module):
    """The benchmark's LSTM whose input is an attention over the steps so far."""

    reads_lengths = True

    def __init__(self, inputs, hidden, hops, attention_width, readout):
        super().__init__()
        self.hidden, self.readout = hidden, readout
        self.weight_iBarh = nn.Parameter(torch.empty(inputs, 4 * hidden))
        self.weight_hh = nn.Parameter(torch.empty(hidden, 4 * hidden))
        self.bias = nn.Parameter(torch.empty(4 * hidden))
        self.linear_first = nn.Linear(inputs, attention_width)
        self.linear_second = nn.Linear(attention_width, hops)
        for value in self.parameters():
            if value.dim() == 2:
                nn.init.xavier_uniform_(value)
            else:
                nn.init.zeros_(value)
        if readout == "attention":
            self.attention = AttentionReadout(hidden)

    def forward(self, x, lengths=None):
        batch, steps, _ = x.shape
        scores = self.linear_second(torch.tanh(self.linear_first(x)))
        later = later_steps(steps)[..., None]
        scores = scores[:, None].expand(-1, steps, -1, -1).masked_fill(later, -math.inf)
        # [batch, step, step attended to, hop]
        weights = scores.softmax(2).mean(3)
        inputs = weights @ x
        h = c = x.new_zeros(batch, self.hidden)
        states = []
        for t in range(steps):
            gates = inputs[:, t] @ self.weight_iBarh + h @ self.weight_hh + self.bias
            i, f, g, o = gates.chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        output = torch.stack(states, 1)
        if lengths is None:
            last = output[:, -1]
        else:
            last = output[torch.arange(batch), lengths - 1]
            output = output.masked_fill(~real(output, lengths), 0)
        return read_out(self, output, last, lengths)


# Attention


class PositionalEncoding(nn.Module):
    def __init__(self, steps, channels, scale, form):
        super().__init__()
        self.scale = math.sqrt(channels) if scale else 1.0
        table = torch.zeros(steps, channels, dtype=torch.float64)
        for t in range(steps):
            for i in range(0, channels, 2):
                # The benchmark doubles an index that is even already, and the cosine's is its own.
                sine, cosine = (i, i) if form == "standard" else (2 * i, 2 * (i + 1))
                table[t, i] = math.sin(t / 10000 ** (sine / channels))
                if i + 1 < channels:
                    table[t, i + 1] = math.cos(t / 10000 ** (cosine / channels))
        self.table = table

    def forward(self, x):
        return x * self.scale + self.table.to(x.dtype)


class PackedAttention(nn.MultiheadAttention):
    reads_lengths = True

    def __init__(self, channels, heads, causal, dropout):
        super().__init__(channels, heads, dropout, batch_first=True)
        self.causal = causal

    def forward(self, x, lengths=None):
        steps = x.shape[1]
        later = later_steps(steps) if self.causal else None
        padding = None if lengths is None else ~real(x, lengths)[..., 0]
        return super().forward(x, x, x, padding, need_weights=False, attn_mask=later)[0]


class SeparateAttention(nn.Module):
    """The benchmark's attention, a linear layer each for queries, keys, values and output."""

    reads_lengths = True

    def __init__(self, channels, heads, causal, dropout):
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.q_linear = nn.Linear(channels, channels)
        self.k_linear = nn.Linear(channels, channels)
        self.v_linear = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x, lengths=None):
        batch, steps, channels = x.shape

        def split(projected):
            return projected.reshape(batch, steps, self.heads, -1).transpose(1, 2)

        q, k, v = split(self.q_linear(x)), split(self.k_linear(x)), split(self.v_linear(x))
        scores = q @ k.transpose(2, 3) / math.sqrt(channels // self.heads)
        if self.causal:
            scores = scores.masked_fill(later_steps(steps), -math.inf)
        if lengths is not None:
            scores = scores.masked_fill(~real(x, lengths)[:, None, None, :, 0], -math.inf)
        weights = F.dropout(scores.softmax(-1), self.dropout, self.training)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, steps, channels))


# From the fields of a layer and its input's shape to the module and its output's shape


def per_axis(value, axes):
    """A number for every axis, or the pair that is given."""
    return [value] * axes if isinstance(value, int) else list(value)


def sizes_of(shape):
    return [shape.steps] if isinstance(shape, Series) else [shape.height, shape.width]


def with_sizes(shape, channels, sizes):
    return Series(*sizes, channels) if isinstance(shape, Series) else Image(channels, *sizes)


def windows(sizes, kernel, stride, pads, dilation):
    return [
        (size + sum(pad) - d * (k - 1) - 1) // s + 1
        for size, k, s, pad, d in zip(sizes, kernel, stride, pads, dilation)
    ]


def convolution(
    shape, channels, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True, weight_norm=False
):
    sizes = sizes_of(shape)
    axes = len(sizes)
    kernel, stride, dilation = (per_axis(value, axes) for value in (kernel, stride, dilation))
    reach = [d * (k - 1) for d, k in zip(dilation, kernel)]
    if padding == "same":
        if stride != [1] * axes:
            raise ValueError(f"the padding is same, but the stride is {stride}")
        # An odd rest lies behind, as PyTorch puts it.
        pads = [(r // 2, r - r // 2) for r in reach]
    elif padding == "causal":
        if axes != 1:
            raise ValueError("causal padding of an image")
        pads = [(r, 0) for r in reach]
    else:
        pads = [(p, p) for p in per_axis(padding, axes)]
    module = Convolution(
        shape.channels, channels, kernel, stride, pads, dilation, groups, bias, weight_norm
    )
    return module, with_sizes(shape, channels, windows(sizes, kernel, stride, pads, dilation))


def pool(over_series, over_images):
    def build(shape, window, stride=None, padding=0):
        sizes = sizes_of(shape)
        axes = len(sizes)
        window, padding = per_axis(window, axes), per_axis(padding, axes)
        stride = window if stride is None else per_axis(stride, axes)
        if axes == 1:
            module = OverSteps(over_series(window[0], stride[0], padding[0]))
        else:
            module = over_images(tuple(window), tuple(stride), tuple(padding))
        sizes = windows(sizes, window, stride, [(p, p) for p in padding], [1] * axes)
        return module, with_sizes(shape, shape.channels, sizes)

    return build


def linear(shape, outputs, bias=True):
    after = Vector(outputs) if isinstance(shape, Vector) else Series(shape.steps, outputs)
    return nn.Linear(shape.channels, outputs, bias), after


def layer_norm(shape, form="standard"):
    return {"standard": LayerNorm, "unbiased": UnbiasedNorm}[form](shape.channels), shape


def after_readout(shape, readout, width):
    return Series(shape.steps, width) if readout == "all" else Vector(width)


def lstm(shape, hidden, layers=1, direction="forward", readout="last"):
    module = Lstm(shape.channels, hidden, layers, direction, readout)
    return module, after_readout(shape, readout, hidden * (1 + module.bidirectional))


def input_cell_lstm(shape, hidden, hops, attention_width, readout="last"):
    module = InputCellLstm(shape.channels, hidden, hops, attention_width, readout)
    return module, after_readout(shape, readout, hidden)


def positional_encoding(shape, scale=False, form="standard"):
    return PositionalEncoding(shape.steps, shape.channels, scale, form), shape


def self_attention(shape, heads, causal=False, dropout=0.0, projections="packed"):
    module = {"packed": PackedAttention, "separate": SeparateAttention}[projections]
    return module(shape.channels, heads, causal, dropout), shape


def global_max_pool(shape):
    return GlobalMaxPool(math.prod(sizes_of(shape))), Vector(shape.channels)


INPUTS = {
    "image": lambda source: Image(source["channels"], source["height"], source["width"]),
    "series": lambda source: Series(source["steps"], source["channels"]),
    "tokens": lambda source: Series(source["tokens"], source["dim"]),
}

LAYERS = {
    "convolution": convolution,
    "batch-norm": lambda shape: (BatchNorm(shape.channels), shape),
    "layer-norm": layer_norm,
    "relu": lambda shape: (nn.ReLU(), shape),
    "gelu": lambda shape: (nn.GELU(), shape),
    "tanh": lambda shape: (nn.Tanh(), shape),
    "sigmoid": lambda shape: (nn.Sigmoid(), shape),
    "max-pool": pool(nn.MaxPool1d, nn.MaxPool2d),
    "average-pool": pool(nn.AvgPool1d, nn.AvgPool2d),
    "global-average-pool": lambda shape: (GlobalAveragePool(), Vector(shape.channels)),
    "global-max-pool": global_max_pool,
    "dropout": lambda shape, p: (nn.Dropout(p), shape),
    "flatten": flatten,
    "linear": linear,
    "lstm": lstm,
    "input-cell-lstm": input_cell_lstm,
    "positional-encoding": positional_encoding,
    "self-attention": self_attention,
}
