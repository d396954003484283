#include "launch/commands/commands.h"

int main(int argc, char** argv) {
  using namespace softcot;
  constexpr Command kCommands[] = {
      {"tokenize", "Turn JSON lines of text into token ids and back.", run_tokenize},
      {"doctor", "Say what this machine has, what is missing and how to get it.", run_doctor},
  };
  return run_program(argc, argv, kCommands);
}
