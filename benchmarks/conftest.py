"""What the benchmarks share: the contest of one test, and the columns that pytest-benchmark does
not have.

    python -m pytest benchmarks --benchmark-only
        everything, side by side
    python -m pytest benchmarks --benchmark-only -k "conv2d and torch"
        a choice
    python -m pytest benchmarks --benchmark-only --benchmark-json FILE
        with GFLOP/s, GB/s and share of the machine's limit
    python -m pytest benchmarks
        each once, untimed: do they still work and agree?

All contestants share one process here, and a thread pool that spins after its work disturbs whoever
comes next. For figures to publish use `python -m fastnn bench`, which gives each a process of its
own.
"""

from __future__ import annotations

import pytest
from side_by_side import limits, rates

SECONDS = 0.15              # of one benchmark: the default of 1 s would make it an afternoon


def pytest_configure(config):
    # ordinary test runs switch timing off in pyproject.toml; who says --benchmark-only wants it on
    if config.option.benchmark_only:
        config.option.benchmark_enable = True


def pytest_collection_modifyitems(items):
    for item in items:
        if "benchmark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.benchmark(max_time=SECONDS, min_rounds=5, warmup=True, warmup_iterations=2,
                                                  disable_gc=True))


# ---- columns -------------------------------------------------------------------------------------
def pytest_benchmark_update_machine_info(config, machine_info):
    from fastnn.about import describe
    machine_info["fastnn"] = describe()
    machine_info["limits"] = limits()


def pytest_benchmark_update_json(config, benchmarks, output_json):
    for entry in output_json["benchmarks"]:
        if "flop" in entry["extra_info"]:
            entry["extra_info"].update(rates(entry["extra_info"], entry["stats"]["median"]))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    """One line per case and contestant: time, rates, share of the limit, ratio to fastnn, error."""
    session = getattr(config, "_benchmarksession", None)
    timed = [b for b in getattr(session, "benchmarks", ()) if b and "flop" in b.extra_info]
    if not timed:
        return
    write = terminalreporter.write_line
    bound = limits()
    terminalreporter.section(f"rates (limits: {bound['flops']/1e9:.0f} GFLOP/s, {bound['bytes']/1e9:.1f} GB/s; "
                             "medians)")
    write(f"{'workload':<52} {'impl':<7} {'median':>10} {'ratio':>7} {'GFLOP/s':>9} {'GB/s':>7} {'of limit':>9} "
          f"{'error':>8}")
    ours = {b.group: b["median"] for b in timed if b.extra_info["impl"] == "fastnn"}
    for b in sorted(timed, key=lambda b: (b.group, b.extra_info["impl"])):
        found = rates(b.extra_info, b["median"])
        cells = [f"{found[name]*factor:{width}.{digits}f}{unit}" if name in found else " "*(width + len(unit))
                 for name, factor, width, digits, unit in (("GFLOP/s", 1, 9, 1, ""), ("GB/s", 1, 7, 1, ""),
                                                           ("share of limit", 100, 7, 0, " %"))]
        ratio = f"{b['median']/ours[b.group]:7.2f}" if b.group in ours else " "*7
        write(f"{b.group:<52} {b.extra_info['impl']:<7} {1e6*b['median']:7.1f} us {ratio} {' '.join(cells)} "
              f"{b.extra_info['error']:8.0e}")
    write("ratio: median over fastnn's; above 1, fastnn is faster")
