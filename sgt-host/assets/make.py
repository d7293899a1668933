#!/usr/bin/env python3
"""Makes the embedded data sets from the originals.

    python3 sgt-host/assets/make.py DATA_DIR

DATA_DIR holds `mnist/` (the four idx.gz files), `uea/BasicMotions/` (the two .ts files) and
`uci-har-raw/` (`train/` and `test/` as in the UCI HAR archive, signal files gzipped or not).
The MNIST subset is the first 500 training and the first 100 test images of each digit, in
their original order. The HAR subset is 80 training and 100 test windows of each activity,
spread evenly over the file and so over its subjects, in their original order: total
acceleration and angular velocity, rounded to three decimals. Only the standard library is used; the sha256 of each result is printed
and checked by `tests/data_embedded.rs`.
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

CLASSES = 10
TRAIN_PER_CLASS = 500
TEST_PER_CLASS = 100

HAR_TRAIN_PER_CLASS = 80
HAR_TEST_PER_CLASS = 100
HAR_CLASSES = [
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
]
HAR_SIGNALS = [
    "total_acc_x",
    "total_acc_y",
    "total_acc_z",
    "body_gyro_x",
    "body_gyro_y",
    "body_gyro_z",
]
HAR_DECIMALS = 3

ASSETS = Path(__file__).resolve().parent


def write(name, content):
    compressed = gzip.compress(content, compresslevel=9, mtime=0)
    (ASSETS / name).write_bytes(compressed)
    print(f"{hashlib.sha256(compressed).hexdigest()}  {name}  {len(compressed)} bytes")


def mnist_subset(folder, part, per_class):
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    magic, count, height, width = struct.unpack(">4I", images[:16])
    assert (magic, height, width) == (2051, 28, 28)
    assert struct.unpack(">2I", labels[:8]) == (2049, count)
    size = height * width
    left = [per_class] * CLASSES
    chosen = []
    for index, label in enumerate(labels[8:]):
        if left[label]:
            left[label] -= 1
            chosen.append(index)
    assert not any(left)
    pixels = b"".join(images[16 + i * size : 16 + (i + 1) * size] for i in chosen)
    write(
        f"mnist-subset-{part}-images-idx3-ubyte.gz",
        struct.pack(">4I", 2051, len(chosen), height, width) + pixels,
    )
    write(
        f"mnist-subset-{part}-labels-idx1-ubyte.gz",
        struct.pack(">2I", 2049, len(chosen)) + bytes(labels[8 + i] for i in chosen),
    )


def lines(path):
    """The lines of a file or of its gzipped form."""
    packed = path.with_name(path.name + ".gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    return content.decode("ascii").splitlines()


def evenly(indices, count):
    """`count` of the indices, from the first to the last."""
    last = len(indices) - 1
    return [indices[place * last // (count - 1)] for place in range(count)]


def har_subset(folder, part, per_class):
    labels = [int(line) for line in lines(folder / part / f"y_{part}.txt")]
    signals = [
        lines(folder / part / "Inertial Signals" / f"{signal}_{part}.txt")
        for signal in HAR_SIGNALS
    ]
    chosen = []
    for label in range(1, len(HAR_CLASSES) + 1):
        chosen += evenly([i for i, found in enumerate(labels) if found == label], per_class)
    text = [
        "@problemName UciHarSubset",
        "@timeStamps false",
        "@missing false",
        "@univariate false",
        f"@dimensions {len(HAR_SIGNALS)}",
        "@equalLength true",
        "@seriesLength 128",
        "@classLabel true " + " ".join(HAR_CLASSES),
        "@data",
    ]
    for index in sorted(chosen):
        channels = []
        for signal in signals:
            values = [float(value) for value in signal[index].split()]
            assert len(values) == 128
            channels.append(",".join(f"{value:.{HAR_DECIMALS}f}" for value in values))
        text.append(":".join(channels) + ":" + HAR_CLASSES[labels[index] - 1])
    content = "\n".join(text) + "\n"
    write(f"UciHarSubset_{part.upper()}.ts.gz", content.encode("ascii"))


def main():
    data = Path(sys.argv[1])
    for part in ("TRAIN", "TEST"):
        name = f"BasicMotions_{part}.ts"
        write(f"{name}.gz", (data / "uea" / "BasicMotions" / name).read_bytes())
    mnist_subset(data / "mnist", "train", TRAIN_PER_CLASS)
    mnist_subset(data / "mnist", "t10k", TEST_PER_CLASS)
    har_subset(data / "uci-har-raw", "train", HAR_TRAIN_PER_CLASS)
    har_subset(data / "uci-har-raw", "test", HAR_TEST_PER_CLASS)


main()
