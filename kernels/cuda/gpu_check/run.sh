#!/usr/bin/env bash
# Runs every GPU test, then the measurements, then the sanitizers on some tests; all of it ends within eight minutes. Needs
# a driver and nothing else; cuBLAS and compute-sanitizer are used where there are any.
# usage: run.sh [OUT_DIR]: gpu-check.json, gpu-check.md and logs go there.
# Exit codes: 0 all well, 1 a test, a sanitizer or a measurement failed, 2 a goal was missed, 73 OUT_DIR cannot be
# written, 77 no GPU.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$PWD/gpu-check-results}
# Limits, and some seconds more each until what hangs is killed. Tests of this script set their own.
probe_seconds=${GPU_CHECK_PROBE_SECONDS:-30} test_seconds=${GPU_CHECK_TEST_SECONDS:-110}
measure_seconds=${GPU_CHECK_MEASURE_SECONDS:-150} sanitizer_seconds=${GPU_CHECK_SANITIZER_SECONDS:-28}
grace_seconds=${GPU_CHECK_GRACE_SECONDS:-20} # of measurements, to end the one that is under way
if ! mkdir -p "$out" || ! : >"$out/gpu-check.md"; then
  echo "gpu-check: cannot write to $out; name a folder that can be written: run.sh OUT_DIR" >&2
  exit 73
fi
out=$(cd "$out" && pwd)
rm -f "$out/gpu-check.json" "$out/gpu-check.md" "$out/tests.log" "$out"/sanitizer-*.log

# Where drivers and toolkits are that the loader may not know of; and a cuBLAS of Python packages.
folders=/usr/local/nvidia/lib64:/usr/local/nvidia/lib:/usr/local/cuda/lib64
if ! ldconfig -p 2>/dev/null | grep -qE 'libcublas\.so\.1[23]'; then
  found=$(timeout 10 find / -xdev \( -name 'libcublas.so.13' -o -name 'libcublas.so.12' \) -print -quit 2>/dev/null)
  [ -z "$found" ] || folders+=:$(dirname "$found")
fi
path=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folders

# With the machine's own C library where it is new enough, with the one that was brought along otherwise.
start=(env "LD_LIBRARY_PATH=$here/lib:$path")
if ! "${start[@]}" "$here/kernels_gpu_check" --help >/dev/null 2>&1; then
  start=("$here/libc/ld-linux-x86-64.so.2" --library-path "$here/libc:$here/lib:$path:/usr/lib/x86_64-linux-gnu")
fi

gpu=$(timeout -k 5 "$probe_seconds" "${start[@]}" "$here/kernels_gpu_check" --probe 2>&1)
code=$?
if [ $code -eq 124 ] || [ $code -eq 137 ]; then gpu="the GPU did not answer within $probe_seconds s" code=1; fi
echo "gpu-check: ${gpu#kernels_gpu_check: }"
[ $code -eq 0 ] || exit $code

notes=(--note "$(cat "$here/VERSION" 2>/dev/null || echo 'built from unknown sources')")
code=0
echo "gpu-check: tests, up to $test_seconds s"
timeout -k 5 "$test_seconds" "${start[@]}" "$here/kernels_tests" --gtest_filter='*cuda*-*emulated*' >"$out/tests.log" 2>&1
ended=$?
passed=$(grep -c '^\[       OK \]' "$out/tests.log")
failures=$(sed -n 's/^\[  FAILED  \] \([^ ]*\) (.*/\1/p' "$out/tests.log" | sort -u | paste -sd ' ')
skipped=$(sed -n 's/^\[  SKIPPED \] \([^ ]*\) (.*/\1/p' "$out/tests.log" | sort -u | paste -sd ' ')
last=$(sed -n 's/^\[ RUN      \] //p' "$out/tests.log" | tail -n 1)
if [ $ended -eq 0 ] && [ "$passed" -gt 0 ]; then result="tests: all $passed passed"
elif [ $ended -eq 124 ] || [ $ended -eq 137 ]; then result="tests: FAILED, not through after $test_seconds s: $passed passed, in $last then"; code=1
elif [ -n "$failures" ]; then result="tests: FAILED: $failures; $passed passed"; code=1
else result="tests: FAILED with exit code $ended in ${last:-none}; $passed passed"; code=1
fi
echo "$result"
echo "skipped: ${skipped:-none}"
notes+=(--note "$result" --note "tests skipped: ${skipped:-none}")

echo "gpu-check: measurements, up to $measure_seconds s"
timeout -k 5 $((measure_seconds + grace_seconds)) "${start[@]}" "$here/kernels_gpu_check" --json "$out/gpu-check.json" \
  --markdown "$out/gpu-check.md" --seconds "$measure_seconds" "${notes[@]}"
ended=$?
if [ $ended -eq 2 ]; then
  [ $code -ne 0 ] || code=2
elif [ $ended -ne 0 ]; then
  echo "gpu-check: the measurements ended with exit code $ended; the files have what there was"
  code=1
fi

echo "gpu-check: sanitizers, up to $((4 * sanitizer_seconds)) s"
said=$("$here/sanitize.sh" "$sanitizer_seconds" "$out" "${start[@]}" "$here/kernels_tests" | tail -n 1)
case $said in *FAILED*) code=1 ;; esac
echo "$said"
printf '\n%s.\n' "$said" >>"$out/gpu-check.md"
[ ! -s "$out/gpu-check.json" ] ||
  sed -i "1s|{|{\"sanitizers\": \"$(printf '%s' "${said#sanitizers: }" | tr -d '"\\|&' | tr -c '[:print:]' ' ')\", |" "$out/gpu-check.json"
exit $code
