#!/usr/bin/env python3
"""The bundle that checks kernels on a GPU: what run.sh and sanitize.sh make of programs that pass, fail, hang or are killed,
of machines without a GPU, and of sanitizers that refuse. The programs are stand-ins; the real ones run in other tests."""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import time
import unittest

import harness

SCRIPTS = harness.SOURCE / "kernels" / "cuda" / "gpu_check"
PASSING = "echo '[ RUN      ] A.b/cuda'; echo '[       OK ] A.b/cuda (1 ms)'; echo '[  SKIPPED ] A.c/cuda (0 ms)'"
# Writes the files as the real one does: notes first, then figures.
MEASURING = """
json= markdown= notes=
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=$2 ;;
    --markdown) markdown=$2 ;;
    --note) notes="$notes$2
" ;;
  esac
  shift
done
printf '{"device": "made up", "figures": []}\\n' >"$json"
printf '# made up\\n%s' "$notes" >"$markdown"
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.bundle = self.folder / "bundle"
        (self.bundle / "lib").mkdir(parents=True)
        for script in ("run.sh", "sanitize.sh"):
            shutil.copy(SCRIPTS / script, self.bundle)
        (self.bundle / "VERSION").write_text("built from somewhere\n")
        self.tools = self.folder / "tools"
        self.tools.mkdir()
        self.out = self.folder / "out"
        self.script(self.tools / "ldconfig", "echo libcublas.so.13")  # otherwise the whole disk is searched for one
        self.program("kernels_tests", PASSING)
        self.checker()

    def script(self, path, text):
        path.write_text("#!/bin/bash\n" + text + "\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def program(self, name, text):
        self.script(self.bundle / name, text)

    def checker(self, probe="echo 'made up'", measure=MEASURING + "exit 0"):
        self.program("kernels_gpu_check", f'case $1 in --help) exit 0 ;; --probe) {probe}; exit ;; esac\n{measure}')

    def sanitizer(self, text):
        self.script(self.tools / "compute-sanitizer", text)

    def run_bundle(self, **limits):
        environment = {**os.environ, "PATH": f"{self.tools}:/usr/bin:/bin",
                       **{f"GPU_CHECK_{name.upper()}_SECONDS": str(value) for name, value in limits.items()}}
        return subprocess.run([self.bundle / "run.sh", self.out], env=environment, capture_output=True, text=True, timeout=100)

    def markdown(self):
        return (self.out / "gpu-check.md").read_text()

    def test_all_well(self):
        self.sanitizer('while [[ $1 == --* ]]; do [ "$1" = --error-exitcode ] || [ "$1" = --tool ] || '
                       '[ "$1" = --target-processes ] && shift; shift; done; "$@"')
        done = self.run_bundle()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for said in ("built from somewhere", "tests: all 1 passed", "tests skipped: A.c/cuda", "memcheck clean over 1 tests",
                     "racecheck clean", "synccheck clean"):
            self.assertIn(said, self.markdown())
        self.assertIn("memcheck clean", json.loads((self.out / "gpu-check.json").read_text())["sanitizers"])

    def test_no_gpu_is_one_line_and_77(self):
        self.checker(probe="echo 'kernels_gpu_check: no NVIDIA driver' >&2; exit 77")
        done = self.run_bundle()
        self.assertEqual((done.returncode, done.stdout), (77, "gpu-check: no NVIDIA driver\n"))
        self.assertFalse((self.out / "gpu-check.json").exists())

    def test_a_gpu_that_cannot_be_used_is_a_failure(self):
        self.checker(probe="echo 'kernels_gpu_check: the driver is old' >&2; exit 1")
        done = self.run_bundle()
        self.assertEqual((done.returncode, done.stdout), (1, "gpu-check: the driver is old\n"))

    def test_a_gpu_that_does_not_answer(self):
        self.checker(probe="sleep 60")
        done = self.run_bundle(probe=1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("did not answer within 1 s", done.stdout)

    def test_a_failed_test_is_named_and_measurements_go_on(self):
        self.program("kernels_tests", PASSING + "; echo '[  FAILED  ] A.d/cuda (3 ms)'; exit 1")
        done = self.run_bundle()
        self.assertEqual(done.returncode, 1)
        self.assertIn("tests: FAILED: A.d/cuda; 1 passed", self.markdown())

    def test_a_test_that_hangs_is_named_and_measurements_go_on(self):
        self.program("kernels_tests", PASSING + "; echo '[ RUN      ] A.hangs/cuda'; exec sleep 60")
        begin = time.monotonic()
        done = self.run_bundle(test=1, sanitizer=1)
        self.assertLess(time.monotonic() - begin, 50)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not through after 1 s: 1 passed, in A.hangs/cuda then", self.markdown())

    def test_no_test_at_all_is_a_failure(self):
        self.program("kernels_tests", "exit 0")
        self.assertEqual(self.run_bundle().returncode, 1)
        self.assertIn("tests: FAILED", self.markdown())

    def test_a_missed_goal_is_2_and_a_failed_test_outweighs_it(self):
        self.checker(measure=MEASURING + "exit 2")
        self.assertEqual(self.run_bundle().returncode, 2)
        self.program("kernels_tests", PASSING + "; echo '[  FAILED  ] A.d/cuda (3 ms)'; exit 1")
        self.assertEqual(self.run_bundle().returncode, 1)

    def test_measurements_that_hang_leave_what_they_had(self):
        self.checker(measure=MEASURING + "exec sleep 60")
        done = self.run_bundle(measure=1, grace=1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("# made up", self.markdown())
        self.assertIn("the files have what there was", done.stdout)

    def test_a_sanitizer_that_refuses_is_quoted_and_no_failure(self):
        self.sanitizer("echo '========= COMPUTE-SANITIZER'; echo '========= Error: Device not supported. Try elsewhere.'; exit 1")
        done = self.run_bundle()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("memcheck refuses: Error: Device not supported.", self.markdown())

    def test_a_fault_that_a_sanitizer_finds_is_a_failure(self):
        self.sanitizer("echo '========= Invalid __global__ write of size 4 bytes'; echo '========= ERROR SUMMARY: 1 error'; exit 9")
        done = self.run_bundle()
        self.assertEqual(done.returncode, 1)
        self.assertIn("memcheck FAILED with exit code 9", self.markdown())

    def test_a_machine_without_a_sanitizer_says_so(self):
        if shutil.which("compute-sanitizer", path="/usr/bin:/bin") or list(pathlib.Path("/usr/local").glob("cuda*/bin/compute-sanitizer")):
            self.skipTest("this machine has a compute-sanitizer")
        self.assertEqual(self.run_bundle().returncode, 0)
        self.assertIn("there is no compute-sanitizer on this machine", self.markdown())

    def test_a_place_that_cannot_be_written_is_named(self):
        self.out.write_text("a file, no folder")
        done = self.run_bundle()
        self.assertEqual(done.returncode, 73)
        self.assertIn(f"cannot write to {self.out}", done.stderr)


class RealProgram(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = harness.BIN / "kernels_gpu_check"
        said = self.probe()
        if "no CUDA kernels" in said.stderr:
            self.skipTest("this build has no CUDA kernels")

    def probe(self, **environment):
        return subprocess.run([self.program, "--probe"], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)

    def driver(self, version):
        """A folder with a driver that says it is of this CUDA version and has a device."""
        source = pathlib.Path(self.folder.name) / "driver.c"
        source.write_text(f"int cuDriverGetVersion(int* v) {{ *v = {version}; return 0; }}\n"
                          "int cuInit(unsigned f) { (void)f; return 0; }\nint cuDeviceGetCount(int* n) { *n = 1; return 0; }\n")
        compiler = shutil.which("gcc") or self.skipTest("gcc is not installed")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", source.with_name("libcuda.so.1"), source], check=True)
        return self.folder.name

    def test_a_machine_without_a_driver(self):
        said = self.probe()
        if said.returncode == 0:
            self.skipTest(f"this machine has a GPU: {said.stdout.strip()}")
        if "no libcuda.so.1" not in said.stderr:
            self.skipTest(f"this machine has a driver: {said.stderr.strip()}")
        self.assertEqual((said.returncode, said.stderr.count("\n")), (77, 1), said.stderr)

    def test_a_driver_older_than_the_program(self):
        said = self.probe(LD_LIBRARY_PATH=self.driver(11080))
        self.assertEqual((said.returncode, said.stderr.count("\n")), (1, 1), said.stderr)
        self.assertRegex(said.stderr, r"the driver knows CUDA 11\.8 and this program was built with CUDA 1[2-9]\.\d+: install")


if __name__ == "__main__":
    unittest.main(verbosity=2)
