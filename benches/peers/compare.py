"""Times this project beside PyTorch in one run and prints the ratios.

Usage: compare.py [--rounds N] [--threads N] [--peer PATH] [CASE ...]
A case is MODEL/STEP; measure/pgd10 and measure/ig50 are against torchattacks and Captum and need
their data (see measure_speed.py), so they run only when they are named. Both sides of a case run as two processes that take turns, one repetition
each, so that both see the same machine. Medians; ratios below 1 mean this project is faster.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
SCRIPTS = {
    "mnist-cnn": "train_speed.py",
    "sensor-lstm": "lstm_speed.py",
    "measure": "measure_speed.py",
}
CASES = [
    "mnist-cnn/forward",
    "mnist-cnn/standard",
    "mnist-cnn/sgt",
    "mnist-cnn/pgd7",
    "sensor-lstm/forward",
    "sensor-lstm/standard",
    "sensor-lstm/sgt",
]
WARM_UP = 3


class Peer:
    """One process that repeats one case."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line=""):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args}: ended with {self.process.wait()}")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(case, peer, rounds, threads):
    model, step = case.split("/")
    if model == "measure":
        program = [str(pathlib.Path(peer).with_name("measure_peer")), step]
    else:
        program = [peer, model, step]
    ours = Peer([*program, str(threads)])
    theirs = Peer([sys.executable, str(FOLDER / SCRIPTS[model]), step, str(threads)])
    times = [(ours.ask(), theirs.ask()) for _ in range(WARM_UP + rounds)][WARM_UP:]
    memory = ours.ask("memory"), theirs.ask("memory")
    ours.close()
    theirs.close()
    return [statistics.median(side) for side in zip(*times)], memory


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", default=str(FOLDER.parents[1] / "target/release/examples/peer"))
    parser.add_argument("cases", nargs="*", default=CASES)
    arguments = parser.parse_args()
    print("| case | ours, ms | PyTorch, ms | ratio | ours, MiB | PyTorch, MiB | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    medians = {}
    for case in arguments.cases:
        (ours, theirs), (small, large) = compare(
            case, arguments.peer, arguments.rounds, arguments.threads
        )
        medians[case] = ours
        row = f"| {case} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} "
        print(row + f"| {small:.0f} | {large:.0f} | {small / large:.2f} |", flush=True)
    for model in SCRIPTS:
        pair = [medians.get(f"{model}/{step}") for step in ("sgt", "standard")]
        if all(pair):
            print(f"\n{model}: our SGT step is {pair[0] / pair[1]:.2f} of our standard step.")


if __name__ == "__main__":
    main()
