#!/usr/bin/env bash
# usage: launch/quickstart.sh [--ranks N] [--model DIR] [--assistant DIR] [--help]
#
# From a clean machine to a result: sets up what is missing, builds the program, then runs the main
# job of configs/quickstart.cfg on GSM8K with real MPI ranks: precompute the assistant's thoughts,
# train the projection, evaluate zero-shot CoT and SoftCoT on held-out questions, and report. A
# second run reuses what is there.
#   --ranks N        MPI ranks (default: one for each core, at most 2)
#   --model DIR      your own backbone, a Hugging Face folder (default SmolLM2-135M-Instruct)
#   --assistant DIR  your own assistant (default: the backbone's folder)
# The results lie in runs/quickstart, with models of your own in runs/quickstart-NAME.
set -euo pipefail
here=${PWD}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh

# A folder given on the command line means one seen from where the script was called.
folder_of() {
  (cd "${here}" && cd "$2" 2>/dev/null && pwd) ||
    give_up 3 "$1: no such folder: $2" "give the path of a Hugging Face folder"
}

cores=$(nproc)
ranks=$((cores < 2 ? 1 : 2)) model='' assistant=''
while (($#)); do
  case $1 in
    -h | --help) show_help launch/quickstart.sh ;;
    --ranks | --model | --assistant) (($# >= 2)) || give_up 2 "$1 needs a value" "launch/quickstart.sh --help" ;;&
    --ranks) ranks=$2 ;;
    --model) model=$(folder_of "$1" "$2") ;;
    --assistant) assistant=$(folder_of "$1" "$2") ;;
    *) give_up 2 "unknown option $1" "launch/quickstart.sh --help lists them" ;;
  esac
  shift 2
done
[[ ${ranks} =~ ^[1-9][0-9]*$ ]] || give_up 2 "--ranks ${ranks} is not a number of ranks" "give 1 or more"

run=runs/quickstart
[[ -z ${model} ]] || run+=-$(basename "${model}")
[[ -z ${assistant} ]] || run+=-$(basename "${assistant}")
settings=(--config configs/quickstart.cfg)
# By the environment, since every command takes from there what it uses.
export SOFTCOT_RUN_FOLDER=${run}
[[ -z ${model} ]] || export SOFTCOT_MODEL_PATH=${model}
[[ -z ${assistant}${model} ]] || export SOFTCOT_ASSISTANT_PATH=${assistant:-${model}}

if [[ -n ${model} ]]; then launch/setup.sh --no-model; else launch/setup.sh; fi
mkdir -p "${run}"
steps_log=${PWD}/build/quickstart.log
: >"${steps_log}"
build_targets softcot

# Open MPI by itself refuses root, more ranks than cores, and spins while it waits.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > ranks ? cores / ranks : 1))}
softcot=build/${SOFTCOT_PRESET:-cpu}/launch/softcot

# step NUMBER TEXT COMMAND…: one part of the job; its own progress lines are shown.
step() {
  local number=$1 text=$2 start=${SECONDS} status=0
  shift 2
  say "step ${number} of 4: ${text}"
  "$@" </dev/null || status=$?
  ((status == 0)) || give_up "${status}" "step ${number} of 4 (${text}) failed" \
    "the line above says why; launch/quickstart.sh goes on from here"
  say "step ${number} of 4: done in $(steps_time $((SECONDS - start)))"
}
on_ranks() { mpirun --quiet --oversubscribe --bind-to none -n "${ranks}" "$@"; }

step 1 "thoughts of the assistant, ${ranks} ranks" on_ranks "${softcot}" precompute "${settings[@]}"
step 2 "training the projection, ${ranks} ranks" on_ranks "${softcot}" train "${settings[@]}" --resume
step 3 "zero-shot CoT and SoftCoT on held-out questions" on_ranks "${softcot}" evaluate "${settings[@]}"
step 4 "the result" "${softcot}" report "${settings[@]}"
say "finished; all of it lies in ${run}"
