#!/usr/bin/env bash
# usage: launch/format.sh [--check] [--help] [FILE…]
#
# Formats the C++ files that git knows, or the given ones, with clang-format and .clang-format.
#   --check  change nothing: name the lines that would change and end with status 1 if there are any
# CLANG_FORMAT names another program (default clang-format; the code is formatted with version 14).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/tools/steps.sh
source launch/tools/steps.sh
mode=(-i)
case ${1:-} in
  -h | --help) show_help launch/format.sh ;;
  --check) mode=(--dry-run -Werror) && shift ;;
esac
program=${CLANG_FORMAT:-clang-format}
command -v "${program}" >/dev/null || give_up 6 "no ${program}" "apt-get install clang-format"
if (($#)); then files=("$@"); else mapfile -t files < <(git ls-files '*.cpp' '*.h'); fi
"${program}" "${mode[@]}" --style=file "${files[@]}"
