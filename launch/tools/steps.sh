# shellcheck shell=bash
# Sourced by the scripts of launch/: steps that say what they do and how long they took, a quiet way
# to run a command (its output goes to a log, shown when it fails), and retries.

steps_began=${SECONDS}
steps_log=/dev/null # a script points it at its own file
if [[ -t 1 && ${TERM:-dumb} != dumb ]]; then steps_live=1; else steps_live=0; fi

# 75 -> 1 min 15 s
steps_time() {
  if (($1 < 60)); then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}

# say TEXT: one line with the time since the script began.
say() { printf '[%3d:%02d] %s\n' $(((SECONDS - steps_began) / 60)) $(((SECONDS - steps_began) % 60)) "$*"; }

# show_help SCRIPT: prints the comment it begins with and ends.
show_help() { sed -n '2,/^[^#]/{/^# \{0,1\}/s///p}' "$1" && exit 0; }

# give_up CODE WHAT FIX: ends the script with one line, as the program's own errors read.
give_up() {
  local code=$1 what=$2 fix=$3
  printf 'error[%d] %s — %s\n' "${code}" "${what}" "${fix}" >&2
  exit "${code}"
}

steps_erase() { ((!steps_live)) || printf '\r\033[K'; }

# quietly TEXT COMMAND…: runs it with its output in the log and says TEXT when it is done. While it
# runs, a terminal shows the seconds, anything else a line every half minute. Returns its status;
# on failure the last lines of its output are shown.
quietly() {
  local text=$1 start=${SECONDS} status=0 told=${SECONDS} first
  shift
  printf '\n$ %s\n' "$*" >>"${steps_log}"
  first=$(($(wc -l <"${steps_log}") + 1))
  "$@" </dev/null >>"${steps_log}" 2>&1 &
  local job=$!
  while kill -0 "${job}" 2>/dev/null; do
    sleep 0.2
    if ((steps_live)); then
      printf '\r[%s] %s' "$(steps_time $((SECONDS - start)))" "${text}"
    elif ((SECONDS - told >= 30)); then
      told=${SECONDS}
      say "${text}: $(steps_time $((SECONDS - start))) so far"
    fi
  done
  wait "${job}" || status=$?
  steps_erase
  if ((status == 0)); then
    say "${text}: done in $(steps_time $((SECONDS - start)))"
  else
    say "${text}: failed with status ${status}; the end of ${steps_log}:"
    tail -n "+${first}" "${steps_log}" | tail -n 20 | sed 's/^/    /'
  fi
  return "${status}"
}

# retry TIMES COMMAND…: for what a slow or flaky network may break.
retry() {
  local times=$1 attempt
  shift
  for ((attempt = 1; attempt <= times; ++attempt)); do
    if "$@"; then return 0; fi
    if ((attempt < times)); then
      echo "attempt ${attempt} of ${times} failed; trying again in $((5 * attempt)) s"
      sleep $((5 * attempt))
    fi
  done
  return 1
}

# How many compilers at once: one a core, as far as 1.5 GB of free memory for each allow.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(($(sed -nE 's/^MemAvailable: +([0-9]+) kB/\1/p' /proc/meminfo) / 1500000))
  ((memory >= 1)) || memory=1
  echo "${CMAKE_BUILD_PARALLEL_LEVEL:-$((cores < memory ? cores : memory))}"
}

# build_targets [TARGET…]: configures the preset ${SOFTCOT_PRESET:-cpu} and builds the targets (without
# any: all), showing progress and the time left.
build_targets() {
  local preset=${SOFTCOT_PRESET:-cpu} targets=() fresh=() start status=0
  local cache=build/${preset}/CMakeCache.txt
  (($# == 0)) || targets=(--target "$@")
  # A build folder that came along from elsewhere is made afresh.
  if [[ -e ${cache} ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=${PWD}" "${cache}"; then
    fresh=(--fresh)
  fi
  quietly "configuring build/${preset}" cmake --preset "${preset}" ${fresh[@]+"${fresh[@]}"} ||
    give_up 70 "the build could not be configured" "read the lines above, or all of ${steps_log}"
  start=${SECONDS}
  say "building ${*:-everything}, $(build_jobs) compilers at once"
  NINJA_STATUS='[%f/%t] ' cmake --build --preset "${preset}" --parallel "$(build_jobs)" \
    ${targets[@]+"${targets[@]}"} </dev/null 2>&1 | python3 launch/tools/build_progress.py "${steps_log}" || status=$?
  ((status == 0)) || give_up 70 "the build failed" "read the lines above, or all of ${steps_log}"
  say "building ${*:-everything}: done in $(steps_time $((SECONDS - start)))"
}

# run_stoppable COMMAND…: runs it to its end and returns its status. TERM, INT, USR1 and USR2 reach it
# as the signal that softcot takes for a stop (SOFTCOT_STOP_SIGNAL, usr1): mpirun and srun hand that on
# to all ranks, but answer TERM by killing them. If one came since the script called note_stops, the
# command is not started, and the status is that of a command which such a signal has ended.
run_stoppable() {
  local status=0 job signal=${SOFTCOT_STOP_SIGNAL:-usr1}
  ((!${stop_asked:-0})) || return $((128 + $(kill -l "${signal}")))
  "$@" <&0 &
  job=$!
  trap 'stop_asked=1; kill -s "${signal}" "${job}" 2>/dev/null || true' TERM INT USR1 USR2
  wait "${job}" || status=$?
  while ((${stop_asked:-0})); do # a signal ends the wait, not the command
    stop_asked=0 status=0
    wait "${job}" || status=$?
  done
  trap - TERM INT USR1 USR2
  return "${status}"
}
note_stops() { trap 'stop_asked=1' TERM INT USR1 USR2; }
