#!/usr/bin/env python3
"""Makes the embedded data sets from the originals.

    python3 sgt-host/assets/make.py DATA_DIR

DATA_DIR holds `mnist/` (the four idx.gz files) and `uea/BasicMotions/` (the two .ts files).
The MNIST subset is the first 500 training and the first 100 test images of each digit, in
their original order. Only the standard library is used; the sha256 of each result is printed
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


def main():
    data = Path(sys.argv[1])
    for part in ("TRAIN", "TEST"):
        name = f"BasicMotions_{part}.ts"
        write(f"{name}.gz", (data / "uea" / "BasicMotions" / name).read_bytes())
    mnist_subset(data / "mnist", "train", TRAIN_PER_CLASS)
    mnist_subset(data / "mnist", "t10k", TEST_PER_CLASS)


main()
