#!/usr/bin/env bash
# usage: launch/tidy.sh [--help] [FILE.cpp…]
#
# Checks our C++ files, or the given ones, with clang-tidy and .clang-tidy; status 1 if it has
# something to say. Needs a configured machine (launch/setup.sh) and the package clang-tidy. It reads
# the files without the precompiled header, so it also finds an include that only that header gives.
# CLANG_TIDY names another program (default clang-tidy; the checks are those of version 14).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh
case ${1:-} in -h | --help) show_help launch/tidy.sh ;; esac
program=${CLANG_TIDY:-clang-tidy}
command -v "${program}" >/dev/null || give_up 6 "no ${program}" "apt-get install clang-tidy"

mkdir -p build/tidy
steps_log=${PWD}/build/tidy/log
: >"${steps_log}"
quietly "configuring build/tidy" cmake --preset "${SOFTCOT_PRESET:-cpu}" -B build/tidy \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON ||
  give_up 70 "the build could not be configured" "read the lines above"
if (($#)); then
  files=("$@")
else
  mapfile -t files < <(sed -nE 's|^ *"file": "(.*)"$|\1|p' build/tidy/compile_commands.json |
    grep -v '_pch.cpp$' | sort -u)
fi
say "checking ${#files[@]} files"
# Flags that are GCC's alone are no matter of style.
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "${program}" -p build/tidy --quiet \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument ||
  give_up 1 "clang-tidy has remarks" "read the lines above"
say "nothing to remark"
