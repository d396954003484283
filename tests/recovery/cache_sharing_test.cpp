// One cache for several jobs, hosts and users: what a stopped job leaves blocks nobody, a job that
// is at work is waited for, and a finished cache needs no right to write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <sstream>

#include "data/cache_lock.h"
#include "data/thought_cache_block.h"
#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Words = std::vector<std::string>;

/// A script that prepares something as root and then becomes softcot.
fs::path script(const fs::path& file, const std::string& lines) {
  spill(file, "#!/bin/sh\n" + lines + "\n");
  fs::permissions(file, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec |
                            fs::perms::group_read | fs::perms::others_read);
  return file;
}

bool succeeds(const Words& call) { return run_child(call).status == 0; }

class CacheSharing : public ::testing::Test {
 protected:
  CacheSharing() { write_questions(project_.path("many.jsonl"), 1, 300); }  // Five blocks.

  Words precompute(const Words& more = {}) const {
    Words all = {"--data.file", project_.path("many.jsonl"), "--data.eval-file="};
    all.insert(all.end(), more.begin(), more.end());
    return project_.call("precompute", all);
  }
  Words texts(const Words& more = {}) const {
    Words all = {"--only", "texts", "--evaluate.methods", "zero_shot_assist_cot"};
    all.insert(all.end(), more.begin(), more.end());
    return project_.call("precompute", all);
  }
  /// Lock files below the project's caches.
  std::vector<fs::path> locks() const {
    std::vector<fs::path> found;
    std::error_code none;
    for (fs::recursive_directory_iterator entry(project_.path("caches"), none), end;
         !none && entry != end; entry.increment(none)) {
      if (entry->path().filename() == kLockName) found.push_back(entry->path());
    }
    return found;
  }
  bool has_lock() const { return !locks().empty(); }
  /// Starts a job and stops it in its work, which it goes on with after SIGCONT.
  void hold(Job& job) const {
    ASSERT_TRUE(wait_until([&] { return has_lock() || !job.running(); }));
    kill(job.launcher(), SIGSTOP);
    ASSERT_TRUE(job.running()) << "it was done too soon: " << job.err();
    ASSERT_TRUE(has_lock());
  }
  JobOptions on_other_host() const {
    JobOptions options;
    options.program =
        script(project_.path("elsewhere.sh"),
               "exec unshare --uts sh -c 'hostname elsewhere && exec \"$0\" \"$@\"' '" +
                   std::string(SOFTCOT_PROGRAM) + "' \"$@\"");
    return options;
  }

  TinyProject project_;
};

TEST_F(CacheSharing, AStoppedJobBlocksNoOtherHost) {
  if (!succeeds({"unshare", "--uts", "true"})) GTEST_SKIP() << "no right to another host name";
  for (const bool written : {false, true}) {
    const Words call = written ? texts() : precompute();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGKILL}) {
      SCOPED_TRACE(std::string(strsignal(signal)) + (written ? ", texts" : ", thoughts"));
      fs::remove_all(project_.path("caches"));
      Job job(call);
      hold(job);
      ASSERT_EQ(kill(job.launcher(), signal), 0);
      kill(job.launcher(), SIGCONT);
      ASSERT_EQ(job.wait(std::chrono::seconds(30)).status, 128 + signal);
      EXPECT_THAT(locks(), SizeIs(signal == SIGKILL ? 1 : 0));
      Job next(call, on_other_host());
      const ChildResult result = next.wait(std::chrono::seconds(50));
      EXPECT_EQ(result.status, 0) << result.err;
      EXPECT_THAT(locks(), IsEmpty());
    }
  }
}

TEST_F(CacheSharing, AKilledJobOfAnotherMachineIsNoticedByItsSilence) {
  {
    Job job(precompute());
    hold(job);
    job.kill_all();
  }
  ASSERT_THAT(locks(), SizeIs(1));
  const fs::path lock = locks().front();
  // As it would look from another machine: only its heartbeat tells.
  spill(lock, "elsewhere 4711 5 2026-01-02T03:04:05Z another-boot/pid:[1]\n");
  Job next(precompute());
  ASSERT_TRUE(wait_until(
      [&] { return next.err().find(kWaitingForCache) != std::string::npos || !next.running(); }));
  ASSERT_TRUE(next.running()) << next.err();
  EXPECT_THAT(next.err(), AllOf(HasSubstr("held by elsewhere/4711 since 2026-01-02T03:04:05Z"),
                                HasSubstr("of 5 blocks are there")));
  fs::last_write_time(lock, fs::file_time_type::clock::now() - std::chrono::seconds(61));
  const ChildResult result = next.wait(std::chrono::seconds(60));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(locks(), IsEmpty());
}

TEST_F(CacheSharing, AJobAtWorkIsWaitedFor) {
  for (const bool written : {false, true}) {
    fs::remove_all(project_.path("caches"));
    const Words call = written ? texts() : precompute();
    Job first(call);
    hold(first);
    Job second(call);
    Job ranks(call, on_ranks(2));
    for (Job* job : {&second, &ranks}) {
      ASSERT_TRUE(wait_until([&] {
        return job->err().find(kWaitingForCache) != std::string::npos || !job->running();
      }));
      EXPECT_THAT(job->err(), HasSubstr("/" + std::to_string(first.launcher()) + " since 20"));
      EXPECT_THAT(job->err(), HasSubstr(written ? "texts are there" : "of 5 blocks are there"));
      EXPECT_TRUE(job->running());
    }
    kill(first.launcher(), SIGCONT);
    for (Job* job : {&first, &second, &ranks}) {
      const ChildResult result = job->wait();
      EXPECT_EQ(result.status, 0) << result.err;
    }
    EXPECT_THAT(locks(), IsEmpty());
  }
}

/// Runs commands where the project's caches may be read and not written.
void use_read_only(const TinyProject& project, const JobOptions& job) {
  const ChildResult made = run_softcot(project.call("precompute"), job);
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(lines_with(made.err, "complete, nothing to do"), SizeIs(2)) << made.err;
  const std::string texts = "--evaluate.methods=softcot,zero_shot_assist_cot";
  for (const Words& call : {project.call("precompute", {texts}), project.call_in("run", "train"),
                            project.call_in("run", "evaluate", {texts})}) {
    const ChildResult result = run_softcot(call, job);
    EXPECT_EQ(result.status, 0) << call[0] << result.err;
  }
  const std::string caches = project.path("caches");
  for (const Words& call :
       {Words{"inspect", caches, "--verify"}, Words{"inspect", caches, "--repair"}}) {
    const ChildResult result = run_softcot(call, job);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("every byte of all of them"));
  }
  for (const auto& cache : fs::directory_iterator(project.path("caches"))) {
    const ChildResult result = run_softcot({"inspect", cache.path(), "--repair"}, job);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("nothing needs repair"));
  }
}

TEST_F(CacheSharing, AFinishedCacheOnAReadOnlyFileSystemIsUsed) {
  if (!succeeds({"unshare", "-m", "mount", "-o", "bind,ro", "/proc", "/proc"})) {
    GTEST_SKIP() << "no right to mount";
  }
  const Words all = {"--evaluate.methods=softcot,zero_shot_assist_cot"};
  ASSERT_EQ(run_softcot(project_.call("precompute", all)).status, 0);
  // A lock that a killed job left in a finished cache.
  const auto cache = fs::directory_iterator(project_.path("caches"))->path();
  spill(cache / kLockName, "elsewhere 4711 5 2026-01-02T03:04:05Z\n");
  JobOptions job;
  const std::string caches = project_.path("caches");
  job.program =
      script(project_.path("read-only.sh"), "exec unshare -m sh -c 'mount -o bind,ro \"" + caches +
                                                "\" \"" + caches + "\" && exec \"$0\" \"$@\"' '" +
                                                std::string(SOFTCOT_PROGRAM) + "' \"$@\"");
  use_read_only(project_, job);
  // With blocks missing it is refused, and inspect says what cannot be done here.
  fs::path block;
  for (const auto& each : fs::directory_iterator(project_.path("caches"))) {
    if (fs::exists(each.path() / "block-000000.h5")) block = each.path() / "block-000000.h5";
  }
  fs::remove(block);
  EXPECT_EQ(run_softcot(project_.call("precompute"), job).status, 2);
  expect_refused({"inspect", block.parent_path(), "--repair"}, 4,
                 {"block-000000.h5", "may not be written here"}, job);
}

TEST_F(CacheSharing, AFinishedCacheOfAnotherUserIsUsed) {
  const Words as_nobody = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  Words probe = as_nobody;
  probe.insert(probe.end(), {"test", "-x", SOFTCOT_PROGRAM});
  if (geteuid() != 0 || !succeeds(probe)) GTEST_SKIP() << "cannot become another user";
  const Words all = {"--evaluate.methods=softcot,zero_shot_assist_cot"};
  ASSERT_EQ(run_softcot(project_.call("precompute", all)).status, 0);
  fs::create_directory(project_.path("run"));
  ASSERT_EQ(chmod(project_.path("").parent_path().c_str(), 0755), 0);
  ASSERT_EQ(chown(project_.path("run").c_str(), 65534, 65534), 0);
  JobOptions job;
  job.program = script(project_.path("nobody.sh"),
                       "export HOME=/nonexistent\nexec setpriv --reuid=65534 --regid=65534 "
                       "--clear-groups '" +
                           std::string(SOFTCOT_PROGRAM) + "' \"$@\"");
  use_read_only(project_, job);
}

TEST_F(CacheSharing, ASecondSweepWaitsForTheCacheThatTheFirstMakes) {
  const auto sweep = project_.path("sweep.cfg");
  const auto path = [&](const char* name) { return project_.path(name).string(); };
  spill(sweep,
        "[sweep]\ntitle = Tiny\n[axes]\nmethod = softcot\n[model]\npath = " + path("backbone") +
            "\n[assistant]\npath = " + path("assistant") +
            "\n[prompts]\nfile = " + path("prompts.txt") +
            "\n[data]\nfile = " + path("many.jsonl") + "\neval-file = " + path("eval.jsonl") +
            "\neval-limit = 4\n[thoughts]\ncount = 2\ncache = " + path("caches") +
            "\n[train]\nsteps = 2\nbatch = 2\n[evaluate]\nmax-new-tokens = 2\n");
  const auto call = [&](const char* out) {
    return Words{"sweep", "--config", sweep, "--out", project_.path(out)};
  };
  Job first(call("one"));
  ASSERT_TRUE(wait_until([&] { return has_lock() || !first.running(); }));
  // The step that has the lock, not the sweep, is held up.
  const fs::path lock = locks().at(0);
  pid_t writer = 0;
  std::string host;
  std::istringstream(slurp(lock)) >> host >> writer;
  ASSERT_GT(writer, 0);
  ASSERT_EQ(kill(writer, SIGSTOP), 0);
  Job second(call("two"));
  ASSERT_TRUE(wait_until([&] {
    return second.err().find(kWaitingForCache) != std::string::npos || !second.running();
  }));
  EXPECT_THAT(second.err(), AllOf(HasSubstr("precompute"), HasSubstr("/" + std::to_string(writer)),
                                  HasSubstr("blocks are there")));
  EXPECT_TRUE(second.running());
  ASSERT_EQ(kill(writer, SIGCONT), 0);
  for (Job* job : {&first, &second}) {
    const ChildResult result = job->wait();
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("1 of 1 cells done"));
  }
}

}  // namespace
}  // namespace softcot::test
