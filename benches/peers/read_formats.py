"""Reads the same files with the reference readers (aeon, sktime, numpy, pandas, Pillow) and with
`sgt data windows`, and compares values, labels and counts. No speed.

    python3 -m venv venv && venv/bin/pip install numpy pandas Pillow aeon sktime
    cargo build --release -p sgt-host
    venv/bin/python benches/peers/read_formats.py target/release/sgt [UEA_FOLDER]

UEA_FOLDER holds folders of the UEA archive (BasicMotions with its .arff files, JapaneseVowels,
NATOPS); without it only made files are read. Exit code 1 when anything differs.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from PIL import Image

# Values are singles; pictures that are resized differ by rounding.
EXACT = 0.0
RESIZED = 1.01 / 255

failures = 0


def check(name, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {name} {detail}")


def windows(sgt, source, *options):
    """The arrays of what would be trained on."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "w.npz"
        command = [sgt, "data", "windows", str(source), "--out", str(out), *map(str, options)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")
        with np.load(out) as archive:
            return {key: archive[key] for key in archive.files}


def together(arrays):
    """Both parts, in an order that does not depend on the split."""
    x = np.concatenate([arrays["x"], arrays["x_test"]])
    y = arrays["classes"][np.concatenate([arrays["y"], arrays["y_test"]])]
    return in_order(x, y)


def in_order(x, y):
    flat = np.asarray(x, dtype=np.float32).reshape(len(x), -1)
    order = np.lexsort(flat.T[::-1])
    return flat[order], np.asarray(y, dtype=str)[order]


def compare(name, found, expected, tolerance=EXACT):
    (x, y), (wanted, labels) = found, expected
    same = x.shape == wanted.shape
    difference = float(np.max(np.abs(x - wanted))) if same and x.size else np.inf
    check(name, same and difference <= tolerance and (y == labels).all(), f"{x.shape} Δ {difference}")


def labels_of(y):
    """As `sgt` writes classes that are numbers."""
    try:
        return np.array([np.format_float_positional(float(v), trim="-") for v in y])
    except ValueError:
        return np.asarray(y, dtype=str)


def archives(sgt, folder):
    from aeon.datasets import load_from_arff_file, load_from_ts_file
    from sktime.datasets import load_from_tsfile

    for train in sorted(folder.glob("*/*_TRAIN.*")):
        if train.suffix not in (".ts", ".arff"):
            continue
        test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
        arrays = windows(sgt, train)
        readers = {"aeon": load_from_ts_file if train.suffix == ".ts" else load_from_arff_file}
        if train.suffix == ".ts":
            readers["sktime"] = lambda path: load_from_tsfile(path, return_data_type="nested_univ")
        for reader, read in readers.items():
            for part, x, y in [(train, "x", "y"), (test, "x_test", "y_test")]:
                values, labels = read(str(part))
                if reader == "sktime":
                    cells = [[np.asarray(cell, dtype=float) for cell in row] for row in values.to_numpy()]
                    values = [np.stack(row) for row in cells]
                steps = arrays["x"].shape[2]
                kept = [np.asarray(case, dtype=np.float32)[:, -steps:] for case in values]
                ours = arrays[x]
                same = len(kept) == len(ours)
                # Shorter series are padded in front.
                same = same and all((o[:, steps - k.shape[1]:] == k).all() for o, k in zip(ours, kept))
                names = arrays["classes"][arrays[y]]
                # aeon reads class names in lower case.
                same = same and (np.char.lower(names) == np.char.lower(np.asarray(labels, dtype=str))).all()
                check(f"{part.name} like {reader}", same, f"{ours.shape}")


def written(sgt, folder):
    """`.ts` files of aeon's and sktime's writers, read by aeon and by us."""
    from aeon.datasets import load_from_ts_file, save_to_ts_file
    from sktime.datasets import write_ndarray_to_tsfile, write_panel_to_tsfile

    rng = np.random.default_rng(1)
    y = np.array(["up", "down"] * 6)

    def aeon(name, x):
        save_to_ts_file(x, y, label_type="classification", path=str(folder), problem_name=name)
        return folder / f"{name}.ts"

    def panel(name, x):
        write_panel_to_tsfile(x, str(folder), target=y, problem_name=name)
        return next(folder.rglob(f"{name}*.ts"))

    def flat(name, x):
        write_ndarray_to_tsfile(
            x[:, 0], str(folder), problem_name=name, class_label=["up", "down"], class_value_list=y,
            equal_length=True, series_length=x.shape[2],
        )
        return next(folder.rglob(f"{name}*.ts"))

    equal = rng.normal(size=(12, 2, 9))
    unequal = [rng.normal(size=(2, 5 + index % 3)) for index in range(12)]
    for name, write, x in [
        ("AeonEqual", aeon, equal),
        ("AeonUnequal", aeon, unequal),
        ("SktimePanel", panel, equal),
        ("SktimeArray", flat, equal),
    ]:
        path = write(name, x)
        read, labels = load_from_ts_file(str(path))
        steps = max(case.shape[1] for case in read)
        arrays = windows(sgt, path, "--split", "0.5")
        ours = np.concatenate([arrays["x"], arrays["x_test"]])
        names = arrays["classes"][np.concatenate([arrays["y"], arrays["y_test"]])]
        pairs = set()
        for sample, label in zip(ours, names):
            for index, case in enumerate(read):
                kept = sample[:, steps - case.shape[1] :]
                if labels[index] == label and (kept == case.astype(np.float32)).all():
                    pairs.add(index)
        check(f"ts written: {name}", len(pairs) == len(read) == len(ours), f"{ours.shape}")


def recording(rows=5_000):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "time": np.arange(rows) * 0.02,
            "ax": rng.normal(size=rows).round(5),
            "ay": rng.normal(size=rows) * 1e4,
            "az": rng.normal(size=rows) * 1e-4,
            "who": np.where(np.arange(rows) < rows // 2, "ann", "bob"),
            "label": np.array(["sit", "walk", "run"])[np.arange(rows) // 70 % 3],
        }
    )


def cut(frame, length, step, channels=("ax", "ay", "az")):
    """Windows with pandas alone; the first of the most frequent labels in their order."""
    x, y = [], []
    for _, part in frame.groupby("who", sort=False):
        for start in range(0, len(part) - length + 1, step):
            rows = part.iloc[start : start + length]
            x.append(rows[list(channels)].to_numpy().T)
            y.append(rows["label"].value_counts().sort_index().idxmax())
    return in_order(np.array(x), y)


def tables(sgt, folder):
    frame = recording()
    forms = {
        "comma": {},
        "semicolon, decimal comma": {"sep": ";", "decimal": ","},
        "tab, gzip": {"sep": "\t"},
        "quoted": {"quoting": 1},
        "crlf": {"lineterminator": "\r\n"},
        "index column": {"index": True},
    }
    for name, form in forms.items():
        path = folder / f"{name.replace(' ', '_').replace(',', '')}.csv"
        text = frame.to_csv(**{"index": False, **form})
        if "gzip" in name:
            path = path.with_suffix(".csv.gz")
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text, newline="")
        read = pd.read_csv(path, sep=form.get("sep", ","), decimal=form.get("decimal", "."))
        options = ["--channels", "ax,ay,az", "--group-column", "who", "--window", 64, "--step", 64]
        arrays = windows(sgt, path, *options, "--split-by", "sample")
        compare(f"csv, {name}", together(arrays), cut(read, 64, 64))

    # Missing values between their neighbours, as pandas fills them.
    gaps = frame.copy()
    gaps.loc[gaps.index % 17 == 3, "ax"] = np.nan
    path = folder / "gaps.csv"
    gaps.to_csv(path, index=False)
    filled = gaps.copy()
    filled["ax"] = gaps.groupby("who")["ax"].transform(lambda v: v.interpolate(limit_direction="both"))
    arrays = windows(sgt, path, *options, "--missing", "interpolate", "--split-by", "sample")
    compare("csv, interpolated", together(arrays), cut(filled, 64, 64), 1e-6)

    # Another rate, as numpy interpolates.
    rate, length = 30, 32
    parts = []
    for who, part in frame.groupby("who", sort=False):
        first, last = part["time"].iloc[[0, -1]]
        grid = first + np.arange(int((last - first) * rate + 1e-6) + 1) / rate
        values = {c: np.interp(grid, part["time"], part[c]) for c in ["ax", "ay", "az"]}
        place = np.searchsorted(part["time"].to_numpy(), grid + 1e-9, side="right") - 1
        parts.append(pd.DataFrame({**values, "who": who, "label": part["label"].to_numpy()[place]}))
    options = ["--group-column", "who", "--window", length, "--rate", rate, "--split-by", "sample"]
    frame.to_csv(path, index=False)
    arrays = windows(sgt, path, *options)
    expected = cut(pd.concat(parts), length, length)
    found = together(arrays)
    near = found[0].shape == expected[0].shape
    scale = np.abs(expected[0]).max()
    difference = np.abs(found[0] - expected[0]).max() / scale if near else np.inf
    check("csv, resampled like numpy.interp", near and difference < 1e-5, f"{found[0].shape} Δ {difference:.1e}")

    times = pd.Timestamp("2024-03-01 10:00") + pd.to_timedelta(frame["time"], unit="s")
    for name, column in {"ISO 8601": times, "epoch in ms": times.astype("int64") // 10**6}.items():
        stamped = frame.assign(time=column)
        stamped.to_csv(path, index=False)
        arrays = windows(sgt, path, *options)
        compare(f"csv, time as {name}", together(arrays), found, 2e-3 * scale)


def arrays_of_numpy(sgt, folder):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 3, 16))
    for kind in ["f4", "f8", ">f4"]:
        for name, y in {
            "numbers": np.arange(40) % 4 + 1,
            "texts": np.array(["sit", "gehen", "läuft", "x"])[np.arange(40) % 4],
        }.items():
            path = folder / "own.npz"
            save = np.savez_compressed if kind == "f4" else np.savez
            save(path, X=np.asfortranarray(x.astype(kind)), y=y)
            compare(f"npz {kind}, {name}", together(windows(sgt, path)), in_order(x.astype("f4"), y))
            np.save(folder / "x.npy", x.astype(kind))
            np.save(folder / "y.npy", y)
            source = f"{folder / 'x.npy'},{folder / 'y.npy'}"
            compare(f"npy {kind}, {name}", together(windows(sgt, source)), in_order(x.astype("f4"), y))


def pictures(sgt, folder):
    rng = np.random.default_rng(3)
    for ending in ["png", "jpg"]:
        root = folder / ending
        x, y, resized = [], [], []
        for index in range(10):
            for name in ["cat", "dog"]:
                (root / name).mkdir(parents=True, exist_ok=True)
                path = root / name / f"{index}.{ending}"
                grid = rng.integers(0, 255, size=(4, 5, 3), dtype=np.uint8)
                # Every colour of its own: decoders interpolate shared ones differently.
                form = {"quality": 95, "subsampling": 0} if ending == "jpg" else {}
                Image.fromarray(grid).resize((20, 16), Image.BICUBIC).save(path, **form)
                picture = Image.open(path).convert("RGB")
                x.append(np.asarray(picture).transpose(2, 0, 1) / np.float32(255))
                small = picture.resize((8, 7), Image.BILINEAR)
                resized.append(np.asarray(small).transpose(2, 0, 1) / np.float32(255))
                y.append(name)
        # JPEG decoders may round the cosine transform differently by one or two steps.
        tolerance = EXACT if ending == "png" else 3 / 255
        near(f"{ending} folder", windows(sgt, root), x, y, tolerance)
        near(f"{ending} folder, resized", windows(sgt, root, "--resize", "7x8"), resized, y, tolerance + RESIZED)


def near(name, arrays, expected, labels, tolerance):
    """Rows are paired by the nearest, since rounding changes their order."""
    x = np.concatenate([arrays["x"], arrays["x_test"]]).reshape(len(labels), -1)
    y = arrays["classes"][np.concatenate([arrays["y"], arrays["y_test"]])]
    wanted = np.array(expected).reshape(len(labels), -1)
    pairs = [int(np.abs(wanted - row).max(axis=1).argmin()) for row in x]
    difference = max(float(np.abs(wanted[p] - row).max()) for p, row in zip(pairs, x))
    whole = sorted(pairs) == list(range(len(labels)))
    same = whole and all(labels[p] == label for p, label in zip(pairs, y))
    check(name, same and difference <= tolerance, f"{x.shape} Δ {difference * 255:.2f}/255")


def main():
    sgt = str(pathlib.Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tables(sgt, folder)
        arrays_of_numpy(sgt, folder)
        pictures(sgt, folder)
        written(sgt, folder)
    if len(sys.argv) > 2:
        archives(sgt, pathlib.Path(sys.argv[2]))
    print(f"{failures} failed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
