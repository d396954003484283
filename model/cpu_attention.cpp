#include "model/cpu_attention.h"

#include <omp.h>

#include <algorithm>
#include <numeric>

#include "model/cpu_row_kernels.h"

namespace softcot::cpu {

std::vector<HeadGroup> head_groups(const std::int64_t* kv_of_query, std::int64_t query_heads) {
  std::vector<HeadGroup> groups;
  for (std::int64_t head = 0; head < query_heads; ++head) {
    if (groups.empty() || groups.back().kv_head != kv_of_query[head]) {
      groups.push_back({head, 0, kv_of_query[head]});
    }
    ++groups.back().count;
  }
  return groups;
}

void causal_attention(const std::vector<AttentionRow>& rows, const AttentionHeads& heads) {
  struct Task {
    const AttentionRow* row;
    HeadGroup group;
    std::int64_t first;
  };
  std::vector<Task> tasks;
  for (const AttentionRow& row : rows) {
    for (const HeadGroup& group : head_groups(heads.kv_of_query, heads.query_heads)) {
      for (std::int64_t first = 0; first < row.tokens; first += kQueryBlock) {
        tasks.push_back({&row, group, first});
      }
    }
  }
  // The long ones first, so that the threads end together.
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Task& a, const Task& b) { return a.first > b.first; });
#pragma omp parallel
  {
    std::vector<float> scratch;
#pragma omp for schedule(dynamic)
    for (const Task& task : tasks) {
      row_kernels().attend(*task.row, heads, task.group, task.first,
                           std::min(task.first + kQueryBlock, task.row->tokens), scratch);
    }
  }
}

void causal_attention_backward(const std::vector<AttentionRow>& rows,
                               const std::vector<AttentionGradient>& gradients,
                               const AttentionHeads& heads) {
  const auto groups = head_groups(heads.kv_of_query, heads.query_heads);
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rows[a].tokens > rows[b].tokens; });
#pragma omp parallel
  {
    std::vector<float> scratch;
#pragma omp for schedule(dynamic)
    for (std::size_t i = 0; i < rows.size() * groups.size(); ++i) {
      const std::size_t r = order[i / groups.size()];
      row_kernels().attend_backward(rows[r], gradients[r], heads, groups[i % groups.size()],
                                    scratch);
    }
  }
}

namespace {

/// In how many parts a row's heads are decoded, so that the threads end together.
std::int64_t parts_of_row(std::int64_t rows, std::int64_t heads) {
  const std::int64_t threads = omp_get_max_threads();
  return rows % threads == 0 || rows > 8 * threads ? 1 : std::min(threads, heads);
}

}  // namespace

void decode_attention(const std::vector<DecodeRow>& rows, const AttentionHeads& heads) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t parts = parts_of_row(count, heads.query_heads);
#pragma omp parallel
  {
    std::vector<float> scores;
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < count * parts; ++i) {
      const DecodeRow& row = rows[i / parts];
      const std::int64_t first = i % parts * heads.query_heads / parts;
      const std::int64_t end = (i % parts + 1) * heads.query_heads / parts;
      std::int64_t tokens = 0;
      for (int s = 0; s < row.span_count; ++s) tokens += row.spans[s].tokens;
      scores.resize((end - first) * tokens);
      row_kernels().decode_heads(row, heads, first, end - first, scores.data());
    }
  }
}

}  // namespace softcot::cpu
