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

struct DecodeTask {
  const DecodeRow* row;
  HeadGroup group;
};

/// What threads take in decoding: groups of heads, and those that do not go round as single heads,
/// so that the threads end together.
std::vector<DecodeTask> decode_tasks(const std::vector<DecodeRow>& rows,
                                     const std::vector<HeadGroup>& groups) {
  const std::size_t all = rows.size() * groups.size();
  const std::size_t whole = all - all % static_cast<std::size_t>(omp_get_max_threads());
  std::vector<DecodeTask> tasks;
  for (std::size_t i = 0; i < all; ++i) {
    const DecodeRow* row = &rows[i / groups.size()];
    const HeadGroup& group = groups[i % groups.size()];
    if (i < whole) {
      tasks.push_back({row, group});
      continue;
    }
    for (std::int64_t h = 0; h < group.count; ++h) {
      tasks.push_back({row, {group.first + h, 1, group.kv_head}});
    }
  }
  return tasks;
}

}  // namespace

void decode_attention(const std::vector<DecodeRow>& rows, const AttentionHeads& heads) {
  const auto tasks = decode_tasks(rows, head_groups(heads.kv_of_query, heads.query_heads));
#pragma omp parallel
  {
    std::vector<float> scores;
#pragma omp for schedule(dynamic)
    for (const DecodeTask& task : tasks) {
      std::int64_t tokens = 0;
      for (int s = 0; s < task.row->span_count; ++s) tokens += task.row->spans[s].tokens;
      scores.resize(task.group.count * tokens);
      row_kernels().decode_heads(*task.row, heads, task.group, scores.data());
    }
  }
}

}  // namespace softcot::cpu
