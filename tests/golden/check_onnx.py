"""Checks that ONNX Runtime gives the logits of what `sgt export --to onnx` writes.

For maintainers: `pip install torch numpy safetensors onnx onnxruntime`, `cargo build --release`, then

    SGT_EXPORT_CASES=FOLDER cargo test --release --test export -- --ignored
    python tests/golden/check_onnx.py target/release/sgt FOLDER

Every network of networks.safetensors and every network by name is written as weights and exported;
those in the folder, which may be left out, are random ones, exported already. The model must pass
ONNX's checker; the logits must be PyTorch's of networks.safetensors, with the real steps of samples
where there are such, those of `sgt predict` for the networks by name, and the engine's for the random
ones, within TOLERANCE of the largest. Prints the worst, and exits with 1 where one is worse.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from network import Network

TOLERANCE = 1e-5
# Rows of the table.
SHOWN = 20
# Characters of a failure.
REASON = 300
SAMPLES = 3


def run(*arguments):
    done = subprocess.run([SGT, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def write_weights(path, description, state, mean, deviation, bounds, classes):
    metadata = {
        "model": description["name"],
        "description": description,
        "input": description["input"],
        "classes": classes,
        "normalization": {"mean": mean, "deviation": deviation},
        "bounds": bounds,
        "regime": "standard",
        "seed": 0,
        "version": "0",
    }
    state = {name: value.detach().float().contiguous() for name, value in state.items()}
    save_file(state, path, {"sgt": json.dumps(metadata)})


def logits(model, x, lengths=None):
    """Of the whole batch, and the same of its first sample alone."""
    loaded = onnx.load(model)
    onnx.checker.check_model(loaded, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options)
    inputs = {"input": np.ascontiguousarray(x, dtype=np.float32)}
    if "lengths" in [each.name for each in session.get_inputs()]:
        if lengths is None:
            # All steps are real: tokens have them in the first axis, series in the last.
            steps = session.get_inputs()[0].shape[2 if SERIES else 1]
            lengths = [steps] * len(x)
        inputs["lengths"] = np.array(lengths, dtype=np.int64)
    found = session.run(["logits"], inputs)[0]
    first = session.run(["logits"], {name: value[:1] for name, value in inputs.items()})[0]
    assert np.allclose(found[:1], first, atol=1e-5), "one sample alone"
    return found


def error(found, expected):
    """The largest difference as a share of the largest logit."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def in_files(description, x):
    """Samples in the axes of files."""
    source = description["input"]
    steps_first = source["kind"] == "series" and source.get("order") != "channels-first"
    return x.transpose(0, 2, 1) if steps_first else x


def channels(description):
    source = description["input"]
    return source["dim"] if source["kind"] == "tokens" else source["channels"]


def remember(description):
    global SERIES
    SERIES = description["input"]["kind"] == "series"


def golden_cases(folder):
    with safe_open(pathlib.Path(__file__).with_name("networks.safetensors"), "pt") as file:
        cases = json.loads(file.metadata()["cases"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for name, case in cases.items():
        own = {
            key.removeprefix(f"{name}/"): value
            for key, value in tensors.items()
            if key.startswith(f"{name}/")
        }
        yield name, lambda: golden_case(folder / name, case, own)


def golden_case(folder, case, tensors):
    folder.mkdir(parents=True)
    description, lengths = case["description"], case["lengths"]
    remember(description)
    state = {
        key.removeprefix("parameter/"): value
        for key, value in tensors.items()
        if key.startswith("parameter/")
    }
    wide = channels(description)
    classes = [f"class {index}" for index in range(tensors["logits"].shape[1])]
    weights = folder / "in.safetensors"
    write_weights(weights, description, state, [0.0] * wide, [1.0] * wide, None, classes)
    run("export", weights, "--to", "onnx", folder / "out")
    x = in_files(description, tensors["x"].numpy())
    return error(logits(folder / "out" / "network.onnx", x, lengths), tensors["logits"].numpy())


def named_networks(folder):
    for model in json.loads(run("models", "--json"))["models"]:
        name = model["name"]
        yield name, lambda: named_network(folder / name, name)


def named_network(folder, name):
    """Against `sgt predict`, with normalisation and bounds."""
    folder.mkdir(parents=True)
    description = json.loads(run("models", name, "--toml", "--json"))
    remember(description)
    torch.manual_seed(0)
    reference = Network(description)
    wide, image = channels(description), description["input"]["kind"] == "image"
    mean = torch.rand(wide) - 0.5
    deviation = torch.rand(wide) + 0.5
    bounds = {"low": -10.0, "high": 10.0} if image else None
    classes = [f'"{index}"\\\n ü' for index in range(reference.classes)]
    weights = folder / "in.safetensors"
    numbers = mean.tolist(), deviation.tolist()
    write_weights(weights, description, reference.state_dict(), *numbers, bounds, classes)
    run("export", weights, "--to", "onnx", folder / "out")
    sizes = {
        "image": ("channels", "height", "width"),
        "series": ("channels", "steps"),
        "tokens": ("tokens", "dim"),
    }[description["input"]["kind"]]
    x = torch.randn(SAMPLES, *(description["input"][axis] for axis in sizes)).numpy()
    np.save(folder / "x.npy", x)
    run("predict", "--weights", weights, "--input", folder / "x.npy", "--output", folder / "y.npy")
    model = folder / "out" / "network.onnx"
    pairs = {pair.key: pair.value for pair in onnx.load(model).metadata_props}
    assert json.loads(pairs["classes"]) == classes
    return error(logits(model, x), np.load(folder / "y.npy"))


def random_networks(folder):
    for own in sorted(folder.glob("random-*")):
        yield own.name, lambda: random_network(own)


def random_network(folder):
    """Against the engine, with the real steps of samples where padding is skipped."""
    lengths = None
    if (folder / "lengths.npy").exists():
        lengths = np.load(folder / "lengths.npy").tolist()
    found = logits(folder / "network.onnx", np.load(folder / "x.npy"), lengths)
    return error(found, np.load(folder / "y.npy"))


def main():
    worst = []
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        families = [golden_cases(folder / "golden"), named_networks(folder / "named")]
        families += [random_networks(path) for path in RANDOM]
        for family in families:
            for name, check in family:
                try:
                    worst.append((check(), name))
                except Exception as reason:
                    failures.append(f"{name}: {str(reason)[:REASON]}")
    worst.sort(reverse=True)
    for found, name in worst[:SHOWN]:
        print(f"{found:.1e}  {name}")
    print(f"{len(worst)} models run, {len(failures)} failed")
    for failure in failures:
        print(failure)
    wrong = [name for found, name in worst if not found <= TOLERANCE]
    sys.exit(1 if failures or wrong or not worst else 0)


SERIES = False
SGT = sys.argv[1] if len(sys.argv) > 1 else "target/release/sgt"
RANDOM = [pathlib.Path(path) for path in sys.argv[2:]]
main()
