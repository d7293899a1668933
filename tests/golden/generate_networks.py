"""Writes networks.safetensors beside this file: networks of every kind of layer, in PyTorch 2.15.

For maintainers: `pip install torch numpy safetensors captum`, then
`python tests/golden/generate_networks.py`. Everything is computed in float64, from inputs and
parameters that float32 holds exactly, and stored in float32; every case is computed in float32 as
well and must agree, so no value hangs on the rounding of a ReLU's or a maximum's input. Dropout is
0 everywhere. Two runs write the same bytes.

The metadata's `cases` is a JSON object, {CASE: {"description": DESCRIPTION, "lengths": LENGTHS}},
the lengths an array or null. The tensors of a case:

    CASE/x                          [batch, ...], in the memory order that the input names
    CASE/ids                        [batch, tokens], int64: x is their embedding
    CASE/parameter/NAME             all parameters and buffers, before any pass
    CASE/cotangent                  [batch, classes]
    CASE/logits                     evaluation mode
    CASE/dx                         the gradient of sum(cotangent * logits) with respect to x
    CASE/gradient/NAME              and to every parameter
    CASE/training-logits, CASE/training-dx, CASE/training-gradient/NAME
                                    the same in training mode, for networks with batch norm
    CASE/after/NAME                 the running statistics after that one training pass
    CASE/baseline                   one sample, the baseline of all
    CASE/deeplift/attributions      Captum's DeepLift of class 0 against the baseline, shaped as x;
                                    with lengths the baseline is as long as the sample

DeepLift stands with networks that have an activation or a max pool and are otherwise linear,
where Captum's rule is complete: not with max pools whose windows overlap or are padded.
A gradient that is 0 but for rounding is stored as 0: the keys' bias of an attention, the last bias
of an input-cell LSTM's attention.
"""

import json
import pathlib
import warnings
import zlib

import torch
from captum.attr import DeepLift
from captum.attr._core import deep_lift
from safetensors.torch import save_file

from network import Network

# Values below this are the rounding of 0 in float64.
ROUNDING = 1e-12
# How far float32 may lie from float64, as a share of the tensor's largest magnitude.
FLOAT32 = 1e-5
# How far the sum of a sample's attributions may lie from the difference of the logits.
COMPLETE = 1e-9
LINEAR = {
    "convolution", "batch-norm", "average-pool", "global-average-pool", "flatten", "linear",
    "dropout", "positional-encoding",
}  # fmt: skip
ACTIVATIONS = {"relu", "gelu", "tanh", "sigmoid"}


# Descriptions


def layer(kind, name=None, **fields):
    named = {} if name is None else {"name": name}
    return {
        "kind": kind,
        **named,
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }


def image(channels, height, width):
    return {"kind": "image", "channels": channels, "height": height, "width": width}


def series(steps, channels, order="steps-first"):
    return {"kind": "series", "steps": steps, "channels": channels, "order": order}


def tokens(count, dim):
    return {"kind": "tokens", "tokens": count, "dim": dim}


def convolution(name="conv", **fields):
    return layer("convolution", name, **fields)


def linear(name="fc", outputs=2, **fields):
    return layer("linear", name, outputs=outputs, **fields)


def residual(*body, shortcut=()):
    return layer("residual", body=list(body), shortcut=list(shortcut))


RELU, FLATTEN, DROPOUT = layer("relu"), layer("flatten"), layer("dropout", p=0.0)
MEAN, MAX = layer("global-average-pool"), layer("global-max-pool")


CASES = {}


def case(name, source, *layers, batch=2, lengths=None):
    assert name not in CASES
    description = {
        "name": name,
        "input": source,
        "skip-padding": lengths is not None,
        "layers": list(layers),
    }
    batch = batch if lengths is None else len(lengths)
    CASES[name] = {"description": description, "lengths": lengths, "batch": batch}


def convolutions():
    def over_series(name, source=series(7, 2, "channels-first"), **fields):
        fields = {"channels": 3, "kernel": 3, **fields}
        case(f"convolution-1d{name}", source, convolution(**fields), FLATTEN, linear())

    over_series("")
    over_series("-steps-first", series(7, 3))
    over_series("-pointwise", kernel=1)
    over_series("-stride", stride=2)
    over_series("-padding", padding=2)
    over_series("-stride-padding", kernel=5, stride=3, padding=2)
    over_series("-dilation", dilation=2)
    over_series("-stride-padding-dilation", series(9, 2), stride=2, padding=3, dilation=3)
    over_series("-same", padding="same")
    over_series("-same-even-kernel", kernel=4, padding="same")
    over_series("-same-dilation", kernel=5, dilation=3, padding="same")
    over_series("-causal", kernel=4, padding="causal")
    over_series("-causal-dilation", series(7, 2), dilation=2, padding="causal")
    over_series("-causal-beyond-series", series(5, 2), kernel=4, dilation=4, padding="causal")
    over_series("-causal-stride", stride=2, padding="causal")
    over_series("-groups", series(6, 4), channels=6, groups=2)
    over_series("-depthwise", series(6, 3), groups=3, padding=1)
    over_series("-depthwise-causal", series(6, 3, "channels-first"), groups=3, padding="causal")
    over_series("-depthwise-multiplier", series(6, 3), channels=6, groups=3, stride=2)
    over_series("-no-bias", bias=False)
    over_series("-weight-norm", weight_norm=True)
    over_series("-weight-norm-causal", series(7, 3), weight_norm=True, padding="causal", dilation=2)

    def over_images(name, source=image(2, 5, 4), **fields):
        fields = {"channels": 3, "kernel": 3, **fields}
        case(f"convolution-2d{name}", source, convolution(**fields), FLATTEN, linear())

    over_images("")
    over_images("-pointwise-stride", kernel=1, stride=2)
    over_images("-stride", image(2, 7, 6), stride=2)
    over_images("-padding", image(2, 4, 3), padding=2)
    over_images("-stride-padding", stride=2, padding=1)
    over_images("-pair-kernel", kernel=[3, 2])
    over_images(
        "-pairs", image(2, 7, 6), kernel=[2, 3], stride=[2, 1], padding=[1, 2], dilation=[3, 2]
    )
    over_images("-same", padding="same")
    over_images("-same-even-kernel", kernel=[2, 4], padding="same")
    over_images("-same-dilation", kernel=[3, 2], dilation=[2, 3], padding="same")
    over_images("-dilation", image(1, 6, 6), dilation=2)
    over_images("-groups", image(4, 4, 4), channels=6, groups=2)
    over_images("-depthwise", image(3, 4, 5), groups=3, padding=1)
    over_images("-depthwise-stride", image(3, 6, 5), groups=3, stride=2, padding=1)
    over_images("-depthwise-multiplier", image(3, 4, 4), channels=6, groups=3)
    over_images("-no-bias", bias=False)
    over_images("-weight-norm", weight_norm=True, stride=2, padding=1)
    over_images("-weight-norm-groups", image(4, 3, 3), channels=4, groups=2, weight_norm=True)
    over_images("-weight-norm-no-bias", weight_norm=True, bias=False)


def normalisation():
    norm = layer("batch-norm", "norm")
    case("batch-norm-image", image(3, 3, 4), norm, FLATTEN, linear(), batch=3)
    case("batch-norm-series", series(5, 3), norm, FLATTEN, linear(), batch=3)
    case(
        "batch-norm-series-channels-first", series(5, 3, "channels-first"), norm, FLATTEN, linear()
    )
    case(
        "batch-norm-vector",
        series(4, 2),
        FLATTEN,
        linear("fc1", 4),
        RELU,
        layer("batch-norm", "norm"),
        linear("fc2", 3),
        batch=5,
    )
    for name, source in {"image": image(2, 5, 4), "series": series(7, 2)}.items():
        case(
            f"convolution-batch-norm-relu-{name}",
            source,
            convolution("conv1", channels=4, kernel=3, padding=1, bias=False),
            layer("batch-norm", "bn1"),
            RELU,
            MEAN,
            linear(),
            batch=3,
        )
    for form in ("standard", "unbiased"):
        norm = layer("layer-norm", "norm", form=form)
        case(f"layer-norm-{form}-series", series(5, 4), norm, FLATTEN, linear())
        case(f"layer-norm-{form}-image", image(5, 3, 2), norm, FLATTEN, linear())
        case(
            f"layer-norm-{form}-vector",
            series(3, 2),
            FLATTEN,
            linear("fc1", 5),
            norm,
            linear("fc2", 3),
        )


def activations():
    for kind in sorted(ACTIVATIONS):
        case(kind, series(3, 3), FLATTEN, linear("fc1", 6), layer(kind), linear("fc2", 3), batch=3)
    for kind in ("gelu", "tanh"):
        case(
            f"convolution-{kind}",
            image(1, 4, 5),
            convolution(channels=3, kernel=3),
            layer(kind),
            FLATTEN,
            linear(),
        )
    case(
        "activations-in-a-row",
        series(3, 3),
        linear("steps", 4),
        layer("tanh"),
        RELU,
        DROPOUT,
        layer("sigmoid"),
        layer("gelu"),
        FLATTEN,
        linear(),
    )


def pooling():
    forms = {
        "": {"window": 2},
        "-overlap": {"window": 3, "stride": 2},
        "-gap": {"window": 2, "stride": 3},
        "-padding": {"window": 3, "stride": 2, "padding": 1},
        "-stride-1": {"window": 2, "stride": 1},
    }
    pairs = {
        "-pairs": {"window": [2, 3], "stride": [1, 2], "padding": [0, 1]},
        "-pair-window": {"window": [3, 2]},
    }
    for kind in ("max-pool", "average-pool"):
        for name, fields in forms.items():
            pool = layer(kind, **fields)
            case(f"{kind}-1d{name}", series(7, 2, "channels-first"), pool, FLATTEN, linear())
        case(f"{kind}-1d-steps-first", series(8, 3), layer(kind, window=2), FLATTEN, linear())
        for name, fields in {**forms, **pairs}.items():
            case(f"{kind}-2d{name}", image(2, 5, 6), layer(kind, **fields), FLATTEN, linear())
    for kind in ("global-average-pool", "global-max-pool"):
        case(f"{kind}-image", image(3, 3, 4), layer(kind), linear())
        case(f"{kind}-series", series(6, 3), layer(kind), linear())
        case(f"{kind}-channels-first", series(6, 3, "channels-first"), layer(kind), linear())
        case(f"{kind}-lengths", series(6, 3), layer(kind), linear(), lengths=[4, 6, 1])
        # A causal convolution's real steps do not see the padding behind them.
        case(
            f"causal-convolution-{kind}-lengths",
            series(6, 2, "channels-first"),
            convolution(channels=3, kernel=3, padding="causal"),
            RELU,
            layer(kind),
            linear(),
            lengths=[3, 6, 1],
        )


def vectors():
    for order in ("channels-first", "channels-last"):
        flatten = layer("flatten", order=order)
        case(f"flatten-image-{order}", image(3, 2, 4), flatten, linear())
        case(f"flatten-series-{order}", series(5, 3), flatten, linear())
        case(
            f"flatten-series-channels-first-{order}",
            series(5, 3, "channels-first"),
            flatten,
            linear(),
        )
    case("linear-no-bias", series(3, 2), FLATTEN, linear(bias=False))
    case(
        "linear-every-step",
        series(5, 3),
        linear("steps1", 4),
        RELU,
        linear("steps2", 3, bias=False),
        layer("flatten", order="channels-last"),
        linear(),
    )
    case(
        "linear-every-step-channels-first",
        series(5, 3, "channels-first"),
        linear("steps", 2),
        MEAN,
        linear(),
    )


def lstms():
    lengths = [3, 5, 1]

    def one(direction, readout, layers=1, lengths=None, source=series(5, 3)):
        name = "lstm" if layers == 1 else f"lstm-{layers}"
        name = f"{name}-{direction}-{readout}" + ("" if lengths is None else "-lengths")
        fields = {"hidden": 3 if layers == 1 else 2, "direction": direction, "readout": readout}
        if layers != 1:
            fields["layers"] = layers
        after = [MEAN] if readout == "all" else []
        case(name, source, layer("lstm", "lstm", **fields), *after, linear(), lengths=lengths)

    case("lstm-defaults", series(5, 3, "channels-first"), layer("lstm", "rnn", hidden=3), linear())
    for direction in ("forward", "reverse", "both"):
        for readout in ("last", "mean", "max", "attention", "all"):
            one(direction, readout)
    for direction in ("forward", "reverse", "both"):
        one(direction, "last", lengths=lengths)
        one(direction, "last", 2)
        one(direction, "last", 2, lengths)
    for readout in ("mean", "max", "attention", "all"):
        one("both", readout, lengths=lengths)
    one("forward", "mean", lengths=lengths)
    one("forward", "attention", lengths=lengths)
    one("reverse", "max", lengths=lengths)
    one("both", "mean", 2, lengths)
    one("both", "attention", 2)
    one("reverse", "all", 2)
    for name, lengths in {"": None, "-lengths": [5, 2, 4]}.items():
        case(
            f"lstm-stack{name}",
            series(5, 2),
            layer("lstm", "lstm1", hidden=2, direction="both", readout="all"),
            layer("layer-norm", "norm"),
            DROPOUT,
            layer("lstm", "lstm2", hidden=3),
            linear(),
            lengths=lengths,
        )
    # Behind the real steps the states of all steps are zeros.
    case(
        "lstm-both-all-flatten-lengths",
        series(4, 2),
        layer("lstm", "lstm", hidden=2, direction="both", readout="all"),
        FLATTEN,
        linear(),
        lengths=[2, 4, 1],
    )
    case(
        "convolution-relu-lstm",
        series(8, 2, "channels-first"),
        convolution(channels=3, kernel=3, padding=1),
        RELU,
        layer("max-pool", window=2),
        layer("lstm", "lstm", hidden=3),
        linear(),
    )


def input_cell_lstms():
    for readout in ("last", "mean", "max", "attention", "all"):
        for name, lengths in {"": None, "-lengths": [3, 5, 1]}.items():
            if lengths is not None and readout == "max":
                continue
            after = [MEAN] if readout == "all" else []
            case(
                f"input-cell-lstm-{readout}{name}",
                series(5, 3),
                layer(
                    "input-cell-lstm", "rnn", hidden=2, hops=3, attention_width=4, readout=readout
                ),
                *after,
                linear(),
                lengths=lengths,
            )


def attention():
    for form in ("standard", "published"):
        for scale in (False, True):
            case(
                f"positional-encoding-{form}{'-scale' if scale else ''}",
                series(6, 4),
                layer("positional-encoding", form=form, scale=scale),
                linear("steps", 2),
                layer("tanh"),
                FLATTEN,
                linear(),
            )
    case(
        "positional-encoding-odd-channels",
        series(5, 3, "channels-first"),
        layer("positional-encoding"),
        layer("tanh"),
        FLATTEN,
        linear(),
    )

    def attend(**fields):
        return layer("self-attention", "attn", heads=2, **fields)

    for projections in ("packed", "separate"):
        for causal in (False, True):
            name = f"self-attention-{projections}{'-causal' if causal else ''}"
            heads = attend(causal=causal, projections=projections)
            case(name, series(5, 4), heads, FLATTEN, linear())
            case(f"{name}-lengths", series(5, 4), heads, MEAN, linear(), lengths=[3, 5, 1])
    case(
        "self-attention-defaults",
        series(4, 3),
        layer("self-attention", "attn", heads=1),
        MAX,
        linear(),
    )
    case(
        "self-attention-as-many-heads-as-channels",
        series(3, 4, "channels-first"),
        layer("self-attention", "attn", heads=4),
        FLATTEN,
        linear(),
    )
    feed_forward = [linear("linear1", 5), layer("gelu"), DROPOUT, linear("linear2", 4), DROPOUT]
    norms = [layer("layer-norm", "norm1"), layer("layer-norm", "norm2")]
    for name, lengths in {"": None, "-lengths": [3, 5, 2]}.items():
        case(
            f"encoder-norm-first{name}",
            series(5, 4),
            layer("positional-encoding"),
            residual(norms[0], attend(), DROPOUT),
            residual(norms[1], *feed_forward),
            layer("layer-norm", "norm"),
            MEAN,
            linear(),
            lengths=lengths,
        )
        case(
            f"encoder-norm-last{name}",
            series(5, 4),
            residual(attend(causal=True), DROPOUT),
            norms[0],
            residual(*feed_forward),
            norms[1],
            MAX,
            linear(),
            lengths=lengths,
        )


def residuals():
    def three(name, channels=2, **fields):
        return convolution(name, channels=channels, kernel=3, **{"padding": 1, **fields})

    case(
        "residual-identity",
        image(2, 4, 3),
        residual(three("block.conv1"), RELU, three("block.conv2")),
        RELU,
        FLATTEN,
        linear(),
    )
    case(
        "residual-projection",
        image(2, 5, 4),
        residual(
            three("layer1.0.conv1", 3, stride=2, bias=False),
            layer("batch-norm", "layer1.0.bn1"),
            RELU,
            three("layer1.0.conv2", 3, bias=False),
            layer("batch-norm", "layer1.0.bn2"),
            shortcut=[
                convolution("layer1.0.downsample.0", channels=3, kernel=1, stride=2, bias=False),
                layer("batch-norm", "layer1.0.downsample.1"),
            ],
        ),
        RELU,
        MEAN,
        linear(),
        batch=3,
    )
    case(
        "residual-nested",
        series(6, 2),
        residual(
            three("outer.conv"),
            residual(
                layer("tanh"), three("outer.inner.conv"), shortcut=[three("outer.inner.skip")]
            ),
            RELU,
        ),
        FLATTEN,
        linear(),
    )
    case(
        "residual-vector",
        series(3, 2),
        FLATTEN,
        residual(linear("fc1", 5), RELU, linear("fc2", 6)),
        linear(),
    )
    case(
        "residual-every-step",
        series(4, 3),
        residual(linear("fc1", 4), layer("gelu"), linear("fc2", 3)),
        MAX,
        linear(),
    )
    case(
        "residual-activation-first",
        series(4, 3),
        residual(RELU, linear("fc1", 3)),
        FLATTEN,
        linear(),
    )
    case(
        "residual-lstm-lengths",
        series(5, 4),
        residual(layer("lstm", "lstm", hidden=2, direction="both", readout="all"), DROPOUT),
        MEAN,
        linear(),
        lengths=[2, 5, 4],
    )


def chains():
    """Convolution, ReLU and max pool in a row, which an engine may compute as one."""

    def two(name, source, second=2, order="channels-first", **fields):
        case(
            name,
            source,
            convolution("conv1", channels=3, kernel=3, **fields),
            RELU,
            layer("max-pool", window=second),
            layer("flatten", order=order),
            linear("fc1", 3),
            RELU,
            linear("fc2", 2),
        )

    two("chain-2d", image(1, 8, 6))
    two("chain-2d-rest", image(1, 7, 6), padding="same")
    two("chain-2d-window-3-rest", image(2, 7, 6), second=3, padding=1)
    two("chain-2d-pair-window", image(1, 7, 6), second=[3, 2])
    two("chain-2d-channels-last", image(1, 6, 6), order="channels-last")
    two("chain-1d", series(10, 2, "channels-first"))
    two("chain-1d-rest", series(9, 2), padding="same")
    two("chain-1d-window-3-rest", series(10, 2, "channels-first"), second=3)
    two("chain-1d-channels-last", series(8, 2), order="channels-last")
    case(
        "chain-2d-twice",
        image(1, 10, 9),
        convolution("conv1", channels=2, kernel=3, padding=1),
        RELU,
        layer("max-pool", window=2),
        DROPOUT,
        convolution("conv2", channels=3, kernel=3),
        RELU,
        layer("max-pool", window=2),
        FLATTEN,
        linear(),
    )
    case(
        "chain-1d-twice",
        series(11, 2),
        convolution("conv1", channels=3, kernel=3),
        RELU,
        layer("max-pool", window=2),
        convolution("conv2", channels=3, kernel=2, padding="causal"),
        RELU,
        layer("max-pool", window=2),
        FLATTEN,
        linear(),
    )
    case(
        "chain-2d-overlap",
        image(1, 7, 7),
        convolution("conv1", channels=2, kernel=3),
        RELU,
        layer("max-pool", window=3, stride=2, padding=1),
        FLATTEN,
        linear(),
    )
    case(
        "chain-2d-average",
        image(1, 7, 6),
        convolution("conv1", channels=2, kernel=3),
        RELU,
        layer("average-pool", window=2),
        FLATTEN,
        linear(),
    )
    case(
        "chain-2d-max-pool-first",
        image(1, 7, 6),
        convolution("conv1", channels=2, kernel=3),
        layer("max-pool", window=2),
        RELU,
        FLATTEN,
        linear(),
    )


def embeddings():
    table = layer("embedding", "embedding", vocabulary=7, dim=4)
    both = layer("lstm", "lstm", hidden=2, direction="both")
    case("embedding-lstm", tokens(5, 4), table, both, linear())
    case("embedding-lstm-lengths", tokens(5, 4), table, both, linear(), lengths=[3, 5, 1])
    case(
        "embedding-convolution",
        tokens(6, 4),
        table,
        convolution(channels=3, kernel=3, padding=1),
        RELU,
        MAX,
        linear(),
    )
    case(
        "embedding-attention-lengths",
        tokens(5, 4),
        table,
        layer("positional-encoding", scale=True),
        residual(layer("self-attention", "attn", heads=2), DROPOUT),
        MEAN,
        linear(),
        lengths=[4, 5, 2],
    )


def benchmark():
    """The benchmark's networks, small; network.py tells how its modules are put together."""
    steps, features, classes = 8, 6, 2
    case(
        "input-cell-lstm",
        series(steps, features),
        DROPOUT,
        layer("input-cell-lstm", "rnn", hidden=5, hops=4, attention_width=6),
        DROPOUT,
        linear("fc", classes),
    )

    def block(index, before, channels):
        path = f"tcn.network.{index}"

        def causal(name):
            return convolution(
                f"{path}.{name}",
                channels=channels,
                kernel=4,
                dilation=2**index,
                padding="causal",
                weight_norm=True,
            )

        shortcut = []
        if before != channels:
            shortcut = [convolution(f"{path}.downsample", channels=channels, kernel=1)]
        body = [causal("conv1"), RELU, DROPOUT, causal("conv2"), RELU, DROPOUT]
        return [residual(*body, shortcut=shortcut), RELU]

    widths = [features, 5, 5, steps]
    blocks = [block(i, *pair) for i, pair in enumerate(zip(widths, widths[1:]))]
    case("tcn", series(steps, features), *sum(blocks, []), MAX, linear("fc", classes))

    def norm(name):
        return layer("layer-norm", name, form="unbiased")

    def encoder_layer(path):
        attend = layer(
            "self-attention", f"{path}.attn", heads=3, causal=True, projections="separate"
        )
        feed_forward = [
            linear(f"{path}.ff.linear_1", 8),
            RELU,
            DROPOUT,
            linear(f"{path}.ff.linear_2", features),
        ]
        return [
            residual(norm(f"{path}.norm_1"), attend, DROPOUT),
            residual(norm(f"{path}.norm_2"), *feed_forward, DROPOUT),
        ]

    case(
        "transformer",
        series(steps, features),
        layer("positional-encoding", scale=True, form="published"),
        DROPOUT,
        *encoder_layer("encoder.layers.0"),
        *encoder_layer("encoder.layers.1"),
        norm("encoder.norm"),
        MAX,
        linear("out", classes),
    )


# Values


def fill(network):
    """Parameters and buffers that float32 holds exactly, far from where networks start."""
    for name, value in network.state_dict().items():
        drawn = torch.rand(value.shape, dtype=torch.float32).to(value)
        kind = name.split(".")[-1]
        if kind in ("running_var", "weight_g", "alpha") or (kind == "weight" and value.dim() == 1):
            drawn += 0.5
        elif kind == "query":
            # Large enough to attend unevenly.
            drawn = 6 * drawn - 3
        elif value.dim() == 1:
            drawn -= 0.5
        else:
            # Outputs of the inputs' variance; more in recurrent layers, whose states are small.
            transposed = kind in ("weight_iBarh", "weight_hh")
            inputs = value.shape[0] if transposed else value[0].numel()
            recurrent = kind.startswith(("weight_i", "weight_h")) or ".attention." in name
            drawn = (2 * drawn - 1) * (3 / inputs) ** 0.5 * (2 if recurrent else 1)
        value.copy_(drawn.float())


def layers_of(layers):
    """All layers, those in residual blocks too."""
    for one in layers:
        yield one
        if one["kind"] == "residual":
            yield from layers_of(one["body"])
            yield from layers_of(one["shortcut"])


def has_rescale_rule(layers):
    """Whether the network bends, by layers alone for which Captum's rule is complete."""
    bends = False
    for one in layers_of(layers):
        if one["kind"] in ACTIVATIONS | {"global-max-pool"}:
            bends = True
        elif one["kind"] == "max-pool":
            window = torch.tensor(one["window"])
            if (torch.tensor(one.get("stride", one["window"])) < window).any() or "padding" in one:
                return False
            bends = True
        elif one["kind"] not in LINEAR | {"residual"}:
            return False
    return bends


def passes(network, x, ids, cotangent, lengths, prefix):
    """Logits and every gradient of sum(cotangent * logits)."""
    network.zero_grad()
    x = x.requires_grad_() if ids is None else network.embed(ids)
    x.retain_grad()
    logits = network(x, lengths)
    (cotangent * logits).sum().backward()
    found = {f"{prefix}logits": logits.detach(), f"{prefix}dx": x.grad.clone()}
    x.grad = None
    for name, parameter in network.named_parameters():
        found[f"{prefix}gradient/{name}"] = parameter.grad.clone()
    return found


def compute(description, given, lengths, dtype):
    """All that is expected of the network, computed in `dtype` from the given values."""
    network = Network(description).to(dtype)
    state = {}
    for name, value in given.items():
        if name.startswith("parameter/"):
            state[name.removeprefix("parameter/")] = value.to(dtype)
    network.load_state_dict(state, strict=True)
    x, cotangent = given["x"].detach().to(dtype, copy=True), given["cotangent"].to(dtype)
    ids = given.get("ids")
    network.eval()
    found = passes(network, x, ids, cotangent, lengths, "")
    if "baseline" in given:
        baseline = given["baseline"].to(dtype)
        found["deeplift/attributions"] = deeplift(network, x.detach(), baseline, lengths)
    if any(one["kind"] == "batch-norm" for one in layers_of(description["layers"])):
        network.train()
        found |= passes(network, x, ids, cotangent, lengths, "training-")
        for name, buffer in network.named_buffers():
            found[f"after/{name}"] = buffer.clone()
    return found


def deeplift(network, x, baseline, lengths):
    baselines = baseline.expand_as(x).clone()
    with warnings.catch_warnings():
        # Captum announces its hooks.
        warnings.simplefilter("ignore", UserWarning)
        found = DeepLift(network).attribute(
            x.clone(), baselines, target=0, additional_forward_args=(lengths,)
        )
    found = found.detach()
    if x.dtype == torch.float64:
        difference = (network(x, lengths) - network(baselines, lengths))[:, 0]
        assert (found.flatten(1).sum(1) - difference).abs().max() < COMPLETE
    return found


def values_of(name, description, lengths, batch):
    """The tensors of a case, drawn from a seed of its own."""
    torch.manual_seed(zlib.crc32(name.encode()))
    network = Network(description).double()
    source = description["input"]
    first = description["layers"][0]
    with torch.no_grad():
        fill(network)
        state = {key: value.clone() for key, value in network.state_dict().items()}
        given = {}
        if first["kind"] == "embedding":
            given["ids"] = torch.randint(first["vocabulary"], (batch, source["tokens"]))
            given["x"] = network.embed(given["ids"])
        else:
            order = {
                "image": ("channels", "height", "width"),
                "series": ("steps", "channels"),
                "tokens": ("tokens", "dim"),
            }[source["kind"]]
            sizes = [source[axis] for axis in order]
            if source.get("order") == "channels-first":
                sizes.reverse()
            given["x"] = torch.randn(batch, *sizes, dtype=torch.float32).double()
            if has_rescale_rule(description["layers"]):
                given["baseline"] = torch.randn(*sizes, dtype=torch.float32).double()
        given["cotangent"] = (
            torch.rand(batch, network.classes, dtype=torch.float32) * 2 - 1
        ).double()
    given |= {f"parameter/{key}": value for key, value in state.items()}
    lengths = None if lengths is None else torch.tensor(lengths)
    found = compute(description, given, lengths, torch.float64)
    for key, rounded in compute(description, given, lengths, torch.float32).items():
        exact = found[key]
        exact[exact.abs() < ROUNDING] = 0
        scale = exact.abs().max().item() or 1.0
        difference = (rounded - exact).abs().max().item()
        assert difference <= FLOAT32 * scale, (name, key, difference, scale)
    return given | found


def main():
    torch.set_num_threads(1)
    deep_lift.SUPPORTED_NON_LINEAR[torch.nn.GELU] = deep_lift.nonlinear
    for family in (
        convolutions, normalisation, activations, pooling, vectors, lstms, input_cell_lstms,
        attention, residuals, chains, embeddings, benchmark,
    ):  # fmt: skip
        family()
    tensors = {}
    for name, one in CASES.items():
        batch = one.pop("batch")
        for key, value in values_of(name, **one, batch=batch).items():
            value = value if key == "ids" else value.float()
            tensors[f"{name}/{key}"] = value.detach().contiguous()
    cases = json.dumps(CASES, separators=(",", ":"))
    path = pathlib.Path(__file__).with_name("networks.safetensors")
    save_file(tensors, path, {"cases": cases})
    print(path, len(CASES), "cases", len(tensors), "tensors", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
