#!/usr/bin/env bash
# usage: launch/mpirun.sh -n RANKS [--hostfile FILE] [--ranks-per-node K] [--threads T]
#                         [--bind core|numa|none] [--program FILE] [--dry-run] -- COMMAND …
#
# Starts softcot with Open MPI, on this machine or on the hosts of a file, for instance
#     launch/mpirun.sh -n 8 --hostfile hosts --ranks-per-node 4 -- train --config my.cfg --resume
# Inside a Slurm allocation it takes the nodes of that. TERM, INT and USR1 make train save a checkpoint
# and end with 75; the exit status is softcot's. The ranks get this shell's SOFTCOT_*, NCCL_*,
# OMP_NUM_THREADS, HDF5_USE_FILE_LOCKING and LD_LIBRARY_PATH.
#   -n RANKS            ranks in all
#   --hostfile FILE     one host a line; softcot and all files lie there under the same paths
#   --ranks-per-node K  ranks on each host (default: all RANKS here, one on each host of a file)
#   --threads T         threads of a rank (default $OMP_NUM_THREADS, else this machine's cores / K)
#   --bind WHERE        cores of its own for each rank, one NUMA node's, or any (default: core, if this
#                       machine has K × T cores, else none; none where jobs share a host)
#   --program FILE      the program (default: build/cpu/launch/softcot of this checkout)
#   --dry-run           print the call of mpirun, and do nothing
# What else mpirun shall know goes into its own variables, as OMPI_MCA_btl_tcp_if_include=eth0.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/tools/steps.sh
source "${home}/launch/tools/steps.sh"

ranks='' hostfile='' per_node='' threads=${OMP_NUM_THREADS:-} bind='' dry=0
program=${home}/build/${SOFTCOT_PRESET:-cpu}/launch/softcot
while (($#)); do
  case $1 in
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    --) shift && break ;;
    --dry-run) dry=1 && shift && continue ;;
    -n | --hostfile | --ranks-per-node | --threads | --bind | --program)
      (($# >= 2)) || give_up 2 "$1 needs a value" "launch/mpirun.sh --help"
      ;;&
    -n) ranks=$2 ;;
    --hostfile) hostfile=$2 ;;
    --ranks-per-node) per_node=$2 ;;
    --threads) threads=$2 ;;
    --bind) bind=$2 ;;
    --program) program=$2 ;;
    *) give_up 2 "unknown option $1" "softcot's own words come after --; launch/mpirun.sh --help" ;;
  esac
  shift 2
done

# number NAME VALUE: it must be one, from 1 on.
number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || give_up 2 "$1 is not a number from 1 on: '$2'" "launch/mpirun.sh --help"; }
number -n "${ranks}"
[[ -n ${per_node} ]] || per_node=$([[ -z ${hostfile} ]] && echo "${ranks}" || echo 1)
number --ranks-per-node "${per_node}"
# Where there is no /sys, lscpu fails; then threads that share a core count as cores.
cores=$(lscpu -b -p=core,socket 2>/dev/null | grep -v '^#' | sort -u | wc -l) || cores=0
((cores > 0)) || cores=$(nproc)
[[ -n ${threads} ]] || threads=$((cores > per_node ? cores / per_node : 1))
number --threads "${threads}"
[[ -n ${bind} ]] || bind=$( ((per_node * threads <= cores)) && echo core || echo none)
(($#)) || give_up 2 "no command of softcot" "give one after --, for instance: -- train --config my.cfg"
[[ -z ${hostfile} || -r ${hostfile} ]] || give_up 2 "cannot read ${hostfile}" "give --hostfile a file of host names"
command -v mpirun >/dev/null || give_up 6 "no mpirun here" "install Open MPI or load its module"
[[ -x ${program} ]] || give_up 2 "no program ${program}" "build it with launch/quickstart.sh, or give --program"

call=(mpirun --quiet --oversubscribe -n "${ranks}" --rank-by slot)
[[ -z ${hostfile} ]] || call+=(--hostfile "${hostfile}")
case ${bind} in
  core) call+=(--map-by "ppr:${per_node}:node:PE=${threads}" --bind-to core) ;;
  numa | none) call+=(--map-by "ppr:${per_node}:node" --bind-to "${bind}") ;;
  *) give_up 2 "--bind ${bind} is none of core, numa, none" "launch/mpirun.sh --help" ;;
esac
# Slurm begins a preemption with TERM to what it has started on the other nodes. mpirun's helper there,
# Open MPI's orted, would end its ranks within a second; they get the signal themselves, and save.
if [[ -n ${SLURM_JOB_ID:-} && -z ${OMPI_MCA_orte_launch_agent:-} ]] && env --block-signal=TERM true 2>/dev/null; then
  call+=(--mca orte_launch_agent "env --block-signal=TERM orted")
fi
export OMP_NUM_THREADS=${threads}
while read -r name; do
  call+=(-x "${name}")
done < <(compgen -e | grep -E '^(SOFTCOT_.*|NCCL_.*|OMP_NUM_THREADS|HDF5_USE_FILE_LOCKING|LD_LIBRARY_PATH)$')
if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
call+=("${program}" "$@")
if ((dry)); then
  printf '%q ' "${call[@]}"
  echo
  exit 0
fi
run_stoppable "${call[@]}"
