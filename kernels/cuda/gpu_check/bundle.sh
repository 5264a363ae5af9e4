#!/usr/bin/env bash
# Puts everything that a machine with a GPU needs to check and measure the kernels into one folder: the programs and the
# libraries they were linked with. usage: bundle.sh BUILD_DIR FOLDER
set -euo pipefail
build=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/libc"
for program in kernels_tests kernels_gpu_check; do
  strip -o "$folder/$program" "$build/bin/$program"
  ldd "$build/bin/$program" | awk '$3 ~ /^\// {print $3} $1 ~ /^\// {print $1}' | while read -r library; do
    case ${library##*/} in
      libc.so* | libm.so* | ld-linux*) cp -Lu "$library" "$folder/libc/" ;; # for machines whose own are older
      *) cp -Lu "$library" "$folder/lib/" ;;
    esac
  done
done
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cp "$source/run.sh" "$source/sanitize.sh" "$folder/"
changed=$(git -C "$source" status --porcelain --untracked-files=no -- ../.. 2>/dev/null | head -n 1)
echo "built from $(git -C "$source" rev-parse --short HEAD 2>/dev/null || echo unknown)${changed:+, with changes}," \
  "$(date -u +%Y-%m-%d)" >"$folder/VERSION"
kib=$(du -sk "$folder" | cut -f1)
echo "$folder: $((kib / 1024)) MiB"
if [ "$kib" -gt 65536 ]; then
  echo "bundle.sh: more than the 64 MiB that a bundle may have" >&2
  exit 1
fi
