#!/usr/bin/env bash
# usage: launch/tidy.sh [--help] [FILE.cpp…]
#
# Checks our C++ files, or the given ones, with clang-tidy and .clang-tidy; status 1 if it has
# something to say. Needs a configured machine (launch/setup.sh); clang-tidy itself is a pinned wheel
# (20 MB), put into build/tidy at the first call. From version 22 on it passes over what lies in other
# people's headers: all files take a quarter of an hour on two cores, with version 14 hours.
# It reads the files without the precompiled header, so it also finds an include that only that gives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh
case ${1:-} in -h | --help) show_help launch/tidy.sh ;; esac

readonly wanted=22.1.8
mkdir -p build/tidy
steps_log=${PWD}/build/tidy/log
: >"${steps_log}"
program=build/tidy/tools/clang_tidy/data/bin/clang-tidy
if ! "${program}" --version 2>/dev/null | grep -q "version ${wanted}"; then
  quietly "installing clang-tidy ${wanted}" \
    build/venv/bin/python -m pip install --upgrade --no-deps --target build/tidy/tools "clang-tidy==${wanted}" ||
    give_up 6 "pip could not install clang-tidy ${wanted}" "run launch/setup.sh; check the network and pip's settings"
fi
quietly "configuring build/tidy" cmake --preset "${SOFTCOT_PRESET:-cpu}" -B build/tidy \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON ||
  give_up 70 "the build could not be configured" "read the lines above"
# OpenMP's header comes with the compiler; clang has none without its own OpenMP.
mkdir -p build/tidy/openmp
ln -sf "$(c++ -print-file-name=include)/omp.h" build/tidy/openmp/omp.h
if (($#)); then
  files=("$@")
else
  mapfile -t files < <(sed -nE 's|^ *"file": "(.*)"$|\1|p' build/tidy/compile_commands.json |
    grep -v '_pch.cpp$' | sort -u)
fi
say "checking ${#files[@]} files"
# Flags that are GCC's alone are no matter of style.
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "${program}" -p build/tidy --quiet --extra-arg="-isystem${PWD}/build/tidy/openmp" \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument ||
  give_up 1 "clang-tidy has remarks" "read the lines above"
say "nothing to remark"
