"""`python -m fastnn bench`: what is measured, shown and saved; fastnn/bench does the work."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

from .. import config, console
from ..bench import ladder, memory, overhead, results, scaling, screen, speed, sweep
from ..bench.choice import choose, choose_rivals
from ..bench.levels import at_level
from ..bench.libraries import NAMES
from ..bench.race import Result
from ..console import heading, paint, say
from ..moved import moved_names

__all__ = ["KINDS", "command"]


def command(args: Namespace) -> int:
    if args.ladder:
        return measure_ladders(args)
    kind = KINDS.get(args.names[0]) if args.names else None
    return kind(args) if kind else measure_speed(args)


def measure_speed(args: Namespace) -> int:
    """`bench [NAME ...]`: a race of workloads."""
    workloads = choose(args.names, args.backward)
    rivals, missing = choose_rivals(args.against)
    threads = threads_of(args)
    if not args.json:
        counts = (len(workloads), "workload"), (threads, "thread"), (args.rounds, "round")
        heading(", ".join(console.count(*pair) for pair in counts))
        screen.say_missing(missing)

    def begin(rivals: Sequence[str], limits: dict[str, float]) -> Callable[[Result], None]:
        return (lambda result: None) if args.json else screen.RaceTable(rivals, limits).row

    with at_level(args.isa) as level:
        record = speed.measure(workloads, rivals, threads, args.rounds, args.seconds, level=level, begin=begin)
    if args.json:
        say(results.as_json(record).rstrip())
    else:
        screen.show_summary(record)
    save(args, record)
    return 1 if speed.failed(record) else 0


def measure_memory(args: Namespace) -> int:
    """`bench memory [NETWORK ...]`."""
    rivals, missing = choose_rivals(args.against)
    rivals = [name for name in rivals if name == "torch"]           # the others do not train
    with at_level(args.isa) as level:
        part = memory.part(args.names[1:], rivals, threads_of(args), level)
    if not args.json:
        screen.say_missing(name for name in missing if name == "torch")
    finish(args, "memory", part)
    failures = [f"{row['network']}: {NAMES[library]}: {why}" for row in part["rows"]
                for library, why in row["failed"].items()]
    for failure in failures:
        console.complain(failure)
    return 1 if failures else 0


def measure_scaling(args: Namespace) -> int:
    """`bench scaling [NAME ...]`."""
    workloads = choose(args.names[1:] or scaling.SCALED, args.backward)
    rivals = [name for name in choose_rivals(args.against)[0] if name == "torch"]
    with at_level(args.isa) as level:
        part = scaling.part(workloads, rivals, threads_of(args), args.rounds, args.seconds, level)
    finish(args, "scaling", part)
    return 0 if all(row["speed-up"]["fastnn"] for row in part["rows"]) else 1


def measure_overhead(args: Namespace) -> int:
    """`bench overhead`."""
    with at_level(args.isa) as level:
        finish(args, "overhead", overhead.part(threads_of(args), level))
    return 0


def measure_sweep(args: Namespace) -> int:
    """`bench sweep`."""
    with at_level(args.isa) as level:
        part = sweep.part(threads_of(args), level)
    finish(args, "sweep", part)
    steep = sweep.steep(part)
    if not args.json:
        for row in steep:
            say(paint(f"  CLIFF: {row['what']}, {row['dtype']}, size {row['size']}: "
                      f"{row['cost']:.2f} times its neighbour's cost", "red"))
        say(f"  {console.count(len(part['rows']), 'size')}, {console.count(len(steep), 'cliff')}")
    return 1 if steep else 0


def measure_ladders(args: Namespace) -> int:
    """`bench [NAME ...] --ladder`."""
    found = []
    names = ladder.ladders(args.names)
    with at_level(args.isa):
        for name in names:
            console.progress(f"  measuring the steps to {name}")
            found.append(ladder.measure(ladder.LADDERS[name](), threads_of(args), args.rounds, args.seconds))
            console.progress("")
            if args.markdown:
                say(ladder.markdown(found[-1]))
            elif not args.json:
                heading(f"{name}: {found[-1]['about']}")
                say(console.table(ladder.HEADS, ladder.cells(found[-1]), "lrrrrr"))
                say(paint(f"  {ladder.at_levels(found[-1])}", "dim"))
                say(paint(f"  {ladder.facts(found[-1])}", "dim"))
    if args.json:
        say(json.dumps(found, indent=1))
    return 0


# what the first name after `bench` may be, beside names of workloads
KINDS: dict[str, Callable[[Namespace], int]] = {
    "memory": measure_memory, "scaling": measure_scaling, "overhead": measure_overhead, "sweep": measure_sweep}


def threads_of(args: Namespace) -> int:
    return args.threads or config.get_num_threads()


def finish(args: Namespace, name: str, part: dict[str, Any]) -> None:
    """Show a part of a record, and save it where that is wanted."""
    if args.json:
        say(json.dumps(part, indent=1))
    else:
        screen.show_part(name, part)
    save(args, part, name)


def save(args: Namespace, measured: dict[str, Any], name: str = "") -> None:
    if args.save:
        saved = results.save(args.save, measured, name)
        if not args.json:
            say(f"\nsaved {' and '.join(map(str, saved))}")


moved_names(__name__)
