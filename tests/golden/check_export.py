"""Checks that `sgt export --to pytorch` writes what the networks are.

For maintainers: `pip install torch numpy safetensors`, `cargo build --release`, then

    SGT_EXPORT_CASES=FOLDER cargo test --release --test export -- --ignored
    python tests/golden/check_export.py target/release/sgt FOLDER

Every network of networks.safetensors and every network by name is written as weights, exported,
imported, and loaded strictly; those in the folder, which may be left out, are random ones, exported
already. The logits must be PyTorch's of networks.safetensors (in training mode, too, where there
are such), those of `sgt predict` for the networks by name, and the engine's for the random ones,
within TOLERANCE of the largest. Prints the worst, and exits with 1 where one is worse or an export
fails.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from network import Network

TOLERANCE = 1e-5
# Rows of the table.
SHOWN = 20
# Characters of a failure.
REASON = 200
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


def exported(folder):
    """The network of the exported module, its weights loaded."""
    spec = importlib.util.spec_from_file_location("exported", folder / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.Network()
    network.load_state_dict(load_file(folder / "weights.safetensors"), strict=True)
    loaded = module.load()
    assert not loaded.training and module.CLASSES
    return network


def error(found, expected):
    """The largest difference as a share of the largest logit."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


def in_files(description, x):
    """Samples in the axes of files."""
    source = description["input"]
    steps_first = source["kind"] == "series" and source.get("order") != "channels-first"
    return x.transpose(1, 2).contiguous() if steps_first else x


def channels(description):
    source = description["input"]
    return source["dim"] if source["kind"] == "tokens" else source["channels"]


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
        yield name, lambda: golden_case(folder / name, name, case, own)


def golden_case(folder, name, case, tensors):
    folder.mkdir(parents=True)
    description, lengths = case["description"], case["lengths"]
    state = {
        key.removeprefix("parameter/"): value
        for key, value in tensors.items()
        if key.startswith("parameter/")
    }
    wide = channels(description)
    classes = [f"class {index}" for index in range(tensors["logits"].shape[1])]
    weights = folder / "in.safetensors"
    write_weights(weights, description, state, [0.0] * wide, [1.0] * wide, None, classes)
    run("export", weights, "--to", "pytorch", folder / "out")
    network = exported(folder / "out")
    further = () if lengths is None else (torch.tensor(lengths),)
    x = in_files(description, tensors["x"])
    with torch.no_grad():
        network.eval()
        errors = [error(network(x, *further), tensors["logits"])]
        if "ids" in tensors:
            errors.append(error(network(tensors["ids"], *further), tensors["logits"]))
        if "training-logits" in tensors:
            network.train()
            errors.append(error(network(x, *further), tensors["training-logits"]))
    return max(errors)


def named_networks(folder):
    for model in json.loads(run("models", "--json"))["models"]:
        name = model["name"]
        yield name, lambda: named_network(folder / name, name)


def named_network(folder, name):
    """Against `sgt predict`, with normalisation and bounds."""
    folder.mkdir(parents=True)
    description = json.loads(run("models", name, "--toml", "--json"))
    torch.manual_seed(0)
    reference = Network(description)
    wide, image = channels(description), description["input"]["kind"] == "image"
    mean = torch.rand(wide) - 0.5
    deviation = torch.rand(wide) + 0.5
    bounds = {"low": -10.0, "high": 10.0} if image else None
    classes = [f'"{index}"\\\n ü' for index in range(reference.classes)]
    weights = folder / "in.safetensors"
    state = reference.state_dict()
    numbers = mean.tolist(), deviation.tolist()
    write_weights(weights, description, state, *numbers, bounds, classes)
    run("export", weights, "--to", "pytorch", folder / "out")
    network = exported(folder / "out")
    sizes = {
        "image": ("channels", "height", "width"),
        "series": ("channels", "steps"),
        "tokens": ("tokens", "dim"),
    }[description["input"]["kind"]]
    x = torch.randn(SAMPLES, *(description["input"][axis] for axis in sizes))
    np.save(folder / "x.npy", x.numpy())
    run("predict", "--weights", weights, "--input", folder / "x.npy", "--output", folder / "y.npy")
    ours = torch.from_numpy(np.load(folder / "y.npy"))
    # The export is a weights file of sgt, too.
    again = folder / "out" / "weights.safetensors"
    run("predict", "--weights", again, "--input", folder / "x.npy", "--output", folder / "z.npy")
    assert (np.load(folder / "z.npy") == np.load(folder / "y.npy")).all()
    with torch.no_grad():
        return error(network.eval()(x), ours)


def random_networks(folder):
    for own in sorted(folder.glob("random-*")):
        yield own.name, lambda: random_network(own)


def random_network(folder):
    """Against the engine, with the real steps of samples where padding is skipped."""
    network = exported(folder).eval()
    further = ()
    if (folder / "lengths.npy").exists():
        further = (torch.from_numpy(np.load(folder / "lengths.npy")).long(),)
    x = torch.from_numpy(np.load(folder / "x.npy"))
    with torch.no_grad():
        return error(network(x, *further), torch.from_numpy(np.load(folder / "y.npy")))


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
        print(f"{found:8.1e}  {name}")
    print("\n".join(failures))
    wrong = sum(not found <= TOLERANCE for found, _ in worst)
    print(f"{len(worst)} networks compared, {wrong} of them beyond {TOLERANCE}")
    print(f"{len(failures)} that could not be")
    sys.exit(bool(wrong or failures))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    SGT, *RANDOM = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    main()
