#!/usr/bin/env bash
# Runs compute-sanitizer (memcheck, racecheck, synccheck) over the tests of a few kernels of every kind. A sanitizer that
# cannot work on this machine is quoted and is no failure. usage: sanitize.sh SECONDS_EACH OUT_DIR COMMAND...
# COMMAND is kernels_tests with whatever starts it. Exit codes: 0 clean or refused, 1 a fault was found, 77 no GPU or no
# compute-sanitizer. The last line says how it ended.
set -uo pipefail
limit=$1 out=$2
shift 2

sanitizer=$(command -v compute-sanitizer)
for candidate in /usr/local/cuda*/bin/compute-sanitizer; do
  if [ -z "$sanitizer" ] && [ -x "$candidate" ]; then sanitizer=$candidate; fi
done
if [ -z "$sanitizer" ]; then
  echo "sanitizers: there is no compute-sanitizer on this machine"
  exit 77
fi
some='*GoldenProducts/cuda_*:*JoinsParts*/cuda_*:*CopiedBlocks*/cuda_*:*EmbedAndGather/cuda_*:*GreedyTakes*/cuda_*'
some+=':*ReadsNarrowCaches*/cuda:*ManyTokensInOneBin*/cuda_exact*:*GreatestOfFourBits*/cuda:*DifferentKeys*/cuda'
some+=':*ManyRowsAtOnce*/cuda:-*emulated*'
if ! timeout -k 5 "$limit" "$@" --gtest_filter="$some" >"$out/sanitizer-none.log" 2>&1 || ! grep -q '^\[       OK \]' "$out/sanitizer-none.log"; then
  echo "sanitizers: the tests do not run on a GPU here, or fail without one too"
  exit 77
fi

ends=()
failed=0
for tool in memcheck racecheck synccheck; do
  log=$out/sanitizer-$tool.log
  timeout -k 5 "$limit" "$sanitizer" --tool "$tool" --target-processes all --error-exitcode 9 "$@" --gtest_filter="$some" >"$log" 2>&1
  code=$?
  # A line of its own making that names no fault of ours: the device or the driver is not for it.
  refusal=$(grep -m 1 -iE 'device not supported|not supported|unable to|could not|error: .*(initialize|attach|internal)' "$log")
  tests=$(grep -c '^\[       OK \]' "$log")
  if [ $code -eq 0 ]; then ends+=("$tool clean over $tests tests")
  elif [ $code -eq 124 ] || [ $code -eq 137 ]; then ends+=("$tool not through after $limit s: clean over $tests tests")
    if grep -qE 'ERROR SUMMARY: [1-9]|========= (Invalid|Error|Race|Barrier)' "$log"; then failed=1; ends[-1]="$tool FAILED, see $log"; fi
  elif [ $code -ne 9 ] && [ -n "$refusal" ] && [ "$tests" -eq 0 ]; then ends+=("$tool refuses: ${refusal#========= }")
  else failed=1; ends+=("$tool FAILED with exit code $code, see $log")
  fi
done
printf -v all '%s; ' "${ends[@]}"
echo "sanitizers: ${all%; }"
exit $failed
