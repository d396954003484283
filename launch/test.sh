#!/usr/bin/env bash
# usage: launch/test.sh [--help] [CTEST ARGUMENT…]      e.g. launch/test.sh -L unit
#
# Sets up what is missing, builds everything and runs the tests: all of them, or those that the
# arguments given on to ctest choose (labels: unit parity distributed recovery slurm slow gpu bench build).
#   SOFTCOT_PRESET      the CMake preset: cpu (default), asan or cuda
#   SOFTCOT_SLURM=0     leave out the tests on a private Slurm, whose packages root gets installed
#   SOFTCOT_FIXTURES    another folder of numeric fixtures for the parity tests
#   SOFTCOT_MODELS      a folder that holds SmolLM2-135M-Instruct; build/models by default
#   SOFTCOT_TOKENIZERS  a folder of tokenizers, llama3/ qwen2/ smollm2/, each with a tokenizer.json;
#                       without it, ../shared/tokenizers is taken if it exists
# The last lines list the tests that were skipped and give ctest's own verdict.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh
[[ ${1:-} != -h && ${1:-} != --help ]] || show_help launch/test.sh

preset=${SOFTCOT_PRESET:-cpu}
if [[ -z ${SOFTCOT_TOKENIZERS:-} && -d ../shared/tokenizers ]]; then
  SOFTCOT_TOKENIZERS=$(cd ../shared/tokenizers && pwd)
fi
export SOFTCOT_TOKENIZERS=${SOFTCOT_TOKENIZERS:-}

launch/setup.sh
steps_log=${PWD}/build/test.log
: >"${steps_log}"
# shellcheck disable=SC2119 # of its own it takes none: all targets
build_targets
say "running the tests"
status=0
ctest --preset "${preset}" --parallel "$(nproc)" "$@" </dev/null 2>&1 | tee -a "${steps_log}" || status=$?

# A test program may skip some of its tests: GoogleTest says which, in ctest's log of their output.
results=build/${preset}/Testing/Temporary/LastTest.log
mapfile -t skipped < <({
  sed -nE 's/^\[  SKIPPED \] ([[:alnum:]_/]+\.[^ ]+)( \(.*)?$/\1/p' "${results}"
  sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) .*\*\*\*(Skipped|Not Run).*/\1/p' "${steps_log}"
} 2>/dev/null | sort -u)
echo
say "tests skipped: ${#skipped[@]}"
((${#skipped[@]} == 0)) || printf '        %s\n' "${skipped[@]}"
grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "${steps_log}" | tail -n 1 || true
exit "${status}"
