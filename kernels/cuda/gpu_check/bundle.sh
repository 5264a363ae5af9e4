#!/usr/bin/env bash
# Puts everything that a machine with a GPU needs to check and measure the kernels into one folder: the programs and the
# libraries they were linked with. usage: bundle.sh BUILD_DIR FOLDER
set -euo pipefail
build=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/lib"
for program in kernels_tests kernels_gpu_check; do
  strip -o "$folder/$program" "$build/bin/$program"
  ldd "$build/bin/$program" | awk '$3 ~ /^\// {print $3} $1 ~ /^\// {print $1}' | while read -r library; do
    cp -Lu "$library" "$folder/lib/"
  done
done
cp "$(dirname "${BASH_SOURCE[0]}")/run.sh" "$folder/run.sh"
kib=$(du -sk "$folder" | cut -f1)
echo "$folder: $((kib / 1024)) MiB"
if [ "$kib" -gt 65536 ]; then
  echo "bundle.sh: more than the 64 MiB that a bundle may have" >&2
  exit 1
fi
