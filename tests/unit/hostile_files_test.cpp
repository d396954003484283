// Files that lie about what they hold: sizes, depths, places. What they declare costs no memory,
// and no path in them leads to another folder than theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoints/reader.h"
#include "checkpoints/retention.h"
#include "checkpoints/writer.h"
#include "data/benchmark.h"
#include "data/prompt_file.h"
#include "data/thought_cache_manifest.h"
#include "data/thought_cache_verify.h"
#include "data/tokenizer.h"
#include "evaluation/report_run.h"
#include "evaluation/work_log.h"
#include "model/model_config.h"
#include "runtime/hash.h"
#include "runtime/named_path.h"
#include "runtime/safetensors_folder.h"
#include "support/checkpoints.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/thought_caches.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using namespace test;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// By how many megabytes `work` raises the most memory that this process has had at once.
long growth(const std::function<void()>& work) {
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  work();
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  return (after.ru_maxrss - before.ru_maxrss) / 1024;
}

class HostileFiles : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path put(const std::string& name, const std::string& text) const {
    fs::create_directories(path(name).parent_path());
    spill(path(name), text);
    return path(name);
  }

  TemporaryFolder folder_;
};

/// Opens and closes of the C library, for files that ours would never write.
class RawHdf5 {
 public:
  explicit RawHdf5(const fs::path& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~RawHdf5() { H5Fclose(file_); }
  RawHdf5(const RawHdf5&) = delete;
  RawHdf5& operator=(const RawHdf5&) = delete;

  hid_t file() const { return file_; }
  /// Makes a dataset without writing to it.
  void dataset(const char* name, hid_t type, const std::vector<hsize_t>& shape,
               hid_t properties) const {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    H5Dclose(H5Dcreate2(file_, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
    H5Sclose(space);
  }
  void attribute(const std::string& name, const ThoughtCacheField& value) const {
    const hid_t space = H5Screate(H5S_SCALAR);
    const auto* text = std::get_if<std::string>(&value);
    const hid_t type = H5Tcopy(text != nullptr ? H5T_C_S1 : H5T_NATIVE_INT64);
    if (text != nullptr) H5Tset_size(type, text->size() + 1);
    const hid_t made = H5Acreate2(file_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(
        made, type,
        text != nullptr ? static_cast<const void*>(text->c_str()) : &std::get<std::int64_t>(value));
    H5Aclose(made);
    H5Tclose(type);
    H5Sclose(space);
  }

 private:
  hid_t file_;
};

/// A block whose seal is right and whose datasets hold nothing of the `rows` that they declare.
void write_lying_block(const fs::path& folder, const ThoughtCacheKey& key, std::int64_t rows) {
  const fs::path raw = folder / "raw";
  {
    RawHdf5 made(raw);
    made.attribute("format", std::string("softcot thought cache"));
    for (const auto& [name, value] : to_attributes(key)) made.attribute(name, value);
    made.attribute("block_rows", rows);
    made.attribute("block", std::int64_t{0});
    made.attribute("data_hash", std::string(32, '0'));
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const auto n = static_cast<hsize_t>(rows);
    const std::array<hsize_t, 3> row = {1, static_cast<hsize_t>(key.thoughts),
                                        static_cast<hsize_t>(key.width)};
    H5Pset_chunk(properties, 3, row.data());
    made.dataset("thoughts", H5T_IEEE_F32LE, {n, row[1], row[2]}, properties);
    // A chunk of HDF5 holds less than 4 GB: in these numbers the library cannot be lied to.
    const std::array<hsize_t, 1> chunk = {std::min<hsize_t>(n, (hsize_t{1} << 29) - 1)};
    H5Pset_chunk(properties, 1, chunk.data());
    made.dataset("row_ids", H5T_STD_U64LE, {n}, properties);
    H5Pclose(properties);
  }
  const std::string image = slurp(raw);
  fs::remove(raw);
  write_sealed(folder / block_name(0), std::as_bytes(std::span(image)));
}

TEST_F(HostileFiles, ABlockThatDeclaresRowsItDoesNotHaveTakesNoMemory) {
  for (const std::int64_t rows : {1'000'000, 500'000'000, 1'000'000'000}) {
    fs::create_directories(path("cache"));
    write_lying_block(path("cache"), small_key(rows), rows);
    CacheHealth health;
    EXPECT_LT(growth([&] { health = verify_thought_cache(path("cache")); }), 64);
    ASSERT_THAT(health.damaged, SizeIs(1)) << rows;
    EXPECT_EQ(health.damaged[0].file, "block-000000.h5");
    if (rows < 1'000'000'000) {
      EXPECT_THAT(health.damaged[0].reason, HasSubstr("as many bytes as its datasets declare"));
    }
  }
  // More blocks than any list of them should hold.
  ThoughtCacheKey key = small_key(1'000'000'000);
  write_lying_block(path("cache"), key, 1);
  CacheHealth health;
  EXPECT_LT(growth([&] { health = verify_thought_cache(path("cache")); }), 64);
  ASSERT_THAT(health.damaged, SizeIs(1));
  EXPECT_THAT(health.damaged[0].reason, HasSubstr("blocks out of range"));
  EXPECT_THAT(health.missing_blocks, IsEmpty());
}

TEST_F(HostileFiles, AManifestOfMoreRowsThanCanBeCountedIsRefused) {
  run_job(path("cache"), small_key(10), 4);
  const std::string whole = slurp(path("cache/manifest.json"));
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{
           {"\"rows\": 10", "\"rows\": 9223372036854775807"},
           {"\"rows\": 10", "\"rows\": -1"},
           {"\"block_rows\": 4", "\"block_rows\": 9223372036854775807"},
           {"\"block_rows\": 4", "\"block_rows\": 0"},
           {"\"width\": 6", "\"width\": 4611686018427387904"},
           {"\"thoughts\": 5", "\"thoughts\": 1000000000"}}) {
    std::string body = whole.substr(0, whole.rfind(",\n  \"xxh3_128\""));
    body.replace(body.find(field), field.size(), value);
    spill(path("cache/manifest.json"),
          body + ",\n  \"xxh3_128\": \"" + hash_bytes(body) + "\"\n}\n");
    EXPECT_THAT(error_of([&] { read_manifest(path("cache")); }, ExitCode::kCache),
                AllOf(HasSubstr("out of range"), HasSubstr("manifest.json")))
        << value;
  }
}

TEST_F(HostileFiles, NoDatasetOfAnHdf5FileLeadsToAnotherFolder) {
  fs::create_directories(path("here"));
  put("secret", std::string(4096, 's'));
  const std::string outside = "../outside.h5";
  const std::vector<hsize_t> shape = {4};
  RawHdf5(path("outside.h5")).dataset("x", H5T_IEEE_F32LE, shape, H5P_DEFAULT);
  {
    RawHdf5 made(path("here/a.h5"));
    H5Lcreate_external(outside.c_str(), "x", made.file(), "link", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/link", made.file(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    const hid_t external = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(external, path("secret").c_str(), 0, 16);
    made.dataset("external", H5T_IEEE_F32LE, shape, external);
    H5Pclose(external);
    const hid_t source = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(1, shape.data(), nullptr);
    H5Pset_virtual(source, space, outside.c_str(), "x", space);
    made.dataset("virtual", H5T_IEEE_F32LE, shape, source);
    H5Sclose(space);
    H5Pclose(source);
  }
  const Hdf5File file = Hdf5File::open(path("here/a.h5"));
  for (const char* name : {"link", "soft", "external", "virtual"}) {
    EXPECT_THAT(error_of([&] { file.dataset(name); }, ExitCode::kCache),
                AllOf(HasSubstr("leads out"), HasSubstr(name), HasSubstr("a.h5")));
  }
}

TEST_F(HostileFiles, JsonTenThousandDeepIsRefusedEverywhere) {
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  const std::string object = "{\"a\": " + deep + "}";
  const auto refused = [](const std::function<void()>& read, ExitCode code) {
    EXPECT_THAT(error_of(read, code), HasSubstr("nested too deeply"));
  };
  put("config.json", object);
  refused([&] { read_model_config(folder_.path()); }, ExitCode::kInput);
  put("tokenizer.json", object);
  refused([&] { Tokenizer::load(folder_.path()); }, ExitCode::kInput);
  put("model.safetensors.index.json", object);
  refused([&] { SafetensorsFolder::open(folder_.path()); }, ExitCode::kInput);
  put("run/results.json", object);
  refused([&] { read_run(path("run")); }, ExitCode::kInput);
  put("samples.jsonl", object + "\n{}\n");
  refused([&] { read_samples(path("samples.jsonl")); }, ExitCode::kInput);
  put("data.jsonl", "{\"question\": " + deep + "}\n");
  refused([&] { read_benchmark("jsonl", path("data.jsonl")); }, ExitCode::kInput);
  put("data.json", "[" + object + "]");
  refused([&] { read_benchmark("svamp", path("data.json")); }, ExitCode::kInput);
  const std::string header = "{\"a\":{\"x\":" + deep + "}}";
  put("model.safetensors", std::string("\x2b\x4e\0\0\0\0\0\0", 8) + header);
  refused([&] { SafetensorsFile::open(path("model.safetensors")); }, ExitCode::kInput);
  const std::string body = "{\"key\": " + deep;
  put("cache/manifest.json", body + ",\n  \"xxh3_128\": \"" + hash_bytes(body) + "\"\n}\n");
  refused([&] { read_manifest(path("cache")); }, ExitCode::kCache);
  const auto checkpoint = write_checkpoint(path("checkpoints"), sample_state(3));
  spill(checkpoint / "state.json", object);
  spill(checkpoint / "DONE", hash_bytes(object) + "\n");
  refused([&] { read_checkpoint(checkpoint); }, ExitCode::kCheckpoint);
  // Lines that a reader may pass over are passed over.
  put("run/metrics.jsonl", object + "\n{\"step\": 1}\n");
  EXPECT_THAT(read_steps(path("run/metrics.jsonl")).steps, SizeIs(1));
  put("run/work.jsonl", object + "\n");
  EXPECT_THAT(read_work(path("run/work.jsonl")), IsEmpty());
}

TEST_F(HostileFiles, HugeTextsAreRefusedOrCostTheirOwnSize) {
  put("long.jsonl", "{\"question\": \"" + std::string(2 << 20, 'x') + "\"}\n");
  EXPECT_THAT(error_of([&] { read_benchmark("jsonl", path("long.jsonl")); }, ExitCode::kInput),
              AllOf(HasSubstr("too long"), HasSubstr("long.jsonl:1")));
  // 2 TB that take no disk.
  for (const char* name : {"tokenizer.json", "config.json", "prompt.txt", "list.json"}) {
    put(name, "");
    fs::resize_file(path(name), std::uintmax_t{1} << 41);
  }
  EXPECT_LT(growth([&] {
              error_of([&] { Tokenizer::load(folder_.path()); }, ExitCode::kInput);
              error_of([&] { read_model_config(folder_.path()); }, ExitCode::kInput);
              error_of([&] { PromptFile(path("prompt.txt")); }, ExitCode::kUsage);
              error_of([&] { read_benchmark("svamp", path("list.json")); }, ExitCode::kInput);
            }),
            16);
  put("tokenizer.json", "{\"model\": {\"type\": \"" + std::string(8 << 20, 'x') + "\"}}");
#if defined(__SANITIZE_ADDRESS__)
  constexpr int kMost = 128;  // What is freed stays in quarantine.
#else
  constexpr int kMost = 64;
#endif
  EXPECT_LT(growth([&] { error_of([&] { Tokenizer::load(folder_.path()); }, ExitCode::kInput); }),
            kMost);
}

TEST(NamedPath, LeadsNowhereElse) {
  for (const char* inside : {"cells/a", "a/../b", "./a", "a..b", "..a/b", ".", ""}) {
    EXPECT_TRUE(stays_below(inside)) << inside;
  }
  for (const char* outside : {"..", "../a", "a/../../b", "/etc/passwd", "//x", "./../x", "/"}) {
    EXPECT_FALSE(stays_below(outside)) << outside;
  }
  for (const char* plain : {"n4", "..a", "größer", "a b"}) EXPECT_TRUE(is_plain_name(plain));
  for (const char* no : {"", ".", "..", "a/b", "../a", "a\nb", "/"})
    EXPECT_FALSE(is_plain_name(no));
}

// The names of a checkpoint's and a cache's files are ours: what the JSON says of others is not
// looked up.
TEST_F(HostileFiles, NamesOfPartsInManifestsAreNotFollowed) {
  const auto checkpoint = write_checkpoint(path("checkpoints"), sample_state(3));
  put("outside.safetensors", slurp(checkpoint / "state.safetensors"));
  edit_state_json(checkpoint, [](nlohmann::json& json) {
    json["files"]["../../outside.safetensors"] = json["files"]["state.safetensors"];
    json["files"].erase("state.safetensors");
  });
  EXPECT_THAT(error_of([&] { read_checkpoint(checkpoint); }, ExitCode::kCheckpoint),
              HasSubstr("state.safetensors"));
  run_job(path("cache"), small_key(10), 4);
  std::string body = slurp(path("cache/manifest.json"));
  body = body.substr(0, body.rfind(",\n  \"xxh3_128\""));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"block-000001.h5", "../../block.h5"}, {"index.h5", "/etc/passwd"}}) {
    body.replace(body.find(from), from.size(), to);
  }
  spill(path("cache/manifest.json"), body + ",\n  \"xxh3_128\": \"" + hash_bytes(body) + "\"\n}\n");
  const CacheHealth health = verify_thought_cache(path("cache"));
  EXPECT_TRUE(health.sound());
  EXPECT_EQ(health.sound_blocks, 3);
}

TEST_F(HostileFiles, APromptFileIncludesNothing) {
  put("secret", "of another file");
  put("prompt.txt", "[backbone.user]\n{question}{thoughts}{include:../secret}@secret\n");
  EXPECT_EQ(PromptFile(path("prompt.txt")).section("backbone.user", {"question", "thoughts"}, {}),
            "{question}{thoughts}{include:../secret}@secret");
}

TEST_F(HostileFiles, ALinkInTheFolderOfCheckpointsLosesTheLinkAlone) {
  const auto elsewhere = write_checkpoint(path("elsewhere"), sample_state(1));
  write_checkpoint(path("checkpoints"), sample_state(2));
  write_checkpoint(path("checkpoints"), sample_state(3));
  fs::create_directory_symlink(elsewhere, path("checkpoints/step-00000001"));
  const RetentionReport report = apply_retention(path("checkpoints"), {.keep_last = 1});
  EXPECT_THAT(report.removed, ElementsAre(1, 2));
  EXPECT_THAT(names_in(path("checkpoints")), ElementsAre("step-00000003"));
  EXPECT_EQ(read_checkpoint(elsewhere).state.step, 1);
}

}  // namespace
}  // namespace softcot
