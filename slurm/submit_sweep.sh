#!/usr/bin/env bash
# usage: slurm/submit_sweep.sh [--dry-run] [--at-once M] --tasks K --config FILE --out DIR
#
# Submits a sweep as an array of K tasks, each with its share of the cells, and a report that is made
# once all have ended, well or not: a failed cell is a line of it. Prints the two jobs' numbers.
#   --at-once M  no more than M tasks at the same time
# The site's values come from slurm/site.env, or the file that SITE_FILE names, or the environment.
# shellcheck source=slurm/site.sh
source "$(dirname "${BASH_SOURCE[0]}")/site.sh"
config='' out='' tasks='' limit=''
while (($#)); do
  case $1 in
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    --dry-run) site_dry=1 && shift && continue ;;
    --config) config=${2:-} ;;
    --out) out=${2:-} ;;
    --tasks) tasks=${2:-} ;;
    --at-once) limit=%${2:-} ;;
    *) give_up 2 "unknown option $1" "slurm/submit_sweep.sh --help" ;;
  esac
  shift $(($# < 2 ? 1 : 2))
done
[[ -r ${config} ]] || give_up 2 "cannot read the config file '${config}'" "give --config the path of a config file"
[[ -n ${out} ]] || give_up 2 "no --out" "give --out the folder of the sweep"
[[ ${tasks} =~ ^[1-9][0-9]*$ ]] || give_up 2 "--tasks is not a number from 1 on: '${tasks}'" "slurm/submit_sweep.sh --help"
[[ ${limit} =~ ^(%[1-9][0-9]*)?$ ]] || give_up 2 "--at-once is not a number from 1 on" "slurm/submit_sweep.sh --help"
load_site sweep report
array=$(submit sweep "--array=1-${tasks}${limit}" -- --config "${config}" --out "${out}")
echo "${array}"
submit report "--dependency=afterany:${array}" -- "${out}" --out "${out}/report"
