#include "model/rope_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

#include "model/unsupported.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

using Json = nlohmann::json;

constexpr auto kInput = ExitCode::kInput;

/// What may stand beside a missing kind: it means the same to every kind.
constexpr std::array<std::string_view, 3> kOfAnyKind = {"rope_theta", "partial_rotary_factor",
                                                        "original_max_position_embeddings"};

/// What a key states: {} where it is missing or null.
Json stated(const Json& config, const char* key, const std::string& where) {
  const Json value = optional<Json>(config, key, Json::object(), where);
  if (value.is_object()) return value;
  fail(kInput, {.what = fmt::format("\"{}\" holds no RoPE settings", key),
                .where = where,
                .expected = "an object or null",
                .got = json_kind(value)});
}

std::string kind_of(const Json& settings, const std::string& where) {
  const auto newer = optional<std::string>(settings, "rope_type", "", where);
  const auto older = optional<std::string>(settings, "type", "", where);
  if (!newer.empty() && !older.empty() && newer != older) {
    fail(kInput, {.what = "\"rope_type\" and \"type\" name two RoPE kinds",
                  .where = where,
                  .expected = "the same, or one of them",
                  .got = fmt::format("{} and {}", newer, older)});
  }
  if (!newer.empty() || !older.empty()) return newer.empty() ? older : newer;
  for (const auto& [key, value] : settings.items()) {
    if (value.is_null() || std::ranges::find(kOfAnyKind, key) != kOfAnyKind.end()) continue;
    unsupported(where, "RoPE settings without a kind", json_text(settings),
                "\"rope_type\": \"default\" or \"llama3\"");
  }
  return "default";
}

/// The settings under one key, with those of the config around them.
RopeConfig read_settings(const Json& config, const Json& settings, const std::string& where) {
  if (std::ranges::any_of(settings, [](const Json& value) { return value.is_object(); })) {
    unsupported(where, "RoPE settings per layer type", json_text(settings), "one for all layers");
  }
  for (const Json* place : {&config, &settings}) {
    const auto factor = optional(*place, "partial_rotary_factor", 1.0, where);
    if (factor != 1.0) {
      unsupported(where, "a rotation of a part of each head",
                  fmt::format("partial_rotary_factor {}", factor), "1");
    }
  }
  RopeConfig rope;
  rope.theta = optional(config, "rope_theta", rope.theta, where);
  rope.theta = optional(settings, "rope_theta", rope.theta, where);
  const std::string kind = kind_of(settings, where);
  if (kind != "default" && kind != "llama3") {
    unsupported(where, "a RoPE kind", kind, "default or llama3");
  }
  if (kind == "llama3") {
    constexpr const char* kOriginal = "original_max_position_embeddings";
    rope.kind = RopeConfig::Kind::kLlama3;
    rope.factor = require<double>(settings, "factor", where);
    rope.low_frequency_factor = require<double>(settings, "low_freq_factor", where);
    rope.high_frequency_factor = require<double>(settings, "high_freq_factor", where);
    rope.original_positions = optional(config, "max_position_embeddings", 0.0, where);
    rope.original_positions = optional(settings, kOriginal, rope.original_positions, where);
    rope.original_positions = optional(config, kOriginal, rope.original_positions, where);
  }
  if (!(rope.theta > 0 && rope.factor >= 1 && rope.low_frequency_factor > 0 &&
        rope.high_frequency_factor > rope.low_frequency_factor && rope.original_positions > 0)) {
    fail(kInput, {.what = "RoPE settings are out of range",
                  .where = where,
                  .expected = "rope_theta > 0, factor >= 1, 0 < low_freq_factor < "
                              "high_freq_factor, original_max_position_embeddings > 0",
                  .got = json_text(settings)});
  }
  return rope;
}

auto fields(const RopeConfig& rope) {
  return std::tie(rope.kind, rope.theta, rope.factor, rope.low_frequency_factor,
                  rope.high_frequency_factor, rope.original_positions);
}

}  // namespace

bool operator==(const RopeConfig& a, const RopeConfig& b) { return fields(a) == fields(b); }

RopeConfig read_rope_config(const Json& config, const std::string& where) {
  const Json older = stated(config, "rope_scaling", where);
  const Json newer = stated(config, "rope_parameters", where);
  const RopeConfig of_older = read_settings(config, older, where);
  const RopeConfig of_newer = read_settings(config, newer, where);
  if (older.empty()) return of_newer;
  if (newer.empty() || of_older == of_newer) return of_older;
  // A scaling with its own base frequency is complete: plain settings do not contradict it.
  const bool has_theta = !optional<Json>(older, "rope_theta", nullptr, where).is_null() ||
                         !optional<Json>(config, "rope_theta", nullptr, where).is_null();
  if (of_older.kind != RopeConfig::Kind::kDefault && of_newer.kind == RopeConfig::Kind::kDefault &&
      (has_theta || of_older.theta == of_newer.theta)) {
    return of_older;
  }
  fail(kInput, {.what = "\"rope_scaling\" and \"rope_parameters\" contradict each other",
                .where = where,
                .got = fmt::format("rope_scaling {} and rope_parameters {}", json_text(older),
                                   json_text(newer)),
                .fix = "remove from config.json the one that the model was not trained with"});
}

}  // namespace softcot
