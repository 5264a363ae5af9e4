"""What each panel of the dashboard of server and GPU must show: from requests.jsonl, or what was written of the target."""
import statistics

from dashboards.boards import COARSE
from dashboards.checks import by_tag, percentile_series, stored
from dashboards.expect_run import RUN, share_ok


def gpu_mean(field):
    return stored(("gpu", field, statistics.fmean))


def hertz(values):
    return statistics.fmean(values) * 1e6


def energy(t):
    """Joules between the first and the last sample of each GPU."""
    by_gpu = {}
    for tags, fields, _ in t.points["gpu"]:
        by_gpu.setdefault((tags["host"], tags["gpu"]), []).append(fields["energy_j"])
    return {gpu: values[-1] - values[0] for gpu, values in by_gpu.items()}


SERVER = {
    "Active requests, client and server": ("none", stored(("llm_load", "in_flight", max), ("llm_server", "running", max))),
    "Queue": ("none", stored(("llm_server", "waiting", max))),
    "KV cache occupancy": ("percentunit", stored(("llm_server", "kv_usage", max))),
    "Model health": ("percentunit", by_tag("model", share_ok, at=COARSE)),
    "TTFT by model": ("s", percentile_series("ttft", 95, by="model", outcome="ok")),
    "Output tokens by model": RUN["Output tokens by model"],
    "GPU utilisation": ("percent", gpu_mean("util")),
    "GPU memory": ("mbytes", stored(("gpu", "mem_used_mib", max), ("gpu", "mem_total_mib", max))),
    "GPU power": ("watt", gpu_mean("power_w")),
    "GPU temperature": ("celsius", gpu_mean("temp_c")),
    "GPU clock": ("hertz", stored(("gpu", "sm_clock_mhz", hertz))),
    "GPU energy of the run": ("joule", by_tag(("host", "gpu"), energy, at=COARSE)),
}
