# Sourced by the job scripts of this folder: starts softcot on the tasks of the job, hands signals on to
# it, and puts the job back into the queue when it was stopped before its end.
# shellcheck shell=bash
set -euo pipefail
# shellcheck source=launch/tools/steps.sh
source "${SITE_HOME}/launch/tools/steps.sh"
note_stops # a job may be asked before its ranks are there
if [[ -n ${SITE_SETUP:-} ]]; then
  set +eu # not written for them
  eval "${SITE_SETUP}"
  set -eu
fi

# mpi_plugin: the srun plugin that speaks PMIx; nothing if there is none.
mpi_plugin() {
  [[ -z ${SITE_SRUN_MPI:-} ]] || { echo "${SITE_SRUN_MPI}" && return; }
  srun --mpi=list 2>&1 | grep -oE '\bpmix(_v[0-9]+)?\b' | sort -u | head -n 1
}

# job_end: when its time limit ends the job, in seconds since 1970; older versions of Slurm do not say it
# in SLURM_JOB_END_TIME. Nothing for a job without a limit.
job_end() { date -d "$(squeue --noheader --jobs="${SLURM_JOB_ID}" --format=%e)" +%s 2>/dev/null || true; }

# job_shows PATTERN: whether Slurm's description of the job has such a field.
job_shows() { scontrol show job --oneliner "${SLURM_JOB_ID}" | grep -qE " $1 "; }

# hear_of_preemption OPTIONS…: Slurm begins it with TERM to the steps of a job. mpirun makes none on the job's first
# node; this one makes it a signal to this script. Its sleep may be ended before it is. OPTIONS are srun's.
hear_of_preemption() {
  # shellcheck disable=SC2016
  srun --nodes=1 --ntasks=1 --mpi=none "$@" \
    bash -c 'trap "kill -s USR1 $1; exit" TERM; while :; do sleep infinity & wait; done' - $$ &>/dev/null &
}

# was_stopped STATUS: by a signal that asks for it, with a checkpoint (75) or (128 + N) by a command that
# needs none or before there was anything to save; or anyhow, while Slurm is taking the job's nodes away.
was_stopped() {
  case $1 in
    0) return 1 ;;
    75 | 138 | 140 | 143) return 0 ;;
    *) job_shows 'PreemptTime=[0-9]\S*' ;;
  esac
}

# on_ranks COMMAND ARGUMENTS…: ends the job as softcot COMMAND ends on all its tasks.
on_ranks() {
  local plugin call status=0 own=SITE_GPUS_PER_NODE_$1
  local gpus=${!own:-${SITE_GPUS_PER_NODE:-}}
  plugin=$(mpi_plugin) || true
  SLURM_JOB_END_TIME=$(job_end)
  export SLURM_JOB_END_TIME
  export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
  case ${SITE_LAUNCHER:-auto}:${plugin} in
    auto:?* | srun:?*) call=(srun "--mpi=${plugin}" --kill-on-bad-exit=0 ${gpus:+"--gres=gpu:${gpus}"} "${SITE_PROGRAM}") ;;
    srun:) give_up 6 "srun knows no PMIx" "set SITE_LAUNCHER=mpirun, or SITE_SRUN_MPI to the plugin of your MPI" ;;
    auto: | mpirun:*)
      # It uses no GPU.
      [[ ${SLURM_JOB_NUM_NODES} != 1 ]] || hear_of_preemption ${gpus:+--gres=none}
      call=("${SITE_HOME}/launch/mpirun.sh" -n "${SLURM_NTASKS}" --ranks-per-node "${SLURM_NTASKS_PER_NODE}"
        --threads "${OMP_NUM_THREADS}" --program "${SITE_PROGRAM}" --)
      ;;
    *) give_up 2 "SITE_LAUNCHER=${SITE_LAUNCHER} is none of auto, srun, mpirun" "slurm/site.env.example explains it" ;;
  esac
  run_stoppable "${call[@]}" "$@" || status=$?
  # Not once somebody has cancelled the job; SIGNALING is a running one that Slurm is sending a signal to.
  # Restarts in vain are counted by softcot.
  if was_stopped "${status}" && job_shows 'JobState=(RUNNING|SIGNALING)'; then
    trap '' TERM USR1 # Slurm's answer, which would come before the line
    scontrol requeue "${SLURM_JOB_ID}" && say "stopped with status ${status}; queued again"
  fi
  exit "${status}"
}
