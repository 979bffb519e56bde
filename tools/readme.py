"""Write what the pages say from what is true: the README's speed table and docs/speed.md from the
committed JSON, the records' pages, and the tables of ops, of models and of optimisers.

    python tools/readme.py             write it
    python tools/readme.py --check     only say which pages are not current (exit code 1 if any);
                                       the tests do that
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fastnn import console, optable  # noqa: E402
from fastnn.bench import bars, results  # noqa: E402
from fastnn.models import registry  # noqa: E402
from fastnn.optim import rule  # noqa: E402

README, SPEED, OP_TABLE = ROOT/"README.md", ROOT/"docs"/"speed.md", ROOT/"docs"/"ops.md"
MODEL_TABLE, RULE_TABLE = ROOT/"docs"/"api"/"models.md", ROOT/"docs"/"api"/"optim.md"
RESULTS = ROOT/"benchmarks"/"results"
BEGIN, END = re.compile(r"<!-- .* writes what follows -->\n"), "<!-- up to here -->"
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
    "batchnorm-64c56/forward+backward": "batch norm 32x64x56x56, forward + backward",
    "layernorm-2048x512/forward+backward": "layer norm 2048x512, forward + backward",
    "gelu-2048x512/forward+backward": "GELU 2048x512, forward + backward",
    "crossentropy-2048x512/forward+backward": "cross-entropy 2048x512, forward + backward",
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
IN_README = ("gemm-1024/forward", "conv3x3-64c56/forward+backward", "maxpool2x2-64c56/forward+backward",
             "layernorm-2048x512/forward+backward", "lstm-T64-B32-I128-H256/forward+backward",
             "attention-8x8x256x64-causal/forward+backward", "lenet/step", "resnet18/step", "gpt-6x384/step")
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
    return [f"[{title_of(record)}](../benchmarks/results/{name}.md)", *cells]


def title_of(record: dict[str, Any]) -> str:
    return f"{record['instruction set']}, {console.count(record['threads'], 'thread')}"


def rows(record: dict[str, Any], names: Iterable[str]) -> list[str]:
    """A table of some workloads of a record."""
    known = {r.workload: r for r in results.results_of(record) if r.ratio("torch")}
    cells = [[SHOWN[name], console.time(known[name].median("fastnn")), console.time(known[name].median("torch")),
              f"{known[name].ratio('torch'):.2f}"] for name in names if name in known]
    return results.table(["workload", "fastnn", "PyTorch", "ratio"], cells)


def how(record: dict[str, Any]) -> str:
    """Where and against what a record was measured, a sentence a line."""
    versions = ", ".join(version for library, version in record["versions"].items() if library != "fastnn")
    processor = record["processor"].replace("(R)", "").replace("(TM)", "")
    return "\n".join([
        f"Measured on {processor} ({title_of(record)}) in float32: medians of {record['rounds']} alternating rounds.",
        f"The rivals: {versions}; each library runs in a process of its own, and results are compared before timing.",
        "A ratio says how many times as fast as PyTorch fastnn is: losses are below 1."])


def readme_section() -> str:
    main = next(iter(records().values()))
    measured = {bar.what: bar for bar in bars.measure(main)}
    bars_of = [measured[SUMMARY[column]] for column in ("kernels, mean", "slowest kernel", "training steps, mean")]
    mean, slowest, steps = (bar.show(bar.measured).split()[0] for bar in bars_of)
    return "\n".join([
        how(main), "", *rows(main, IN_README),
        f"Over all kernels the mean ratio is {mean} and the worst {slowest}; over training steps the mean is {steps}.",
        f"[All {len(main['results'])} workloads, other instruction sets, memory and inference](docs/speed.md)."])


def speed_section() -> str:
    found = records()
    main = next(iter(found.values()))
    summary = [summary_row(name, record) for name, record in found.items()]
    used = [i for i in range(len(summary[0])) if any(row[i] for row in summary)]
    heads = ["table", *SUMMARY]
    noise = [f"Take single rows with a grain of salt: {main['warning'].split(':')[0]}."] if main["warning"] else []
    return "\n".join([
        how(main), *noise, "",
        "## Some rows", "", *rows(main, SHOWN), "## All tables", "",
        f"Each linked page has all of its workloads, up to {len(main['results'])}, and what was wanted of them.",
        "Where a table is held to AVX2, PyTorch and NumPy are too.", "",
        *results.table([heads[i] for i in used], [[row[i] for i in used] for row in summary]),
        f"The command: `{main['command']}`, at commit {main['commit']}."])


def between_marks(path: Path, section: str) -> str:
    """The page at `path` with `section` between its marks."""
    text = path.read_text(encoding="utf-8")
    begin = BEGIN.search(text)
    assert begin, f"{path} has no mark"
    return f"{text[:begin.end()]}{section}\n{END}{text[begin.end():].split(END)[1]}"


def main() -> int:
    pages = {README: between_marks(README, readme_section()), SPEED: between_marks(SPEED, speed_section()),
             OP_TABLE: between_marks(OP_TABLE, f"\n{optable.markdown()}\n"),
             MODEL_TABLE: between_marks(MODEL_TABLE, f"\n{registry.markdown()}"),
             RULE_TABLE: between_marks(RULE_TABLE, f"\n{rule.markdown()}"),
             **{RESULTS/f"{name}.md": results.markdown(record) for name, record in records().items()}}
    stale = [path for path, written in pages.items() if not path.exists()
             or path.read_text(encoding="utf-8") != written]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.name} does not say what the project does: run `python tools/readme.py`")
        return int(bool(stale))
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
