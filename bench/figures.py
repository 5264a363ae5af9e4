"""What every script here writes beside its figures: on what, when and by which command they were taken."""
import datetime
import json
import os
import pathlib
import platform
import sys


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release()}


def save(path, load_before, **figures):
    """`load_before`: os.getloadavg() from before the first run."""
    pathlib.Path(path).write_text(json.dumps({
        "command": " ".join(["bench/" + pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(), "machine": machine(), "load_average_before": load_before, **figures},
        indent=1) + "\n")
