#pragma once

#include <filesystem>

#include "data/benchmark.h"

namespace softcot {

/// Readers of Benchmark::read, each in a file of its own. All throw Error kInput with file and
/// line or record.

void read_aqua(const std::filesystem::path& file, RecordCollector& collector);
void read_asdiv(const std::filesystem::path& file, RecordCollector& collector);
void read_date_understanding(const std::filesystem::path& file, RecordCollector& collector);
void read_gsm8k(const std::filesystem::path& file, RecordCollector& collector);
void read_multiarith(const std::filesystem::path& file, RecordCollector& collector);
void read_own_jsonl(const std::filesystem::path& file, RecordCollector& collector);
void read_strategyqa(const std::filesystem::path& file, RecordCollector& collector);
void read_svamp(const std::filesystem::path& file, RecordCollector& collector);

}  // namespace softcot
