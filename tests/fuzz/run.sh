#!/usr/bin/env bash
# usage: tests/fuzz/run.sh [--keep] TARGET|all [SECONDS]      e.g. tests/fuzz/run.sh all 600
#
# Builds the targets of tests/fuzz with clang, libFuzzer and sanitizers (preset `fuzz`) and lets each
# run for SECONDS (60). What reaches new code is collected in build/fuzz/corpus/TARGET. An input that
# breaks a promise ends its target with a report and lies in build/fuzz/broken; mend the reader and
# put the input into tests/fuzz/corpus/TARGET.
#   --keep    afterwards fill up tests/fuzz/corpus/TARGET out of what was collected (keep.py)
# Exit status: 1 if any target found something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh
[[ $# -gt 0 && $1 != -h && $1 != --help ]] || show_help tests/fuzz/run.sh
keep=no
if [[ $1 == --keep ]]; then keep=yes && shift; fi
targets=$1
seconds=${2:-60}
[[ ${targets} != all ]] || targets=$(ls tests/fuzz/corpus)

cmake --preset fuzz >build/fuzz.log
cmake --build --preset fuzz >>build/fuzz.log || { tail -n 50 build/fuzz.log && exit 1; }
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
# The targets bound processor time themselves; on the clock of a busy machine anything may last.
limits=(-timeout=600 -rss_limit_mb=1024 -malloc_limit_mb=1024 -max_len=8192)
status=0
mkdir -p build/fuzz/broken
for target in ${targets}; do
  program=build/fuzz/tests/fuzz/fuzz_${target}
  found=build/fuzz/corpus/${target}
  kept=tests/fuzz/corpus/${target}
  log=build/fuzz/${target}.log
  mkdir -p "${found}"
  "${program}" "${limits[@]}" -max_total_time="${seconds}" -print_final_stats=1 \
    -artifact_prefix="build/fuzz/broken/${target}-" "${found}" "${kept}" >"${log}" 2>&1 || status=1
  if ((status == 1)) && ! grep -q '^Done ' "${log}"; then
    grep -E 'ERROR|SUMMARY|runtime error|broken promise|Test unit written' "${log}" || tail "${log}"
  fi
  printf '%-20s %s executions, %s of code\n' "${target}" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "${log}")" \
    "$(grep -oE 'cov: [0-9]+' "${log}" | tail -n 1)"
  if [[ ${keep} == yes ]]; then
    python3 tests/fuzz/keep.py "${program}" "${kept}" "${found}"
  fi
done
exit "${status}"
