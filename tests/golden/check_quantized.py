"""Checks the integers of `sgt export --to firmware-rust --quantize int8` against onnxruntime.

For maintainers: `pip install onnxruntime onnx numpy`, then

    python tests/golden/check_quantized.py tests/embedded/demo/network [FOLDER…]

Each exported crate is read back and computed here, in numpy, by the documented rounding; the golden
windows must come out exactly. Then every layer is given to onnxruntime's quantised operators, with the
same integers in, over random windows: its integers may lie one step away, where its own rounding (of a
product in floats, halves to even) falls on the other side. Prints the share of those and how far the
logits of a whole pass are apart; exits with 1 where a layer is more than one step away.
"""

import pathlib
import re
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WINDOWS = 200
BLOCK = 4


def numbers(text, name, kind):
    body = text.split(f"{name}: ", 1)[1].split("= [", 1)[1].split("];", 1)[0]
    return np.array([kind(value) for value in body.split(",") if value.strip()])


class Network:
    """What an exported crate holds."""

    def __init__(self, folder):
        library = (folder / "src/lib.rs").read_text()
        quantized = (folder / "src/quantized.rs").read_text()
        self.golden = (folder / "src/golden.rs").read_text()
        size = lambda name: int(re.search(rf"const {name}: usize = (\d+);", library)[1])
        self.steps, self.channels = size("STEPS"), size("CHANNELS")
        self.mean = numbers(library, "MEAN", np.float32)
        self.deviation = numbers(library, "DEVIATION", np.float32)
        self.layers = re.findall(r"^    Layer::(.*),$", library, re.M)
        self.weights = numbers(quantized, "WEIGHTS", int)
        self.biases = numbers(quantized, "BIASES", int)
        self.rescales = [
            (int(a), int(b)) for a, b in re.findall(r"\br\((-?\d+), (\d+)\)", quantized)
        ]
        self.activations = [
            (np.float32(a), int(b)) for a, b in re.findall(r"\ba\(([\d.e-]+), (-?\d+)\)", quantized)
        ]

    def field(self, name):
        parts = self.golden.split(f"        {name}: [\n")[1:]
        lists = [part.split("]", 1)[0] for part in parts]
        return [np.array([np.float32(v) for v in it.split(",") if v.strip()]) for it in lists]

    def walk(self):
        """Each layer with its own integers: kind, sizes, matrix, biases, rescales, activations."""
        weights, biases, rescales = list(self.weights), list(self.biases), list(self.rescales)
        take = lambda values, count: [values.pop(0) for _ in range(count)]
        steps, channels = self.steps, self.channels
        for number, layer in enumerate(self.layers):
            kind = re.match(r"\w+", layer)[0]
            size = {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", layer)}
            pads = re.search(r"padding: \[(\d+), (\d+)\]", layer)
            size["padding"] = [int(pads[1]), int(pads[2])] if pads else [0, 0]
            around = (self.activations[number], self.activations[number + 1])
            matrix, own_biases, own = None, [], []
            if kind in ("Convolution", "Dense", "Depthwise"):
                rows = channels if kind == "Depthwise" else size["outputs"]
                columns = {
                    "Convolution": channels * size.get("kernel", 1),
                    "Dense": channels,
                    "Depthwise": size.get("kernel", 1),
                }[kind]
                flat = np.array(take(weights, rows * columns))
                if kind == "Depthwise":
                    matrix = flat.reshape(rows, columns)
                else:
                    whole = rows // BLOCK * BLOCK
                    blocks = flat[: whole * columns].reshape(-1, columns, BLOCK)
                    matrix = np.concatenate([
                        blocks.transpose(0, 2, 1).reshape(whole, columns),
                        flat[whole * columns :].reshape(rows - whole, columns),
                    ])
                own_biases, own = take(biases, rows), take(rescales, rows)
            elif kind in ("AveragePool", "GlobalAveragePool"):
                own = take(rescales, 1)
            elif kind not in ("Relu", "MaxPool", "Flatten"):
                raise SystemExit(f"{kind}: not known here")
            yield kind, size, matrix, np.array(own_biases), own, around, (steps, channels), layer
            if kind in ("Convolution", "Depthwise", "MaxPool", "AveragePool"):
                reach = size["dilation"] * (size["kernel"] - 1)
                steps = (steps + sum(size["padding"]) - reach - 1) // size["stride"] + 1
            if kind == "Convolution":
                channels = size["outputs"]
            if kind == "Dense":
                channels = size["outputs"]
            if kind == "Flatten":
                steps, channels = 1, steps * channels
            if kind == "GlobalAveragePool":
                steps = 1


def rounded(sums, rescales, zero):
    """floor(sum * multiplier / 2^shift + 1/2) + zero, within 8 bits; `sums` [steps, rows]."""
    out = np.empty(sums.shape, np.int64)
    for row in range(sums.shape[1]):
        multiplier, shift = rescales[row % len(rescales)]
        out[:, row] = (sums[:, row].astype(object) * multiplier + (1 << (shift - 1))) >> shift
    return np.clip(out + zero, -128, 127)


def fields(x, size, zero):
    """What each output sees, [outputs, kernel, channels]."""
    front, behind = size["padding"]
    padded = np.pad(x, ((front, behind), (0, 0)), constant_values=zero)
    reach = size["dilation"] * (size["kernel"] - 1)
    starts = range(0, len(padded) - reach, size["stride"])
    return np.stack([padded[s : s + reach + 1 : size["dilation"]] for s in starts])


def compute(kind, size, matrix, biases, own, around, x, layer):
    """A layer in integers, `x` [steps, channels]."""
    (_, zero_in), (_, zero_out) = around
    if kind == "Convolution":
        seen = fields(x, size, zero_in).reshape(-1, matrix.shape[1])
        return rounded(seen @ matrix.T + biases, own, zero_out)
    if kind == "Depthwise":
        seen = fields(x, size, zero_in)
        return rounded(np.einsum("okc,ck->oc", seen, matrix) + biases, own, zero_out)
    if kind == "Dense":
        return rounded(x @ matrix.T + biases, own, zero_out)
    if kind == "MaxPool":
        return fields(x, size, -128).max(1)
    if kind == "AveragePool":
        return rounded((fields(x, size, zero_in) - zero_in).sum(1), own, zero_out)
    if kind == "GlobalAveragePool":
        return rounded((x - zero_in).sum(0, keepdims=True), own, zero_out)
    if kind == "Relu":
        return np.maximum(x, zero_out)
    return (x.T if "ChannelsFirst" in layer else x).reshape(1, -1)


class Onnx:
    """One layer as onnxruntime's operator; none where it has no arithmetic."""

    def __init__(self, kind, size, matrix, biases, own, around, shape):
        (scale_in, zero_in), (scale_out, zero_out) = around
        self.session, self.kind = None, kind
        if kind not in ("Convolution", "Depthwise", "Dense", "GlobalAveragePool"):
            return
        constants = {
            "x_scale": np.float32(scale_in), "x_zero": np.int8(zero_in),
            "y_scale": np.float32(scale_out), "y_zero": np.int8(zero_out),
        }
        steps, channels = shape
        if matrix is not None:
            factor = np.array([multiplier / 2.0**shift for multiplier, shift in own])
            constants["w_scale"] = (factor * scale_out / scale_in).astype(np.float32)
            constants["w_zero"] = np.zeros(len(matrix), np.int8)
            # Here the zero of the input is not taken out.
            constants["bias"] = (biases + zero_in * matrix.sum(1)).astype(np.int32)
        attributes = {}
        if kind in ("Convolution", "Depthwise"):
            kernel = size["kernel"]
            if kind == "Convolution":
                weight = matrix.reshape(len(matrix), kernel, channels).transpose(0, 2, 1)
            else:
                weight = matrix.reshape(channels, 1, kernel)
                attributes["group"] = channels
            attributes.update(
                strides=[size["stride"]], dilations=[size["dilation"]], pads=size["padding"]
            )
            operator, domain = "QLinearConv", ""
            order = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "bias"]
            shape = [1, channels, steps]
        elif kind == "Dense":
            weight, operator, domain = matrix, "QGemm", "com.microsoft"
            attributes["transB"] = 1
            order = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "bias", "y_scale", "y_zero"]
            shape = [1, channels]
        else:
            weight, operator, domain = None, "QLinearGlobalAveragePool", "com.microsoft"
            order = ["x", "x_scale", "x_zero", "y_scale", "y_zero"]
            shape = [1, channels, steps]
        if weight is not None:
            constants["w"] = weight.astype(np.int8)
        node = helper.make_node(operator, order, ["y"], domain=domain, **attributes)
        graph = helper.make_graph(
            [node],
            "layer",
            [helper.make_tensor_value_info("x", TensorProto.INT8, shape)],
            [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def compute(self, x):
        """`x` and the result [steps, channels]."""
        given = x if self.kind == "Dense" else x.T[None]
        found = self.session.run(None, {"x": given.astype(np.int8)})[0].astype(np.int64)
        return found if self.kind == "Dense" else found[0].T


def quantized(window, activation):
    scale, zero = activation
    steps = window / scale + np.float32(zero + 128.0) + np.float32(0.5)
    return np.clip(np.floor(steps), 0, 255).astype(np.int64) - 128


def check(folder):
    network = Network(folder)
    layers = list(network.walk())
    scale, zero = network.activations[-1]

    def whole(x, operators):
        for (*own, shape, layer), operator in zip(layers, operators):
            if operator is not None and operator.session is not None:
                x = operator.compute(x)
            else:
                x = compute(*own, x, layer)
        return x

    for window, expected in zip(network.field("window"), network.field("quantized")):
        window = (window.reshape(network.steps, -1) - network.mean) / network.deviation
        found = whole(quantized(window, network.activations[0]), [None] * len(layers))
        found = ((found - zero) * scale).astype(np.float32)[0]
        assert (found == expected).all(), (folder, found, expected)

    operators = [Onnx(*own, shape) for *own, shape, _ in layers]
    random = np.random.default_rng(0)
    worst, apart, count, logits = 0, 0, 0, 0
    for _ in range(WINDOWS):
        window = random.standard_normal((network.steps, network.channels)).astype(np.float32)
        x = first = quantized(window, network.activations[0])
        for (*own, shape, layer), operator in zip(layers, operators):
            out = compute(*own, x, layer)
            if operator.session is not None:
                difference = np.abs(operator.compute(x) - out)
                worst, apart = max(worst, difference.max()), apart + (difference > 0).sum()
                count += difference.size
            x = out
        logits = max(logits, np.abs(whole(first, operators) - x).max())
    print(
        f"{folder}: golden windows exact; onnxruntime {onnxruntime.__version__}: {apart} of {count} "
        f"integers of single layers differ, by at most {worst}; logits of a whole pass by at most "
        f"{logits} steps"
    )
    return worst <= 1


if __name__ == "__main__":
    good = [check(pathlib.Path(folder)) for folder in sys.argv[1:]]
    sys.exit(0 if good and all(good) else 1)
