"""Times this project beside PyTorch in one run and prints the ratios.

Usage: compare.py [--rounds N] [--threads N] [--peer PATH] [CASE ...]
A case is MODEL/STEP; measure/pgd10 and measure/ig50 are against torchattacks and Captum and need
their data (see measure_speed.py), so they run only when they are named.

Both sides of a case run as two processes that take turns, so that both see the same machine. A turn
is a pause and a few repetitions of which the first ones don't count: PyTorch's threads go on
spinning for a while after a step, and either side's caches are cold after the other's turn. Medians;
ratios below 1 mean this project is faster.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
SCRIPTS = {
    "mnist-cnn": ["train_speed.py"],
    "sensor-lstm": ["lstm_speed.py"],
    "sensor-cnn": ["network_speed.py", "sensor-cnn"],
    "tcn": ["network_speed.py", "tcn"],
    "transformer": ["network_speed.py", "transformer"],
    "text-bilstm": ["network_speed.py", "text-bilstm"],
    "measure": ["measure_speed.py"],
}
CASES = [
    "mnist-cnn/forward",
    "mnist-cnn/standard",
    "mnist-cnn/sgt",
    "mnist-cnn/pgd7",
    "sensor-lstm/forward",
    "sensor-lstm/standard",
    "sensor-lstm/sgt",
    "sensor-cnn/standard",
    "sensor-cnn/sgt",
    "tcn/standard",
    "tcn/sgt",
    "transformer/standard",
    "transformer/sgt",
    "text-bilstm/standard",
    "text-bilstm/sgt",
]
# Of one turn: seconds of rest, repetitions that don't count, repetitions that do.
PAUSE, WARM_UP, COUNTED = 0.05, 2, 3


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

    def turn(self):
        time.sleep(PAUSE)
        times = [self.ask() for _ in range(WARM_UP + COUNTED)]
        return times[WARM_UP:]

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
    script, *name = SCRIPTS[model]
    theirs = Peer([sys.executable, str(FOLDER / script), *name, step, str(threads)])
    ours.turn(), theirs.turn()
    times = [[], []]
    for _ in range(rounds):
        for side, peer_times in zip((ours, theirs), times):
            peer_times.extend(side.turn())
    memory = ours.ask("memory"), theirs.ask("memory")
    ours.close()
    theirs.close()
    return [statistics.median(side) for side in times], memory


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
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
