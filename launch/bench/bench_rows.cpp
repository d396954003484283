#include "launch/bench/bench_rows.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace softcot {

BenchRows BenchRows::read(const RunOptions& run) {
  BenchRows rows{TextModel::open(run.model.path),
                 TextModel::open(assistant_of(run).path),
                 PromptTemplate::load(run.prompts, run.thoughts.prompt),
                 train_split(run.data),
                 {},
                 {}};
  const RowBuilder backbone(rows.backbone_text.tokenizer, rows.backbone_text.family, rows.prompt);
  const RowBuilder assistant(rows.assistant_text.tokenizer, rows.assistant_text.family,
                             rows.prompt);
  SplitRows kept = backbone_rows(backbone, rows.split, run.thoughts.count, run.data);
  std::vector<Row> all = assistant_rows(assistant, rows.split, run.thoughts.count, run.data);
  rows.backbone = std::move(kept.rows);
  for (const std::int64_t record : kept.records) rows.assistant.push_back(std::move(all[record]));
  return rows;
}

std::string BenchRows::lines() const {
  const auto shared = longest_common_prefix(backbone);
  std::string text;
  for (std::size_t r = 0; r < backbone.size(); ++r) {
    const nlohmann::ordered_json line = {
        {"ids", backbone[r].ids},
        {"thought_begin", backbone[r].thoughts.begin},
        {"thoughts", backbone[r].thoughts.count},
        {"target_begin", backbone[r].target_begin},
        {"shared_prefix", shared},
        {"assistant", {{"ids", assistant[r].ids}, {"thought_begin", assistant[r].thoughts.begin}}}};
    text += line.dump() + "\n";
  }
  return text;
}

}  // namespace softcot
