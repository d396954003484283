#include "runtime/hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <thread>

#include "support/fixtures.h"

namespace {
bool locks_fail = false;
// The variable overrides what a program asks for; the library reads it at its first call.
const int locking_unset = unsetenv("HDF5_USE_FILE_LOCKING");
}  // namespace

// Stands before the C library's flock, which HDF5 calls: a file system without locks.
extern "C" int flock(int, int) {
  if (!locks_fail) return 0;
  errno = ENOLCK;
  return -1;
}

namespace softcot {
namespace {

using test::TemporaryFolder;
using ::testing::HasSubstr;

void save(const Hdf5File& file, const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = file.image();
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.flush().good());
}

std::string error_of(const std::function<void()>& action, ExitCode code) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

std::vector<float> ramp(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = std::sin(static_cast<float>(i));
  return values;
}

/// A file with one float dataset [8, 5] in chunks [1, 5].
Hdf5File sample_file(const std::vector<float>& values) {
  Hdf5File file = Hdf5File::create_in_memory("sample");
  file.create_dataset("x", Hdf5Type::kFloat32, {8, 5}, {.chunk = {1, 5}})
      .write(std::span<const float>(values));
  return file;
}

TEST(Hdf5, ReadsBoxesOfWhatWasWritten) {
  const TemporaryFolder folder;
  const std::vector<float> values = ramp(40);
  save(sample_file(values), folder.path() / "a.h5");
  const Hdf5File file = Hdf5File::open(folder.path() / "a.h5");
  const Hdf5Dataset set = file.dataset("x");
  EXPECT_EQ(set.shape(), (Hdf5Shape{8, 5}));
  EXPECT_EQ(set.chunk(), (Hdf5Shape{1, 5}));
  EXPECT_EQ(set.type(), Hdf5Type::kFloat32);
  std::vector<float> box(6);
  set.read<float>({2, 1}, {2, 3}, box);
  EXPECT_EQ(box, (std::vector<float>{values[11], values[12], values[13], values[16], values[17],
                                     values[18]}));
  set.read<float>({8, 0}, {0, 5}, {});
  EXPECT_THAT(error_of(
                  [&] {
                    set.read<float>({7, 0}, {2, 3}, box);
                  },
                  ExitCode::kCache),
              HasSubstr("box outside of dataset x"));
  EXPECT_THAT(error_of(
                  [&] {
                    set.read<float>({0, 0}, {1, 5}, box);
                  },
                  ExitCode::kCache),
              HasSubstr("into 6 elements"));
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  error_of([&] { set.read<float>({1, 0}, {huge, 5}, box); }, ExitCode::kCache);
}

TEST(Hdf5, KeepsEveryBfloat16BitPattern) {
  const TemporaryFolder folder;
  std::vector<std::uint16_t> bits(65536);
  std::iota(bits.begin(), bits.end(), std::uint16_t{0});
  Hdf5File made = Hdf5File::create_in_memory("bits");
  made.create_dataset("b", Hdf5Type::kBfloat16, {256, 256}, {.chunk = {16, 256}})
      .write(std::span<const std::uint16_t>(bits));
  save(made, folder.path() / "b.h5");
  const Hdf5File file = Hdf5File::open(folder.path() / "b.h5");
  const Hdf5Dataset set = file.dataset("b");
  EXPECT_EQ(set.type(), Hdf5Type::kBfloat16);
  std::vector<std::uint16_t> back(bits.size());
  set.read<std::uint16_t>({0, 0}, {256, 256}, back);
  EXPECT_EQ(back, bits);
  // The library's own conversion agrees with "the upper half of a float" for every value.
  std::vector<float> floats(bits.size());
  set.read<float>({0, 0}, {256, 256}, floats);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const float expected = std::bit_cast<float>(static_cast<std::uint32_t>(bits[i]) << 16);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(floats[i])) << i;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(floats[i]), std::bit_cast<std::uint32_t>(expected))
          << i;
    }
  }
}

TEST(Hdf5, SameCallsGiveTheSameBytes) {
  const std::vector<float> values = ramp(40);
  const std::vector<std::byte> first = sample_file(values).image();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // A stored time would differ.
  EXPECT_EQ(first, sample_file(values).image());
}

TEST(Hdf5, KeepsAttributes) {
  const TemporaryFolder folder;
  Hdf5File made = Hdf5File::create_in_memory("attributes");
  made.set_attribute("int", std::int64_t{-5'000'000'000});
  made.set_attribute("double", 0.1);
  made.set_attribute("text", std::string("größe \n 1"));
  made.set_attribute("empty", std::string());
  for (int i = 0; i < 40; ++i) made.set_attribute("n" + std::to_string(i), std::int64_t{i});
  save(made, folder.path() / "a.h5");
  const Hdf5File file = Hdf5File::open(folder.path() / "a.h5", ExitCode::kInput);
  EXPECT_EQ(file.attribute("int"), Hdf5Value(std::int64_t{-5'000'000'000}));
  EXPECT_EQ(file.attribute("double"), Hdf5Value(0.1));
  EXPECT_EQ(file.attribute("text"), Hdf5Value(std::string("größe \n 1")));
  EXPECT_EQ(file.attribute("empty"), Hdf5Value(std::string()));
  EXPECT_EQ(file.attribute("n39"), Hdf5Value(std::int64_t{39}));
  EXPECT_TRUE(file.has_attribute("int"));
  EXPECT_FALSE(file.has_attribute("nothing"));
  EXPECT_THAT(error_of([&] { file.attribute("nothing"); }, ExitCode::kInput),
              HasSubstr("cannot read attribute nothing"));
  error_of([&] { made.set_attribute("long", std::string(1 << 20, 'x')); }, ExitCode::kInternal);
}

TEST(Hdf5, ReadsThroughAVirtualDataset) {
  const TemporaryFolder folder;
  for (const int part : {0, 1}) {
    Hdf5File made = Hdf5File::create_in_memory("part");
    const std::vector<std::uint64_t> rows(part == 0 ? 3 : 2, 10 + part);
    made.create_dataset("r", Hdf5Type::kUint64, {rows.size(), 1}, {.chunk = {1, 1}})
        .write(std::span<const std::uint64_t>(rows));
    save(made, folder.path() / ("part" + std::to_string(part) + ".h5"));
  }
  Hdf5File made = Hdf5File::create_in_memory("whole");
  made.create_virtual_dataset("all", Hdf5Type::kUint64, {5, 1},
                              {{"part0.h5", "r", 0, 3}, {"part1.h5", "r", 3, 2}});
  save(made, folder.path() / "whole.h5");
  const Hdf5File file = Hdf5File::open(folder.path() / "whole.h5");
  std::vector<std::uint64_t> rows(5);
  file.dataset("all").read<std::uint64_t>({0, 0}, {5, 1}, rows);
  EXPECT_EQ(rows, (std::vector<std::uint64_t>{10, 10, 10, 11, 11}));
}

TEST(Hdf5, ADeclaredSizeAllocatesNothing) {
  const TemporaryFolder folder;
  Hdf5File made = Hdf5File::create_in_memory("huge");
  const std::uint64_t rows = 1'000'000'000'000;
  made.create_dataset("x", Hdf5Type::kFloat32, {rows, 4096}, {.chunk = {1, 4096}});
  save(made, folder.path() / "huge.h5");
  const Hdf5File file = Hdf5File::open(folder.path() / "huge.h5");
  const Hdf5Dataset set = file.dataset("x");
  EXPECT_EQ(set.shape()[0], rows);
  std::vector<float> row(4096, 1.0F);
  set.read<float>({rows - 1, 0}, {1, 4096}, row);
  EXPECT_EQ(row, std::vector<float>(4096, 0.0F));
}

TEST(Hdf5, NamesFileAndReason) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.h5";
  EXPECT_THAT(error_of([&] { Hdf5File::open(path); }, ExitCode::kCache),
              ::testing::AllOf(HasSubstr(path.string()), HasSubstr("No such file")));
  save(sample_file(ramp(40)), path);
  error_of([&] { Hdf5File::open(folder.path()); }, ExitCode::kCache);
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_THAT(error_of([&] { file.dataset("y"); }, ExitCode::kCache),
              HasSubstr("cannot open dataset y"));
  std::vector<std::uint64_t> wrong(5);
  const Hdf5Dataset set = file.dataset("x");
  EXPECT_THAT(error_of(
                  [&] {
                    set.read<std::uint64_t>({0, 0}, {1, 5}, wrong);
                  },
                  ExitCode::kCache),
              HasSubstr("another element type"));
}

TEST(Hdf5, AFlippedDataByteFailsTheChunkChecksum) {
  const TemporaryFolder folder;
  const std::vector<float> values = ramp(40);
  std::vector<std::byte> bytes = sample_file(values).image();
  const auto* data = reinterpret_cast<const std::byte*>(values.data() + 15);
  const auto found = std::search(bytes.begin(), bytes.end(), data, data + 20);
  ASSERT_NE(found, bytes.end());
  found[7] ^= std::byte{0x10};
  std::ofstream(folder.path() / "a.h5", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  const Hdf5File file = Hdf5File::open(folder.path() / "a.h5");
  const Hdf5Dataset set = file.dataset("x");
  std::vector<float> row(5);
  set.read<float>({2, 0}, {1, 5}, row);
  EXPECT_THAT(error_of(
                  [&] {
                    set.read<float>({3, 0}, {1, 5}, row);
                  },
                  ExitCode::kCache),
              HasSubstr("cannot read dataset x"));
}

TEST(Hdf5, OpensWithoutLocksWhereItMay) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.h5";
  save(sample_file(ramp(40)), path);
  EXPECT_FALSE(Hdf5File::open(path, ExitCode::kCache, Hdf5Locking::kOn).lock_refused());
  locks_fail = true;
  EXPECT_THAT(
      error_of([&] { Hdf5File::open(path, ExitCode::kCache, Hdf5Locking::kOn); }, ExitCode::kCache),
      HasSubstr("HDF5_USE_FILE_LOCKING=FALSE"));
  EXPECT_FALSE(Hdf5File::open(path, ExitCode::kCache, Hdf5Locking::kOff).lock_refused());
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_TRUE(file.lock_refused());
  std::vector<float> row(5);
  file.dataset("x").read<float>({3, 0}, {1, 5}, row);
  EXPECT_EQ(row.front(), std::sin(15.0F));
  locks_fail = false;
}

TEST(Hdf5, ThreadsShareTheLibrary) {
  const TemporaryFolder folder;
  const std::vector<float> values = ramp(40);
  save(sample_file(values), folder.path() / "a.h5");
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (int& each : good) {
    threads.emplace_back(
        [&](int& mine) {
          for (int round = 0; round < 50; ++round) {
            const Hdf5File file = Hdf5File::open(folder.path() / "a.h5");
            std::vector<float> all(40);
            file.dataset("x").read<float>({0, 0}, {8, 5}, all);
            mine += all == values;
          }
        },
        std::ref(each));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace softcot
