#!/usr/bin/env bash
# Runs every GPU test, the sanitizers on some, then the measurements; writes gpu-check.json and gpu-check.md. Needs a
# driver and nothing else; compute-sanitizer is used where there is one. usage: run.sh [OUT_DIR] [SECONDS]
# Exit codes: 0 all well, 1 a test, a sanitizer or a measurement failed, 77 no GPU.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$PWD/gpu-check-results}
seconds=${2:-240}
mkdir -p "$out" || exit 1

# With the machine's own C library where it is new enough, with the one that was brought along otherwise.
start=(env "LD_LIBRARY_PATH=$out/.lib:${LD_LIBRARY_PATH:-}")
mkdir -p "$out/.lib"
find "$here/lib" -type f ! -name 'libc.so*' ! -name 'libm.so*' ! -name 'ld-linux*' -exec cp -u {} "$out/.lib/" \;
trap 'rm -rf "$out/.lib"' EXIT
if ! "${start[@]}" "$here/kernels_gpu_check" --help >/dev/null 2>&1; then
  start=("$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib:${LD_LIBRARY_PATH:-/usr/lib/x86_64-linux-gnu}")
fi

gpu=$("${start[@]}" "$here/kernels_gpu_check" --probe)
code=$?
if [ $code -ne 0 ]; then
  echo "gpu-check: $gpu"
  exit $code
fi
echo "gpu-check: $gpu"

notes=()
failed=0
# step NAME LIMIT_S COMMAND...: its output goes to NAME.log, how it ended to the notes.
step() {
  local name=$1 limit=$2 result=passed
  shift 2
  echo "gpu-check: $name"
  timeout "$limit" "$@" >"$out/$name.log" 2>&1 || { result="FAILED with exit code $?"; failed=1; }
  tail -n 3 "$out/$name.log"
  notes+=(--note "$name: $result")
}

step tests 150 "${start[@]}" "$here/kernels_tests" --gtest_filter='*cuda*-*emulated*'
grep -c '^\[       OK \]' "$out/tests.log" | sed 's/$/ tests ran on the GPU/'
skipped=$(sed -n 's/^\[  SKIPPED \] \([^ ]*\) (.*/\1/p' "$out/tests.log" | sort -u | paste -sd ' ')
echo "skipped: ${skipped:-none}"
notes+=(--note "tests skipped: ${skipped:-none}")
if ! grep -q '^\[       OK \]' "$out/tests.log"; then
  notes+=(--note "tests: none ran on the GPU")
  failed=1
fi
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
if [ -n "$sanitizer" ]; then
  some='*GoldenProducts/cuda_*:*JoinsParts*/cuda_*:*CopiedBlocks*/cuda_*:*EmbedAndGather/cuda_*:*GreedyTakes*/cuda_*'
  some+=':*ReadsNarrowCaches*/cuda:*ManyTokensInOneBin*/cuda_exact*:*GreatestOfFourBits*/cuda:*DifferentKeys*/cuda:-*emulated*'
  for tool in memcheck racecheck synccheck; do
    step "sanitizer-$tool" 60 "${start[@]}" "$sanitizer" --tool "$tool" --error-exitcode 9 "$here/kernels_tests" \
      --gtest_filter="$some"
  done
else
  notes+=(--note "sanitizer: there is no compute-sanitizer on this machine")
fi
"${start[@]}" "$here/kernels_gpu_check" --json "$out/gpu-check.json" --markdown "$out/gpu-check.md" \
  --seconds "$seconds" "${notes[@]}" || failed=1
exit $failed
