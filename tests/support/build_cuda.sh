#!/usr/bin/env bash
# usage: tests/support/build_cuda.sh
#
# Compiles and links the program as the preset cuda does, in build/cuda-link, and holds that it asks for
# LibTorch's CUDA libraries. To run it those would have to be there in full. What the preset cpu has
# compiled comes out of ccache; ends with 77 where there is none, since all would be compiled again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v ccache >/dev/null || { echo "[  SKIPPED ] no ccache"; exit 77; }
cmake --preset cuda -B build/cuda-link -DSOFTCOT_TESTS=OFF
# With some compilers (GCC 13) a precompiled header in another folder is another one to ccache: then all
# would be compiled again, for a quarter of an hour.
hits() { ccache --print-stats | awk '/^(direct|preprocessed)_cache_hit\t/ {sum += $2} END {print sum + 0}'; }
misses() { ccache --print-stats | awk '/^cache_miss\t/ {print $2}'; }
hits_before=$(hits) misses_before=$(misses)
cmake --build build/cuda-link --target runtime/CMakeFiles/softcot_runtime_plain.dir/error.cpp.o
if (($(hits) == hits_before && $(misses) > misses_before)); then
  echo "[  SKIPPED ] nothing comes out of ccache here"
  exit 77
fi
cmake --build build/cuda-link --parallel "$(nproc)" --target softcot
for library in torch_cuda c10_cuda cudart; do
  readelf -d build/cuda-link/launch/softcot | grep "NEEDED.*lib${library}\.so" || {
    echo "build/cuda-link/launch/softcot does not ask for lib${library}.so"
    exit 1
  }
done
