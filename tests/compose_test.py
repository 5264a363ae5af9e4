#!/usr/bin/env python3
"""Checks docker-compose.yml and what it mounts without an engine: Compose accepts it with no .env; every path, port, image,
variable, flag and health check fits the files and programs of this repository; our own commands are run as they stand there.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import yaml

import harness

ROOT = harness.SOURCE
FILE = ROOT / "docker-compose.yml"
MADE_BY_DEV = {"./runs", "./models"}  # ./dev up creates them
OURS = {"plumbline-refserver:local": "refserver", "plumbline-refserver-cuda:local": "refserver", "plumbline-loadgen:local": "loadgen"}
PROFILES = ("tgi", "gpu", "run")
# The ports that programs which are not ours listen on when told nothing else, as their projects document them.
LISTENS = {"influxdb": {"8086"}, "telegraf": {"8125/udp"}, "prom/statsd-exporter": {"9125", "9125/udp", "9102"},
           "prom/prometheus": {"9090"}, "prom/alertmanager": {"9093"}, "grafana/grafana": {"3000"},
           "nvcr.io/nvidia/k8s/dcgm-exporter": {"9400"}, "ghcr.io/huggingface/text-generation-inference": {"80"}}


def compose_command():
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return None


def with_defaults(value):
    """The file as it is read where no variable is set."""
    if isinstance(value, dict):
        return {k: with_defaults(v) for k, v in value.items()}
    if isinstance(value, list):
        return [with_defaults(v) for v in value]
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) if isinstance(value, str) else value


def listening(service):
    """The ports a service listens on, as "80" or "8125/udp"."""
    program = OURS.get(service["image"])
    words = service.get("command") or []
    if program == "loadgen":
        return {words[words.index("--prometheus") + 1].rsplit(":", 1)[1]}
    if program == "refserver":
        return {words[words.index("--port") + 1] if "--port" in words else service["environment"]["PORT"]}
    return LISTENS.get(service["image"].rsplit(":", 1)[0], set())


def findings(stack):
    """One line per mistake in the parsed file."""
    services = stack["services"]
    if stack.get("networks") != {"app-net": {"name": "app-network", "external": True}}:
        yield "networks: app-net is not the external network app-network"
    for name, service in services.items():
        for text in [*service_findings(service), *build_findings(service.get("build")), *mount_findings(service, stack)]:
            yield f"{name}: {text}"
        for other, how in service.get("depends_on", {}).items():
            if other not in services:
                yield f"{name}: waits for {other}, which does not exist"
            elif how.get("condition") == "service_healthy" and services[other].get("healthcheck") is None:
                yield f"{name}: waits for the health of {other}, which has no check"


def service_findings(service):
    image = service.get("image", "")
    if not re.search(r":[\w.-]+$", image) or image.endswith(":latest"):
        yield f"image '{image}' is not pinned"
    if image not in OURS and image.rsplit(":", 1)[0] not in LISTENS:
        yield f"image '{image}' is one this test does not know"
    for port in service.get("ports", []):
        address, _, inside = str(port).rpartition(":")
        if not address.startswith("127.0.0.1:"):
            yield f"port {port} is not on loopback"
        elif inside not in listening(service):
            yield f"port {port} leads to {inside}, it listens on {sorted(listening(service))}"
    if service.get("networks") != ["app-net"]:
        yield "is not in app-net alone"
    is_loadgen = OURS.get(image) == "loadgen"  # runs once
    if not is_loadgen and not {"test", "interval", "timeout", "retries"} <= set(service.get("healthcheck", {})):
        yield "has no whole health check"
    if image in OURS:
        if re.match(r"(0|root)?(:|$)", str(service.get("user", ""))):
            yield "runs as root"
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"]:
            yield "is not read-only without rights"


def mount_findings(service, stack):
    inside = []
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        inside.append((source, target))
        if source.startswith("."):
            if source not in MADE_BY_DEV and not (ROOT / source).exists():
                yield f"{source} does not exist"
            if source != "./runs" and not volume.endswith(":ro"):
                yield f"{volume} can be written to"
        elif source not in stack.get("volumes", {}):
            yield f"volume {source} is not declared"
    for word in service.get("command") or []:
        path = re.search(r"=(/etc/\S+)$", str(word))
        if path and not any(is_there(path.group(1), source, target) for source, target in inside):
            yield f"{path.group(1)} is not mounted"


def is_there(path, source, target):
    return (path == target and (ROOT / source).is_file()) or (path.startswith(target + "/") and (ROOT / source / path[len(target) + 1:]).is_file())


def build_findings(build):
    if not build:
        return
    dockerfile = ROOT / build["dockerfile"]
    if not dockerfile.is_file():
        yield f"{build['dockerfile']} does not exist"
    elif not re.search(rf"^FROM \S+ AS {build['target']}$", dockerfile.read_text(), re.M):
        yield f"{build['dockerfile']} has no stage '{build['target']}'"


def read():
    return with_defaults(yaml.safe_load(FILE.read_text()))


class TheFile(harness.Test):
    def test_holds_no_mistake(self):
        self.assertEqual(list(findings(read())), [])

    def test_each_mistake_would_be_found(self):
        good = {"image": "influxdb:1", "networks": ["app-net"], "healthcheck": dict.fromkeys(("test", "interval", "timeout", "retries"))}
        ours = {**good, "image": "plumbline-refserver:local", "environment": {"PORT": "80"}, "user": "1:1", "read_only": True, "cap_drop": ["ALL"]}
        networks = {"app-net": {"name": "app-network", "external": True}}
        self.assertEqual(list(findings({"services": {"s": good, "t": ours}, "networks": networks})), [])
        for base, change, words in (
                (good, {"image": "influxdb"}, "not pinned"), (good, {"image": "influxdb:latest"}, "not pinned"),
                (good, {"image": "a:1"}, "does not know"), (good, {"ports": ["8086:8086"]}, "loopback"),
                (good, {"ports": ["127.0.0.1:1:1"]}, "leads to 1"), (ours, {"ports": ["127.0.0.1:1:3000"]}, "leads to 3000"),
                (good, {"volumes": ["./nowhere:/x:ro"]}, "does not exist"), (good, {"volumes": ["./docs:/x"]}, "written to"),
                (good, {"volumes": ["v:/x"]}, "not declared"), (good, {"command": ["--config=/etc/x.yml"]}, "not mounted"),
                (good, {"build": {"dockerfile": "deploy/none", "target": "x"}}, "does not exist"),
                (good, {"build": {"dockerfile": "deploy/docker/plumbline.Dockerfile", "target": "x"}}, "no stage"),
                (good, {"healthcheck": {}}, "health check"), (good, {"networks": []}, "app-net"), (ours, {"user": "0:0"}, "as root"),
                (ours, {"read_only": False}, "read-only"), (good, {"depends_on": {"x": {}}}, "does not exist")):
            found = list(findings({"services": {"s": {**base, **change}}, "networks": networks}))
            self.assertTrue(any(words in f for f in found), f"{change}: {found}")
        unchecked = {k: v for k, v in good.items() if k != "healthcheck"}
        waits = {**good, "depends_on": {"t": {"condition": "service_healthy"}}}
        self.assertIn("s: waits for the health of t, which has no check", list(findings({"services": {"s": waits, "t": unchecked}})))
        self.assertTrue(list(findings({"services": {}})))

    def test_every_variable_has_a_default_and_is_documented(self):
        used = re.findall(r"\$\{(\w+)([^}]*)\}", FILE.read_text())
        self.assertGreater(len(used), 5)
        page = (ROOT / "docs/deploy.md").read_text()
        for name, default in used:
            self.assertTrue(default.startswith(":-") and len(default) > 2, name)
            self.assertIn(f"`{name}`", page)

    def test_every_service_and_port_is_documented(self):
        page = (ROOT / "docs/deploy.md").read_text()
        for name, service in read()["services"].items():
            self.assertIn(f"`{name}`", page)
            for port in service.get("ports", []):
                self.assertIn(port.split(":")[1], page, name)

    def test_compose_accepts_it_without_any_variable(self):
        command = compose_command()
        if not command:
            self.skipTest("neither docker-compose nor docker compose is installed, so Compose itself was not asked")
        bare = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}
        with tempfile.TemporaryDirectory() as clean:  # no .env is found beside it
            copy = shutil.copytree(ROOT, clean + "/tree", ignore=lambda _, names: [n for n in names if n not in ("docker-compose.yml", "deploy", "docker")
                                                                                   and "Dockerfile" not in n])
            for profiles in ([], *([p] for p in PROFILES), PROFILES):
                flags = [word for p in profiles for word in ("--profile", p)]
                done = subprocess.run([*command, *flags, "config", "-q"], cwd=copy, env=bare, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(PROFILES), {p for s in read()["services"].values() for p in s.get("profiles", [])})


class OurCommands(harness.Test):
    """What the services run, run here: the image's entry point, the command of the file, on a free port."""

    def setUp(self):
        self.services = read()["services"]
        self.data = tempfile.TemporaryDirectory()
        self.addCleanup(self.data.cleanup)

    def entry_point(self, name):
        service = self.services[name]
        if "entrypoint" in service:
            return list(service["entrypoint"])
        text = (ROOT / service["build"]["dockerfile"]).read_text()
        stage = text[text.index(f" AS {service['build']['target']}\n"):]
        return yaml.safe_load(re.search(r"^ENTRYPOINT (.*)$", stage, re.M).group(1))

    def here(self, args):
        """A StatsD daemon of the stack is one of this machine, which need not listen."""
        return [f"127.0.0.1:{harness.free_port()}" if before == "--statsd" else word for before, word in zip(["", *args], args)]

    @contextlib.contextmanager
    def started(self, entry, args, environment=None):
        args = self.here(args)
        command = [str(harness.BIN / entry[0]), *entry[1:], *args]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "HOSTNAME": "0123456789ab", **(environment or {})})
        try:
            line = process.stdout.readline()
            self.assertTrue(line.startswith("listening on "), line or process.stderr.read())
            yield line.strip().rsplit(":", 1)[1]
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=30), 0)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def check(self, name, port):
        """The exit code of the service's health check, sent to `port`."""
        test = self.services[name]["healthcheck"]["test"]
        self.assertEqual(test[:3], ["CMD", "refserver", "health"])
        args = [re.sub(r":\d+$", f":{port}", word) for word in test[3:]]
        return subprocess.run([str(harness.BIN / test[1]), *test[2:3], *args], env={"PORT": port}, capture_output=True, timeout=30).returncode

    def test_the_reference_servers_start_and_their_checks_pass(self):
        for name in ("refserver", "refserver-gpu"):
            with self.started(self.entry_point(name), self.services[name]["command"], {"PORT": "0"}) as port:
                self.assertEqual(self.check(name, port), 0)
            self.assertEqual(self.check(name, port), 69)

    def test_tgis_flags_are_flags_of_our_server_too(self):
        for name in ("tgi-qwen2", "tgi-llama3"):
            args = [word.replace("/data/", self.data.name + "/") for word in self.services[name]["command"]]
            folder = args[args.index("--model-id") + 1]
            subprocess.run([harness.BIN / "refserver", "synth", "--arch", "qwen2", "--out", folder], check=True, capture_output=True)
            with self.started(self.entry_point("refserver"), args, {"PORT": "0"}) as port:
                self.assertEqual(self.check("refserver", port), 0)

    def test_the_gateway_starts_and_its_backends_are_services(self):
        args = list(self.services["gateway"]["command"])
        backends = [args[i + 1] for i, word in enumerate(args) if word == "--backend"]
        self.assertEqual(backends, ["qwen2=http://tgi-qwen2:80", "llama3=http://tgi-llama3:80"])
        for backend in backends:
            host, port = backend.split("//")[1].split(":")
            self.assertIn(port, listening(self.services[host]))
        with harness.Server(models=("m",)) as server:
            args = [re.sub(r"=http://.*", "=" + server.url, word) for word in args]
            args[args.index("--port") + 1] = "0"
            with self.started(self.entry_point("gateway"), args) as port:
                self.assertTrue(any(self.check("gateway", port) == 0 for _ in range(200)))
            self.assertEqual(self.check("gateway", port), 69)

    def test_statsd_goes_to_a_service_that_takes_it(self):
        senders = [s["command"][s["command"].index("--statsd") + 1] for s in self.services.values() if "--statsd" in (s.get("command") or [])]
        self.assertGreaterEqual(len(senders), 2)
        for host, port in (address.split(":") for address in senders):
            self.assertIn(f"{port}/udp", listening(self.services[host]))

    def test_the_check_of_telegraf_sees_who_listens(self):
        test = self.services["telegraf"]["healthcheck"]["test"]
        self.assertEqual(test[0], "CMD")
        shown = f"{8125:04X}"
        self.assertTrue(any(shown in word for word in test))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", 0))
            command = [word.replace(shown, f"{listener.getsockname()[1]:04X}") for word in test[1:]]
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 0)
        self.assertNotEqual(subprocess.run(command, capture_output=True).returncode, 0)

    def test_the_load_generators_command_is_a_plan(self):
        for command in (self.services["loadgen"]["command"], documented_run()):
            done = harness.loadgen(*[str(ROOT / w) if w.startswith("scenarios/") else w for w in command], "--dry-run")
            self.assertEqual(done.code, 0, done)
            for url in (word for word in command if word.startswith("http://")):
                host, _, port = url.split("/")[2].partition(":")
                self.assertIn(port or "80", listening(self.services[host]), url)


class DevUp(harness.Test):
    """./dev up with a container engine that only writes down what it is told."""

    def up(self, *args, network_exists=False, **variables):
        if any(os.access(f"{folder}/docker", os.X_OK) for folder in ("/usr/bin", "/bin", "/usr/sbin", "/sbin")):
            self.skipTest("a real container engine is installed; it would be used")
        with tempfile.TemporaryDirectory() as folder:
            log = f"{folder}/log"
            with open(f"{folder}/docker", "w") as script:
                script.write(f'#!/bin/sh\necho "$*" >> {log}\n[ "$1 $2" != "network inspect" ] || exit {0 if network_exists else 1}\n')
            os.chmod(f"{folder}/docker", 0o755)
            shutil.copy(ROOT / "dev", folder)
            done = subprocess.run([f"{folder}/dev", "up", *args], capture_output=True, text=True, timeout=60,
                                  env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": folder, **variables})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(os.path.isdir(f"{folder}/runs") and os.path.isdir(f"{folder}/models"))
            with open(log) as told:
                return [line.strip() for line in told if not line.startswith(("compose version", "info", "network inspect"))]

    def test_makes_the_network_and_starts(self):
        self.assertEqual(self.up(), ["network create app-network", "compose up -d"])
        self.assertEqual(self.up(network_exists=True), ["compose up -d"])

    def test_passes_profiles_and_arguments_on(self):
        self.assertEqual(self.up("--build", network_exists=True, PROFILES="tgi,gpu"), ["compose --profile tgi --profile gpu up -d --build"])


def documented_run():
    """The words after `loadgen` in the file's own comment."""
    text = "\n".join(line.removeprefix("#").strip() for line in FILE.read_text().splitlines() if line.startswith("#")).replace("\\\n", " ")
    return re.search(r"--use-aliases loadgen (run .*)", text).group(1).split()


class WhatIsMounted(harness.Test):
    """Addresses inside of mounted files lead to services of the stack."""

    def setUp(self):
        self.services = read()["services"]

    def assertLeadsToService(self, address, where):
        host, _, port = address.partition(":")
        if host != "host.docker.internal":
            self.assertIn(host, self.services, where)
            self.assertIn(port, listening(self.services[host]), where)

    def test_prometheus_reads_services_and_mounted_rules(self):
        path = ROOT / "deploy/prometheus/prometheus.yml"
        config = yaml.safe_load(path.read_text())
        targets = 0
        for job in config["scrape_configs"]:
            for group in job.get("static_configs", []):
                for target in group["targets"]:
                    self.assertLeadsToService(target, job["job_name"])
                    targets += 1
            for group in job.get("dns_sd_configs", []):
                for name in group["names"]:
                    self.assertLeadsToService(f"{name}:{group['port']}", job["job_name"])
                    self.assertIn("profiles", self.services[name], f"{name} is always there: let it be missed")
                    targets += 1
        self.assertGreater(targets, 5)
        for target in config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]:
            self.assertLeadsToService(target, "alerting")
        [rules] = config["rule_files"]
        self.assertIn(f"./dashboards/rules:{rules.rsplit('/', 1)[0]}:ro", self.services["prometheus"]["volumes"])
        self.assertTrue(list((ROOT / "dashboards/rules").glob(rules.rsplit("/", 1)[1])))
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "config", "--syntax-only", path], check=True, capture_output=True)

    def test_grafana_finds_its_sources_and_its_home(self):
        volumes = dict(v.split(":")[:2] for v in self.services["grafana"]["volumes"])
        sources = 0
        for path in (ROOT / "dashboards/provisioning/datasources").glob("*.yaml"):
            for source in yaml.safe_load(path.read_text())["datasources"]:
                self.assertLeadsToService(source["url"].removeprefix("http://"), path.name)
                sources += 1
                if source["type"] == "influxdb":
                    self.assertEqual(source["jsonData"]["dbName"], self.services["influxdb"]["environment"]["INFLUXDB_DB"])
        self.assertGreaterEqual(sources, 2)
        home = self.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertTrue((ROOT / volumes_source(volumes, home)).is_file(), home)
        for path in (ROOT / "dashboards/provisioning/dashboards").glob("*.yaml"):
            for provider in yaml.safe_load(path.read_text())["providers"]:
                self.assertTrue((ROOT / volumes_source(volumes, provider["options"]["path"])).is_dir())

    def test_grafana_takes_no_default_password_for_good(self):
        """Its login form asks for a new password where "admin" was typed, and offers to skip that unless the strict policy is on."""
        environment = self.services["grafana"]["environment"]
        self.assertEqual((environment["GF_SECURITY_ADMIN_USER"], environment["GF_SECURITY_ADMIN_PASSWORD"]), ("admin", "admin"))
        self.assertEqual(environment["GF_AUTH_BASIC_PASSWORD_POLICY"], "true")
        asked_never = {"GF_AUTH_LDAP_ENABLED", "GF_AUTH_PROXY_ENABLED", "GF_AUTH_BASIC_ENABLED"}  # with these the form does not ask
        self.assertEqual(asked_never & set(environment), set())

    def test_statsd_has_listeners_that_know_where_to_send(self):
        telegraf = (ROOT / "deploy/telegraf/telegraf.conf").read_text()
        self.assertRegex(telegraf, r'service_address\s*=\s*"(udp://)?:8125"')
        self.assertRegex(telegraf, r'urls\s*=\s*\["http://influxdb:8086"\]')
        database = re.search(r'^\s*database\s*=\s*"(\w+)"', telegraf, re.M).group(1)
        self.assertEqual(database, self.services["influxdb"]["environment"]["INFLUXDB_DB"])
        mapping = yaml.safe_load((ROOT / "deploy/statsd-exporter/mapping.yml").read_text())
        self.assertTrue(mapping["mappings"])


def volumes_source(volumes, path):
    """The file of this repository that a path inside the container is."""
    source, target = next((s, t) for s, t in volumes.items() if path == t or path.startswith(t + "/"))
    return source + path[len(target):]


if __name__ == "__main__":
    harness.main()
