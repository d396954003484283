#!/usr/bin/env bash
# usage: slurm/submit.sh [--after JOB] [--dry-run] precompute|train|evaluate|report [ARGUMENT…]
#
# Submits one job that runs softcot with these ARGUMENTS, and prints its number, for instance
#     slurm/submit.sh train --config my.cfg
# The site's values come from slurm/site.env, or the file that SITE_FILE names, or the environment.
#   --after JOB  only once that job has ended well; if it does not, this one is cancelled
#   --dry-run    print the call of sbatch, and do nothing
# shellcheck source=slurm/site.sh
source "$(dirname "${BASH_SOURCE[0]}")/site.sh"
options=()
while (($#)); do
  case $1 in
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    --dry-run) site_dry=1 ;;
    --after)
      (($# >= 2)) || give_up 2 "--after needs the number of a job" "slurm/submit.sh --help"
      options+=("--dependency=afterok:$2" --kill-on-invalid-dep=yes) && shift
      ;;
    *) break ;;
  esac
  shift
done
case ${1:-} in
  precompute | train | evaluate | report) ;;
  *) give_up 2 "no such job: '${1:-}'" "slurm/submit.sh --help" ;;
esac
load_site "$1"
submit "$1" ${options[@]+"${options[@]}"} -- "${@:2}"
