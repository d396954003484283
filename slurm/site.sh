# Sourced by the scripts that submit jobs: the site's values, and how a job is submitted.
# shellcheck shell=bash
set -euo pipefail
SITE_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/tools/steps.sh
source "${SITE_HOME}/launch/tools/steps.sh"
site_dry=0

# site NAME COMMAND: the value of SITE_NAME_COMMAND, else of SITE_NAME.
site() {
  local own=SITE_$1_$2 common=SITE_$1
  echo "${!own:-${!common:-}}"
}

# require_site COMMAND: what its job cannot do without is there.
require_site() {
  local name value fix="set it in ${SITE_FILE} (slurm/site.env.example explains it)"
  for name in NODES RANKS_PER_NODE CPUS_PER_RANK TIME; do
    value=$(site "${name}" "$1")
    [[ -n ${value} ]] || give_up 2 "SITE_${name} is not set" "${fix}"
    [[ ${name} == TIME || ${value} =~ ^[1-9][0-9]*$ ]] ||
      give_up 2 "SITE_${name} is not a number from 1 on: '${value}'" "${fix}"
  done
  value=$(site GPUS_PER_NODE "$1")
  [[ ${value} =~ ^(([A-Za-z0-9_.-]+:)?[1-9][0-9]*)?$ ]] ||
    give_up 2 "SITE_GPUS_PER_NODE is neither a number from 1 on nor TYPE:NUMBER: '${value}'" "${fix}"
}

# load_site COMMAND…: reads SITE_FILE and checks that their jobs can be submitted from here.
load_site() {
  local given=${SITE_FILE:-} command
  SITE_FILE=${given:-${SITE_HOME}/slurm/site.env}
  if [[ -r ${SITE_FILE} && ! -d ${SITE_FILE} ]]; then
    local name over=()
    for name in "${!SITE_@}"; do over+=("${name}=${!name}"); done
    # shellcheck disable=SC1090
    source "${SITE_FILE}"
    for name in "${over[@]}"; do declare -g "${name}"; done
  elif [[ -n ${given} ]]; then
    give_up 2 "cannot read ${SITE_FILE}" "SITE_FILE names a file like slurm/site.env.example"
  fi
  SITE_PROGRAM=${SITE_PROGRAM:-${SITE_HOME}/build/${SOFTCOT_PRESET:-cpu}/launch/softcot}
  SITE_LOGS=${SITE_LOGS:-runs/slurm}
  export "${!SITE_@}"
  for command in "$@"; do require_site "${command}"; done
  ((site_dry)) || command -v sbatch >/dev/null ||
    give_up 6 "no sbatch here" "call it where Slurm's commands are, or start ranks with launch/mpirun.sh"
  [[ -x ${SITE_PROGRAM} ]] || give_up 2 "no program ${SITE_PROGRAM}" "build it with launch/quickstart.sh, or set SITE_PROGRAM"
}

# submit COMMAND OPTIONS… -- ARGUMENTS…: submits slurm/COMMAND.sbatch with sbatch's OPTIONS and gives
# it the ARGUMENTS; prints the number of the job. A dry run prints the call, and COMMAND as its number.
submit() {
  local command=$1 call id
  shift
  local ranks cpus nodes gpus words
  nodes=$(site NODES "${command}") ranks=$(site RANKS_PER_NODE "${command}") cpus=$(site CPUS_PER_RANK "${command}")
  call=(sbatch --parsable "--time=$(site TIME "${command}")" "--signal=B:USR1@${SITE_STOP_SECONDS:-180}")
  # A report is one process, whatever the others are.
  if [[ ${command} == report ]]; then nodes=1 ranks=1; fi
  call+=("--nodes=${nodes}" "--ntasks-per-node=${ranks}" "--ntasks=$((nodes * ranks))" "--cpus-per-task=${cpus}")
  [[ -z $(site PARTITION "${command}") ]] || call+=("--partition=$(site PARTITION "${command}")")
  [[ -z $(site ACCOUNT "${command}") ]] || call+=("--account=$(site ACCOUNT "${command}")")
  gpus=$(site GPUS_PER_NODE "${command}")
  [[ -z ${gpus} || ${command} == report ]] || call+=("--gres=gpu:${gpus}")
  read -ra words <<<"$(site SBATCH "${command}")"
  call+=(${words[@]+"${words[@]}"})
  while [[ $1 != -- ]]; do call+=("$1") && shift; done
  shift
  local log=%j
  [[ ${call[*]} != *--array=* ]] || log=%A-%a
  call+=("--output=${SITE_LOGS}/%x-${log}.log" "${SITE_HOME}/slurm/${command}.sbatch" "$@")
  if ((site_dry)); then
    printf '%q ' "${call[@]}" >&2
    echo >&2
    echo "${command}"
    return
  fi
  mkdir -p "${SITE_LOGS}" 2>/dev/null || give_up 6 "no folder ${SITE_LOGS} for the output of jobs" "set SITE_LOGS in ${SITE_FILE}"
  id=$("${call[@]}") || give_up 6 "sbatch refused the job softcot-${command}" "read the line above"
  say "softcot-${command}: job ${id%%;*}" >&2
  echo "${id%%;*}"
}
