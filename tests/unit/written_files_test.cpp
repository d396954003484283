// What a run leaves behind for others on the machine to see: no more than the user's umask allows,
// and nothing of the user's environment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;

/// The umask of this process and its children for the length of a scope.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

TEST(WrittenFiles, KeepTheUmaskAndNothingOfTheEnvironment) {
  constexpr const char* kSecret = "hf_s3cr3t-of-the-user";
  const Umask umask(027);
  const TinyProject project;
  const JobOptions options{.environment = {{"HF_TOKEN", kSecret}, {"SOFTCOT_TOKEN", kSecret}},
                           .file_size_limit = {}};
  const auto run = [&](const std::vector<std::string>& call) {
    const ChildResult result = run_softcot(call, options);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ((result.out + result.err).find(kSecret), std::string::npos);
  };
  run(project.call("precompute"));
  run(project.call_in("run", "train", {"--train.steps", "2"}));
  run(project.call_in("run", "evaluate", {"--evaluate.max-new-tokens", "4"}));
  run({"report", project.path("run"), "--out", project.path("report")});
  run({"export", "--run.folder", project.path("run"), "--out", project.path("export")});
  run(Victim(project, Victim::Kind::kSweep).call(project.path(".")));
  const char* variable = std::getenv("PATH");
  ASSERT_NE(variable, nullptr);
  const std::string path = variable;
  std::size_t files = 0;
  std::set<std::string> names;
  for (const char* folder : {"caches", "run", "report", "export", "sweep"}) {
    for (const auto& entry : fs::recursive_directory_iterator(project.path(folder))) {
      struct stat info {};
      ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 07777, entry.is_directory() ? 0750 : 0640) << entry.path();
      if (!entry.is_regular_file()) continue;
      ++files;
      names.insert(entry.path().filename());
      const std::string bytes = slurp(entry.path());
      EXPECT_EQ(bytes.find(kSecret), std::string::npos) << entry.path();
      EXPECT_EQ(bytes.find(path), std::string::npos) << entry.path();
    }
  }
  EXPECT_GT(files, 50U);
  for (const char* name : {"cell.log", "cell.cfg", "sweep.json", "soft_prompt.safetensors"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

}  // namespace
}  // namespace softcot::test
