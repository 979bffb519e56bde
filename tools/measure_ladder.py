"""Measure the steps to the kernels on this machine, and write the tables and roofline plots of
docs/kernels. Needs matplotlib.

    python tools/measure_ladder.py [--threads N]                    all pages
    python tools/measure_ladder.py gemm conv2d pooling softmax lstm attention       or some
"""

import argparse
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from fastnn import config
from fastnn.bench import ladder

HERE = Path(__file__).resolve().parents[1]/"docs/kernels"


def fill(name, measured):
    """The table between the page's markers."""
    path = HERE/f"{name}.md"
    page = path.read_text(encoding="utf-8")
    begin = f"<!-- python tools/measure_ladder.py {name} -->\n"
    filled, count = re.subn(rf"{re.escape(begin)}.*?<!-- end -->",
                            lambda _: f"{begin}{ladder.markdown(measured)}<!-- end -->", page, flags=re.S)
    if count != 1:
        raise SystemExit(f"{path} has no place for the table")
    path.write_text(filled, encoding="utf-8")


def draw(name, measured):
    """Where the steps stand under the roof: operations a second over operations per byte that the
    step passes over.
    """
    steps, operations = measured["steps"], measured["operations"]
    intensity = [operations/step["bytes"] for step in steps]
    rates = [step["rate"]/1e9 for step in steps]
    ridge = max(limit["flops"]/limit["bytes"] for limit in measured["limits"].values())
    left, right = min(*intensity, ridge)/4, max(*intensity, ridge)*4
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for threads, limit in sorted(measured["limits"].items()):
        peak, bandwidth = limit["flops"]/1e9, limit["bytes"]/1e9
        xs = [left, peak/bandwidth, right]
        axes.plot(xs, [min(peak, bandwidth*x) for x in xs], color="0.35", lw=1.6, ls="-" if threads == 1 else "--",
                  label=f"roof, {threads} thread{'s' if threads > 1 else ''}: {peak:.0f} Gop/s, {bandwidth:.0f} GB/s")
    colours = plt.get_cmap("viridis")
    # where numbers stand, beside the dots: (operations per byte, rate, distance in points)
    numbers = []
    for i, (x, y, step) in enumerate(zip(intensity, rates, steps)):
        apart = next(d for d in (9, -9, 20, -20, 31, -31)
                     if all(d != other or abs(x/at - 1) > 0.2 or not 0.75 < y/rate < 1.33
                            for at, rate, other in numbers))
        numbers.append((x, y, apart))
        axes.plot(x, y, "o", ms=8, color=colours(0.9*i/(len(steps) - 1)),
                  label=f"{i + 1}  {step['step']}, {y:.3g} Gop/s")
        axes.annotate(str(i + 1), (x, y), xytext=(apart, 0), textcoords="offset points",
                      ha="left" if apart > 0 else "right", va="center")
    axes.set(xscale="log", yscale="log", xlim=(left, right),
             xlabel="operations per byte of the arrays passed over", ylabel="billion operations a second",
             title=f"{name}: {measured['about']}")
    axes.title.set_fontsize(10)
    axes.grid(True, which="major", color="0.9")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.13), ncols=2, frameon=False)
    figure.savefig(HERE/f"{name}.png", dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*ladder.LADDERS, []], metavar="NAME")
    parser.add_argument("--threads", type=int, default=config.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    for name in args.names or ladder.LADDERS:
        measured = ladder.measure(ladder.LADDERS[name](), args.threads, args.rounds)
        fill(name, measured)
        draw(name, measured)
        print(f"{name}: {measured['steps'][-1]['rate']/measured['steps'][0]['rate']:.0f} x")


if __name__ == "__main__":
    main()
