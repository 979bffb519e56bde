"""Write the README's speed section, and the records' pages, from the committed JSON, so that they
cannot say anything else.

    python tools/readme.py             write what stands between the two marks in README.md, and
                                       benchmarks/results/*.md
    python tools/readme.py --check     only say whether they are current (exit code 1 if not); the
                                       tests do that
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fastnn import console  # noqa: E402
from fastnn.bench import bars, results  # noqa: E402

README, RESULTS = ROOT/"README.md", ROOT/"benchmarks"/"results"
BEGIN, END = "<!-- python tools/readme.py writes what follows -->", "<!-- up to here -->"
LEVELS = ("portable", "neon", "avx2", "avx512")

SHOWN = {           # workload -> what to call it; wins and losses alike
    "gemm-128/forward": "matrix product 128 x 128",
    "gemm-1024/forward": "matrix product 1024 x 1024",
    "gemm-1x1024x1024/forward": "vector times matrix, 1024 x 1024",
    "conv3x3-64c56/forward+backward": "convolution 3x3, 64 channels of 56x56, forward + backward",
    "conv3x3-512c7/forward+backward": "convolution 3x3, 512 channels of 7x7, forward + backward",
    "conv1x1-256c56/forward+backward": "convolution 1x1, 256 -> 64 channels of 56x56, forward + backward",
    "depthwise3x3-128c28/forward+backward": "depthwise convolution 3x3, 128 channels of 28x28, forward + backward",
    "maxpool2x2-64c56/forward+backward": "max-pool 2x2, 32x64x56x56, forward + backward",
    "batchnorm-64c56/forward+backward": "batch norm, the same",
    "layernorm-2048x512/forward+backward": "layer norm 2048x512, forward + backward",
    "gelu-2048x512/forward+backward": "GELU, the same",
    "crossentropy-2048x512/forward+backward": "cross-entropy, the same",
    "lstm-T64-B32-I128-H256/forward+backward": "LSTM, 64 steps of 32, 256 wide, forward + backward",
    "lstm-T128-B1-H128/forward": "LSTM, 128 steps of one, 128 wide, forward",
    "attention-8x8x256x64-causal/forward+backward": "causal attention, 8 x 8 heads of 256 x 64, forward + backward",
    "mlp-64-128-10/step": "training step: small MLP, batch 32",
    "lenet/step": "training step: LeNet-5, batch 64",
    "resnet18/step": "training step: ResNet-18 for 32x32, batch 16",
    "char-lstm/step": "training step: char-LSTM, batch 32",
    "gpt-4x128/step": "training step: GPT, 4 layers of 128, batch 12",
    "gpt-6x384/step": "training step: GPT, 6 layers of 384, batch 4",
}
SUMMARY = {         # column -> bar (fastnn/bench/bars.py)
    "kernels, mean": "kernels against PyTorch, geometric mean",
    "slowest kernel": "slowest kernel against PyTorch",
    "training steps, mean": "training steps against PyTorch, geometric mean",
    "slowest step": "slowest training step against PyTorch",
    "gemm of peak": "gemm, n >= 512: share of the multiply-add peak",
    "inference against ONNX Runtime": "inference against ONNX Runtime, geometric mean",
    "a step's memory, highest": "peak memory of a training step over PyTorch's, highest",
}
REPORTED = tuple(column for column, bar in SUMMARY.items() if not bar.startswith("slowest") and "memory" not in bar)


def records() -> dict[str, dict[str, Any]]:
    """{file name: record} of the races, the highest level and most threads first."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    races = {name: record for name, record in found.items() if record.get("results")}
    return dict(sorted(races.items(), key=lambda item: (LEVELS.index(item[1]["instruction set"]), item[1]["threads"]),
                       reverse=True))


def summary_row(name: str, record: dict[str, Any]) -> list[str]:
    measured = {bar.what: bar for bar in bars.measure(record)}
    cells = []
    for column, what in SUMMARY.items():
        bar = measured.get(what)
        where = "" if bar is None or column in REPORTED else f" ({bar.where.removesuffix('/forward')})"
        cells.append(f"{bar.show(bar.measured)}{where}" if bar else "")
    title = f"{record['instruction set']}, {console.count(record['threads'], 'thread')}"
    return [f"[{title}](benchmarks/results/{name}.md)", *cells]


def section() -> str:
    """The text between the marks."""
    found = records()
    main = next(iter(found.values()))
    versions = ", ".join(version for library, version in main["versions"].items() if library != "fastnn")
    noise = f" Take single rows with a grain of salt: {main['warning'].split(':')[0]}." if main["warning"] else ""
    processor = main["processor"].replace("(R)", "").replace("(TM)", "")
    summary = [summary_row(name, record) for name, record in found.items()]
    used = [i for i in range(len(summary[0])) if any(row[i] for row in summary)]
    heads = ["table", *SUMMARY]
    known = {r.workload: r for r in results.results_of(main) if r.ratio("torch")}
    rows = [[title, console.time(known[name].median("fastnn")), console.time(known[name].median("torch")),
             f"{known[name].ratio('torch'):.2f}"]
            for name, title in SHOWN.items() if name in known]
    title = f"{main['instruction set']}, {console.count(main['threads'], 'thread')}"
    return "\n".join([textwrap.fill(
        f"Measured on {processor}, float32, medians of {main['rounds']} alternating rounds, each library in a process of its own, results "
        f"compared before timing. Rivals: {versions}. Ratios say how many times faster fastnn is than PyTorch: losses are below 1. The linked "
        f"pages have all {len(main['results'])} workloads and what was asked of them. Where a table is held to AVX2, PyTorch and NumPy are too. "
        f"(`{main['command']}`, commit {main['commit']}.){noise}", 180, break_long_words=False, break_on_hyphens=False),
                      "",
        *results.table([heads[i] for i in used], [[row[i] for i in used] for row in summary]),
        f"Some rows of the first ({title}):", "",
        *results.table(["workload", "fastnn", "PyTorch", "ratio"], rows)]).rstrip()


def main() -> int:
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    pages = {README: f"{before}{BEGIN}\n{section()}\n{END}{rest.split(END)[1]}",
             **{RESULTS/f"{name}.md": results.markdown(record) for name, record in records().items()}}
    stale = [path for path, written in pages.items() if not path.exists()
             or path.read_text(encoding="utf-8") != written]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.name} does not say what the JSON in benchmarks/results does: run `python tools/readme.py`")
        return int(bool(stale))
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
