// tiny_project FOLDER TRAIN EVAL: makes a project of two tiny models and so many questions in
// FOLDER, for scripts.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "support/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: tiny_project FOLDER TRAIN_QUESTIONS EVAL_QUESTIONS\n";
    return 2;
  }
  const std::filesystem::path folder = std::filesystem::absolute(argv[1]);
  std::filesystem::create_directories(folder);
  softcot::test::make_tiny_project(folder, std::atoi(argv[2]), std::atoi(argv[3]));
}
