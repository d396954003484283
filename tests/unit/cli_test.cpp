#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "checkpoints/writer.h"
#include "support/checkpoints.h"
#include "support/child_process.h"
#include "support/fixtures.h"
#include "support/thought_caches.h"

namespace softcot::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

ChildResult softcot(std::vector<std::string> arguments, const std::string& input = "",
                    const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), SOFTCOT_PROGRAM);
  return run_child(arguments, input, environment);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The commands that the overview lists.
std::vector<std::string> commands() {
  std::vector<std::string> names;
  const std::string page = softcot({"--help"}).out;
  const std::regex entry("\n  ([a-z]+) +[A-Z]");
  const std::size_t begin = page.find("\nCommands\n");
  const std::string list = page.substr(begin == std::string::npos ? page.size() : begin);
  for (std::sregex_iterator match(list.begin(), list.end(), entry), end; match != end; ++match) {
    names.push_back((*match)[1].str());
  }
  return names;
}

TEST(Cli, OverviewListsCommands) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{}, {"--help"}, {"-h"}, {"help"}}) {
    const ChildResult result = softcot(arguments);
    EXPECT_EQ(result.status, 0);
    EXPECT_THAT(result.out, HasSubstr("  doctor "));
    EXPECT_EQ(result.err, "");
  }
  EXPECT_THAT(softcot({"--version"}).out, ::testing::MatchesRegex("softcot [0-9.]+\n"));
}

TEST(Cli, EveryOptionThatHelpShowsIsKnownToTheParser) {
  const std::vector<std::string> names = commands();
  ASSERT_FALSE(names.empty());
  for (const std::string& command : names) {
    const ChildResult help = softcot({command, "--help"});
    ASSERT_EQ(help.status, 0) << command << help.err;
    EXPECT_THAT(help.out, StartsWith("softcot " + command + ": "));
    std::set<std::string> shown;
    const std::regex option("(?:\n  |, )(--[a-z][a-z.-]*)");
    for (std::sregex_iterator match(help.out.begin(), help.out.end(), option), end; match != end;
         ++match) {
      shown.insert((*match)[1].str());
    }
    EXPECT_THAT(shown, ::testing::IsSupersetOf({"--help", "--config"})) << command;
    std::vector<std::string> call = {command, "--help"};
    for (const std::string& name : shown) call.push_back(name + "=");
    const ChildResult result = softcot(call);  // Every problem is reported, known names are none.
    EXPECT_EQ(result.err.find("unknown option"), std::string::npos) << command << result.err;
    EXPECT_EQ(result.err.find("does not use"), std::string::npos) << command << result.err;
    for (const std::string& line : lines_of(help.out)) {
      EXPECT_LE(line.size(), 104U) << command << ": " << line;  // 100 columns; some are UTF-8.
    }
  }
}

TEST(Cli, UnknownNamesExitTwoAndNameTheNearest) {
  const ChildResult command = softcot({"docter"});
  EXPECT_EQ(command.status, 2);
  EXPECT_EQ(command.err, "error[2] unknown command: docter — did you mean softcot doctor?\n");
  EXPECT_EQ(command.out, "");
  for (const std::string& name : commands()) {
    const ChildResult option = softcot({name, "--confg", "x", "--config", "/no/such.cfg"});
    EXPECT_EQ(option.status, 2) << name;
    EXPECT_EQ(option.out, "") << name;
    const std::vector<std::string> lines = lines_of(option.err);
    ASSERT_GE(lines.size(), 2U) << name;
    EXPECT_EQ(lines[0], "error[2] unknown option: --confg, command line — did you mean --config?");
    EXPECT_THAT(lines[1], StartsWith("error[2] config file cannot be read: /no/such.cfg"));
  }
}

TEST(Cli, OptionsThatMeanNothingToACommandAreRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"evaluate", "--train.steps=3"},   {"evaluate", "--resume"},
      {"export", "--dtype=float32"},     {"generate", "--run.resume"},
      {"precompute", "--dtype=float32"}, {"report", "--batch=2"}};
  for (const auto& [command, option] : cases) {
    const ChildResult result = softcot({command, option});
    EXPECT_EQ(result.status, 2) << command;
    EXPECT_THAT(result.err,
                StartsWith("error[2] softcot " + command + " does not use this option: " +
                           option.substr(0, option.find('=')) + ", command line"));
  }
  EXPECT_THAT(softcot({"evaluate", "--batch=2"}).err, HasSubstr("did you mean --evaluate.batch?"));
  for (const char* used : {"--train.pack=off", "--train.method=lora"}) {
    EXPECT_EQ(softcot({"evaluate", used}).err.find("does not use"), std::string::npos) << used;
  }
}

TEST(Cli, OneRankSpeaksForAJobThatFailsAlike) {
  const ChildResult result = run_child(under_mpirun(3, {SOFTCOT_PROGRAM, "doctor", "--jsno"}));
  EXPECT_EQ(result.status, 2);
  std::vector<std::string> errors;
  for (const std::string& line : lines_of(result.err)) {
    if (line.find("error[") != std::string::npos) errors.push_back(line);
  }
  EXPECT_THAT(errors,
              ElementsAre(::testing::MatchesRegex(
                  "rank [0-2]: error.2. unknown option: --jsno, command line — did you mean "
                  "--json.")));
}

// As under srun, which does not say whether all ranks are here: rank 1 was first and waits for rank
// 0.
TEST(Cli, TheFirstRankSpeaksThoughAnotherWasFirst) {
  const TemporaryFolder folder;
  const std::ofstream made(folder.path() / "softcot-failed-job");
  const ChildResult result = run_child(
      {SOFTCOT_PROGRAM, "doctor", "--jsno"}, "",
      {{"PMIX_RANK", "0"}, {"PMIX_NAMESPACE", "job"}, {"PMIX_SERVER_TMPDIR", folder.path()}});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("error[2] unknown option: --jsno"));
}

TEST(Cli, DoctorTellsOfThisMachineAndItsRanks) {
  const ChildResult table = softcot({"doctor"});
  EXPECT_EQ(table.status, 0);
  for (const char* topic : {"processor", "memory", "LibTorch", "MPI", "HDF5", "NCCL", "GPU"}) {
    EXPECT_THAT(table.out, HasSubstr(topic));
  }
  EXPECT_THAT(table.out, ::testing::ContainsRegex("[0-9]+ cores for this process, [0-9]+ threads"));
  const ChildResult ranks = run_child(under_mpirun(2, {SOFTCOT_PROGRAM, "doctor", "--json"}));
  EXPECT_EQ(ranks.status, 0) << ranks.err;
  const nlohmann::json findings = nlohmann::json::parse(ranks.out);  // One list: one rank wrote.
  const auto mpi = std::find_if(findings.begin(), findings.end(), [](const nlohmann::json& each) {
    return each.at("topic") == "MPI";
  });
  ASSERT_NE(mpi, findings.end());
  EXPECT_THAT(mpi->at("value").get<std::string>(), HasSubstr(", 2 ranks"));
}

TEST(Cli, DoctorNamesLimitsThatGetInTheWay) {
  const std::string command = std::string("ulimit -n 200; exec '") + SOFTCOT_PROGRAM + "' doctor";
  const ChildResult result = run_child({"bash", "-c", command});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, ::testing::ContainsRegex("problem +open files +at most 200"));
  EXPECT_THAT(result.out, HasSubstr("try: ulimit -n 4096"));
}

TEST(Cli, ClosedOutputIsACleanStopAndAFullDiskIsNot) {
  const std::string program = SOFTCOT_PROGRAM;
  const ChildResult closed =
      run_child({"bash", "-c", "{ sleep 0.3; '" + program + "' --help; echo $? >&2; } | true"});
  EXPECT_EQ(closed.err, "0\n");
  const ChildResult full = run_child({"bash", "-c", "'" + program + "' --help >/dev/full"});
  EXPECT_EQ(full.status, 6);
  EXPECT_THAT(full.err, StartsWith("error[6] standard output cannot be written"));
}

/// A small byte-level tokenizer: 256 byte tokens, one merge and one added token.
void write_tokenizer(const std::filesystem::path& folder) {
  nlohmann::json vocabulary = nlohmann::json::object();
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    const int point = printable ? byte : next++;
    std::string spelling;  // UTF-8 of a code point below 0x800.
    if (point < 0x80) {
      spelling = static_cast<char>(point);
    } else {
      spelling = {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))};
    }
    vocabulary[spelling] = byte;
  }
  vocabulary["ab"] = 256;
  const nlohmann::json level = {{"type", "ByteLevel"},
                                {"add_prefix_space", false},
                                {"trim_offsets", true},
                                {"use_regex", true}};
  const nlohmann::json added = {{"id", 257},       {"content", "<end>"}, {"single_word", false},
                                {"lstrip", false}, {"rstrip", false},    {"normalized", false},
                                {"special", true}};
  std::ofstream(folder / "tokenizer.json")
      << nlohmann::json{{"version", "1.0"},
                        {"added_tokens", nlohmann::json::array({added})},
                        {"normalizer", nullptr},
                        {"pre_tokenizer", level},
                        {"post_processor", nullptr},
                        {"decoder", level},
                        {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"a b"}}}}};
}

TEST(Cli, TokenizeAnswersEachLine) {
  const TemporaryFolder folder;
  write_tokenizer(folder.path());
  const std::vector<std::string> call = {"tokenize", "--model", folder.path()};
  const ChildResult good = softcot(call, "{\"text\": \"cab<end>\"}\n\n{\"text\": \"\"}\n");
  EXPECT_EQ(good.err, "");
  EXPECT_EQ(good.out,
            "{\"ids\":[99,256,257],\"decoded\":\"cab<end>\"}\n{\"ids\":[],\"decoded\":\"\"}\n");
  const ChildResult bad = softcot(call, "{\"text\": \"b\"}\n{\"txt\": 1}\n");
  EXPECT_EQ(bad.status, 3);
  EXPECT_EQ(bad.out, "{\"ids\":[98],\"decoded\":\"b\"}\n");
  EXPECT_THAT(bad.err, StartsWith("error[3] "));
  EXPECT_THAT(bad.err, HasSubstr("standard input, line 2"));
  for (const char* line : {"[1]", "{", "{\"text\": 5}", "{\"text\": \"\xff\"}"}) {
    const ChildResult result = softcot(call, std::string(line) + "\n");
    EXPECT_EQ(result.status, 3) << line;
    EXPECT_THAT(result.err, HasSubstr("standard input, line 1"));
  }
  EXPECT_EQ(softcot({"tokenize", "--model", "/no/such/model"}).status, 3);
  EXPECT_EQ(softcot({"tokenize"}).status, 2);
}

TEST(Cli, TokenizeServesAProgramAtTheOtherEndOfAPipe) {
  const TemporaryFolder folder;
  write_tokenizer(folder.path());
  // The second question is asked only after the first answer has arrived.
  const std::string script =
      "coproc '" + std::string(SOFTCOT_PROGRAM) + "' tokenize --model '" + folder.path().string() +
      "'; for word in a ab; do echo \"{\\\"text\\\": \\\"$word\\\"}\" >&${COPROC[1]}; "
      "read -t 20 -r answer <&${COPROC[0]} || exit 9; echo \"$answer\"; done";
  const ChildResult result = run_child({"bash", "-c", script});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "{\"ids\":[97],\"decoded\":\"a\"}\n{\"ids\":[256],\"decoded\":\"ab\"}\n");
}

TEST(Cli, InspectKnowsAModelAndFindsWhatIsWrongWithIt) {
  const TemporaryFolder folder;
  const std::filesystem::path model = folder.path() / "model";
  std::filesystem::copy(fixture_folder() / "llama", model);
  const ChildResult sound = softcot({"inspect", model, "--verify", "--check-finite"});
  EXPECT_EQ(sound.status, 0) << sound.err;
  EXPECT_THAT(sound.out, ::testing::ContainsRegex("architecture +llama"));
  EXPECT_THAT(sound.out, ::testing::ContainsRegex("verified +every weight"));
  EXPECT_THAT(sound.out, ::testing::ContainsRegex("finite +all values"));
  const nlohmann::json json = nlohmann::json::parse(softcot({"inspect", model, "--json"}).out);
  EXPECT_EQ(json.at("kind"), "model");

  // The file's last bytes are a weight: an exponent of ones makes it infinite or no number.
  const std::filesystem::path weights = model / "model.safetensors";
  const auto size = std::filesystem::file_size(weights);
  {
    std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size) - 4);
    file.write("\xff\xff\xff\xff", 4);
  }
  EXPECT_EQ(softcot({"inspect", model, "--verify"}).status, 0);
  const ChildResult infinite = softcot({"inspect", model, "--check-finite"});
  EXPECT_EQ(infinite.status, 3);
  EXPECT_THAT(infinite.err, StartsWith("error[3] weights hold values that are not finite"));

  std::filesystem::resize_file(weights, size - 4);
  EXPECT_EQ(softcot({"inspect", model}).status, 3);
  std::filesystem::remove(weights);
  EXPECT_EQ(softcot({"inspect", model}).status, 3);
}

TEST(Cli, InspectRefusesFoldersOfNoKind) {
  const TemporaryFolder folder;
  EXPECT_EQ(softcot({"inspect", folder.path()}).status, 2);
  EXPECT_EQ(softcot({"inspect", folder.path() / "none"}).status, 2);
  EXPECT_EQ(softcot({"inspect"}).status, 2);
}

TEST(Cli, InspectLooksIntoFoldersOfThem) {
  const TemporaryFolder folder;
  const std::filesystem::path sweep = folder.path() / "sweep";
  run_job(sweep / "thoughts" / "small", small_key(7), 3);
  const auto checkpoint =
      write_checkpoint(sweep / "trained" / "one" / "checkpoints", sample_state(12));
  std::ofstream(sweep / "trained/one/config.cfg") << "[train]\n";
  const auto transfer = sweep / "cells/one/on-svamp";
  std::filesystem::create_directories(transfer);
  std::ofstream(sweep / "cells/one/evaluate.cfg") << "[evaluate]\n";
  std::ofstream(transfer / "results.json") << "{}\n";
  for (const char* work : {"thoughts", "trained/one", "cells/one"}) {
    std::ofstream(sweep / work / "cell.cfg") << "\n";
    std::ofstream(sweep / work / "cell.done") << "hash\n0.1.0 1 seconds\n";
  }
  const ChildResult runs = softcot({"inspect", sweep});
  EXPECT_EQ(runs.status, 0) << runs.err;
  EXPECT_THAT(runs.out, ::testing::ContainsRegex("holds +caches: 1, runs: 2\n"));
  std::ofstream(sweep / "sweep.json")
      << R"({"schema": "softcot-sweep/1", "title": "T", "cells": [{"status": "done"},
      {"status": "failed"}, {"status": "done"}]})";
  const ChildResult sound = softcot({"inspect", sweep, "--verify"});
  EXPECT_EQ(sound.status, 0) << sound.err;
  EXPECT_THAT(sound.out, StartsWith("sweep"));
  EXPECT_THAT(sound.out, ::testing::ContainsRegex("cells +3, 2 done, 1 failed\n"));
  EXPECT_THAT(sound.out, HasSubstr("every byte"));

  // All are named and mended, and have to be done again.
  std::filesystem::resize_file(checkpoint / "state.safetensors", 40);
  std::filesystem::resize_file(sweep / "thoughts" / "small" / "block-000001.h5", 100);
  std::filesystem::resize_file(transfer / "results.json", 1);
  const ChildResult damaged = softcot({"inspect", sweep, "--verify"});
  EXPECT_EQ(damaged.status, 3);
  EXPECT_THAT(damaged.err, HasSubstr("error[3] 3 of 3 are not sound: "));
  EXPECT_THAT(damaged.err,
              HasSubstr("not sound: cells/one: run folder is damaged, on-svamp/results.json"));
  EXPECT_THAT(damaged.err, HasSubstr("not sound: thoughts/small: "));
  EXPECT_THAT(damaged.err, HasSubstr("not sound: trained/one: "));
  const auto mended = nlohmann::json::parse(softcot({"inspect", sweep, "--repair", "--json"}).out);
  EXPECT_EQ(mended.at("removed").size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(checkpoint));
  EXPECT_FALSE(std::filesystem::exists(transfer / "results.json"));
  for (const char* work : {"thoughts", "trained/one", "cells/one"}) {
    EXPECT_FALSE(std::filesystem::exists(sweep / work / "cell.done")) << work;
  }
}

TEST(Cli, InspectVerifiesCachesAndCheckpoints) {
  const TemporaryFolder folder;
  const std::filesystem::path cache = folder.path() / "cache";
  run_job(cache, small_key(7), 3);
  EXPECT_EQ(softcot({"inspect", cache}).status, 0);
  const ChildResult sound = softcot({"inspect", cache, "--verify"});
  EXPECT_EQ(sound.status, 0) << sound.err;
  EXPECT_THAT(sound.out, ::testing::ContainsRegex("verified +3 blocks"));
  std::filesystem::remove(cache / "block-000001.h5");
  const ChildResult missing = softcot({"inspect", cache, "--verify"});
  EXPECT_EQ(missing.status, 4);
  EXPECT_THAT(missing.err, HasSubstr("block-000001.h5"));

  const std::filesystem::path run = folder.path() / "run";
  const std::filesystem::path checkpoint = write_checkpoint(run / "checkpoints", sample_state(12));
  std::ofstream(run / "config.cfg") << "[train]\n";
  EXPECT_EQ(softcot({"inspect", checkpoint, "--verify"}).status, 0);
  EXPECT_THAT(softcot({"inspect", run, "--verify"}).out,
              ::testing::ContainsRegex("checkpoints +12\n"));
  std::filesystem::resize_file(checkpoint / "state.safetensors", 40);
  EXPECT_EQ(softcot({"inspect", checkpoint, "--verify"}).status, 5);
  EXPECT_EQ(softcot({"inspect", run, "--verify"}).status, 5);
}

}  // namespace
}  // namespace softcot::test
