#!/usr/bin/env bash
# usage: slurm/submit_pipeline.sh [--dry-run] --config FILE
#
# Submits precompute, train, evaluate and report at once, each to begin when the one before has ended
# well; if it does not, those after it are cancelled. Options beside FILE go by the environment, as
# every command takes from there what it uses:
#     SOFTCOT_RUN_FOLDER=runs/second SOFTCOT_TRAIN_SEED=2 slurm/submit_pipeline.sh --config my.cfg
# The site's values come from slurm/site.env, or the file that SITE_FILE names, or the environment.
# shellcheck source=slurm/site.sh
source "$(dirname "${BASH_SOURCE[0]}")/site.sh"
config=''
while (($#)); do
  case $1 in
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    --dry-run) site_dry=1 ;;
    --config)
      (($# >= 2)) || give_up 2 "--config needs a file" "slurm/submit_pipeline.sh --help"
      config=$2 && shift
      ;;
    *) give_up 2 "unknown option $1" "slurm/submit_pipeline.sh --help" ;;
  esac
  shift
done
[[ -r ${config} ]] || give_up 2 "cannot read the config file '${config}'" "give --config the path of a config file"
load_site precompute train evaluate report
before=()
for command in precompute train evaluate report; do
  id=$(submit "${command}" ${before[@]+"${before[@]}"} -- --config "${config}")
  echo "${id}"
  before=("--dependency=afterok:${id}" --kill-on-invalid-dep=yes)
done
