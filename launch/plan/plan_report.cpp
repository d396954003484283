#include "launch/plan/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/counted.h"

namespace softcot {
namespace {

struct MemoryColumn {
  const char* title;  ///< In the table; columns where all is 0 are left out.
  const char* key;    ///< In JSON.
  std::int64_t MemoryParts::*part;
};

constexpr std::array kMemory = {
    MemoryColumn{"process", "process", &MemoryParts::process},
    MemoryColumn{"files", "files", &MemoryParts::files},
    MemoryColumn{"weights", "weights", &MemoryParts::weights},
    MemoryColumn{"trained", "trained", &MemoryParts::trained},
    MemoryColumn{"prefix", "shared_prefix", &MemoryParts::shared_prefix},
    MemoryColumn{"KV", "keys_values", &MemoryParts::keys_values},
    MemoryColumn{"activ.", "activations", &MemoryParts::activations},
    MemoryColumn{"gaps", "gaps", &MemoryParts::gaps},
    MemoryColumn{"logits", "logits", &MemoryParts::logits},
    MemoryColumn{"sums", "communication", &MemoryParts::communication},
    MemoryColumn{"saved", "checkpoint", &MemoryParts::checkpoint},
};

struct TimeColumn {
  const char* title;
  const char* key;
  double StepTime::*part;
};

constexpr std::array kTime = {
    TimeColumn{"compute", "compute", &StepTime::compute},
    TimeColumn{"tp sums", "tp_all_reduce", &StepTime::tp_sums},
    TimeColumn{"dp sums", "dp_all_reduce", &StepTime::dp_sums},
    TimeColumn{"update", "update", &StepTime::update},
};

/// Text of a fixed width: "×" is one column but two bytes.
std::string padded(const std::string& text, std::size_t width) {
  std::size_t columns = 0;
  for (const char c : text) columns += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return text + std::string(columns < width ? width - columns : 0, ' ');
}

constexpr std::size_t kNameWidth = 15;

std::string memory_table(const Machine& machine, const std::vector<Layout>& layouts) {
  const auto used = [&](const MemoryColumn& column) {
    return std::any_of(layouts.begin(), layouts.end(),
                       [&](const Layout& layout) { return layout.memory.parts.*column.part > 0; });
  };
  std::string out = padded("memory, GB", kNameWidth);
  for (const auto& column : kMemory) {
    if (used(column)) out += fmt::format("{:>8}", column.title);
  }
  out += fmt::format("{:>8}{:>9}  most while\n", "peak", "left");
  for (const Layout& layout : layouts) {
    out += padded(layout_name(layout), kNameWidth);
    for (const auto& column : kMemory) {
      if (used(column)) {
        out += fmt::format("{:>8.3f}", static_cast<double>(layout.memory.parts.*column.part) / 1e9);
      }
    }
    const auto peak = static_cast<double>(layout.memory.parts.total());
    const double left = usable_memory(machine) - peak;
    out += fmt::format("{:>8.3f}{:>9.3f}  {}{}\n", peak / 1e9, left / 1e9,
                       moment_name(layout.memory.moment), layout.fits ? "" : ", does not fit");
  }
  return out;
}

std::string time_table(const std::vector<Layout>& layouts) {
  std::string out = padded("time, ms a step", kNameWidth);
  for (const auto& column : kTime) out += fmt::format("{:>9}", column.title);
  out += fmt::format("{:>9}{:>9}\n", "step", "rows/s");
  for (const Layout& layout : layouts) {
    out += padded(layout_name(layout), kNameWidth);
    for (const auto& column : kTime) out += fmt::format("{:>9.2f}", 1e3 * layout.time.*column.part);
    out += fmt::format("{:>9.2f}{:>9}{}\n", 1e3 * layout.time.total(),
                       speed_text(layout.rows_per_second), layout.fits ? "" : "  (does not fit)");
  }
  return out;
}

double mean(const Workload& work, std::int64_t RowShape::*part) {
  double sum = 0;
  for (const RowShape& row : work.rows) sum += static_cast<double>(row.*part);
  return sum / static_cast<double>(work.rows.size());
}

std::int64_t longest_row(const Workload& work) {
  return std::max_element(work.rows.begin(), work.rows.end(),
                          [](auto& a, auto& b) { return a.tokens < b.tokens; })
      ->tokens;
}

std::string number(std::int64_t value) {
  const auto x = static_cast<double>(value);
  if (x >= 1e9) return fmt::format("{:.2f} B", x / 1e9);
  if (x >= 1e6) return fmt::format("{:.1f} M", x / 1e6);
  return std::to_string(value);
}

std::string heading(const PlanTitle& title, const Workload& work, const Machine& machine) {
  const std::string ranks = counted(machine.ranks, machine.on_gpu() ? "GPU" : "CPU rank");
  std::string out =
      fmt::format("{}, {} parameters in {}", title.model, number(parameter_count(work.backbone)),
                  work.weight_bytes == 2 ? "bfloat16" : "float32");
  if (work.method.projection) out += fmt::format(", assistant {}", title.assistant);
  out += fmt::format("; {} trains {}\n", work.method.title, number(trained_sizes(work, 1).whole));
  out += fmt::format("{} in {}, {:g} GB {}; batch {}; rows of {:.0f} tokens, at most {} ({})\n\n",
                     ranks, counted(machine.nodes, "node"), machine.memory / 1e9,
                     machine.on_gpu() ? "each" : "a node", work.batch,
                     mean(work, &RowShape::tokens), longest_row(work), title.rows);
  return out;
}

std::string assumptions(const Machine& machine) {
  return fmt::format(
      "Assumed: {:g} TFLOP/s and {:g} GB/s of memory {}, products at {:g} % of that; sums at {:g} "
      "GB/s "
      "within\na node and {:g} GB/s between nodes, {:g} and {:g} µs a hop. Measure yours and give "
      "them: "
      "softcot plan --help.\n",
      machine.peak_flops / 1e12, machine.memory_bandwidth / 1e9,
      machine.on_gpu() ? "a GPU" : "a node", 100 * machine.efficiency, machine.node_bandwidth / 1e9,
      machine.network_bandwidth / 1e9, 1e6 * machine.node_latency, 1e6 * machine.network_latency);
}

}  // namespace

std::string plan_text(const PlanTitle& title, const Workload& work, const Machine& machine,
                      const std::vector<Layout>& layouts, const std::optional<Choice>& choice) {
  std::string out = heading(title, work, machine) + memory_table(machine, layouts) + "\n" +
                    time_table(layouts) + "\n";
  if (choice) {
    const Layout& best = layouts[choice->index];
    out += fmt::format("Take {}, --parallel.tp {}: {}.\n\n", layout_name(best), best.tp,
                       choice->reason);
  }
  const std::vector<std::string> hints = plan_hints(work, machine);
  for (const std::string& hint : hints) out += hint + "\n";
  return out + (hints.empty() ? "" : "\n") + assumptions(machine);
}

nlohmann::ordered_json plan_json(const PlanTitle& title, const Workload& work,
                                 const Machine& machine, const std::vector<Layout>& layouts,
                                 const std::optional<Choice>& choice) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Layout& layout : layouts) {
    nlohmann::ordered_json memory, seconds;
    for (const auto& column : kMemory) memory[column.key] = layout.memory.parts.*column.part;
    for (const auto& column : kTime) seconds[column.key] = layout.time.*column.part;
    list.push_back({{"tp", layout.tp},
                    {"dp", layout.dp},
                    {"fits", layout.fits},
                    {"peak_memory_bytes", layout.memory.parts.total()},
                    {"peak_while", moment_name(layout.memory.moment)},
                    {"memory_bytes", memory},
                    {"step_seconds", layout.time.total()},
                    {"seconds", seconds},
                    {"rows_per_second", layout.rows_per_second}});
  }
  nlohmann::ordered_json json = {
      {"model", title.model},
      {"parameters", parameter_count(work.backbone)},
      {"method", work.method.name},
      {"trained_parameters", trained_sizes(work, 1).whole},
      {"device", machine.on_gpu() ? "gpu" : "cpu"},
      {"ranks", machine.ranks},
      {"nodes", machine.nodes},
      {"usable_memory_bytes", static_cast<std::int64_t>(usable_memory(machine))},
      {"batch", work.batch},
      {"row_tokens", mean(work, &RowShape::tokens)},
      {"longest_row", longest_row(work)},
      {"target_tokens", mean(work, &RowShape::targets)},
      {"shared_tokens", work.shared_tokens},
      {"key_value_bytes_per_token", key_value_bytes(work.backbone, work.weight_bytes)},
      {"assumed",
       {{"peak_flops", machine.peak_flops},
        {"efficiency", machine.efficiency},
        {"memory_bytes_per_second", machine.memory_bandwidth},
        {"node_bytes_per_second", machine.node_bandwidth},
        {"network_bytes_per_second", machine.network_bandwidth},
        {"node_latency_seconds", machine.node_latency},
        {"network_latency_seconds", machine.network_latency}}},
      {"layouts", list},
      {"hints", plan_hints(work, machine)}};
  if (choice) {
    json["choice"] = {{"tp", layouts[choice->index].tp},
                      {"dp", layouts[choice->index].dp},
                      {"reason", choice->reason}};
  }
  return json;
}

}  // namespace softcot
