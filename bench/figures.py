"""What every script here writes beside its figures: on what, when and by which command they were taken; and whether to take any."""
import datetime
import json
import os
import pathlib
import platform
import sys


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release()}


def is_too_busy(load, args):
    """Whether `load` (os.getloadavg()) is over --max-load, without --force; says so."""
    if load[0] <= args.max_load or args.force:
        return False
    print(f"the machine is busy: load {load[0]:.2f} is over --max-load {args.max_load}", file=sys.stderr)
    return True


def save(path, load_before, **figures):
    """`load_before`: os.getloadavg() from before the first run."""
    pathlib.Path(path).write_text(json.dumps({
        "command": " ".join(["bench/" + pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(), "machine": machine(), "load_average_before": load_before, **figures},
        indent=1) + "\n")
