#include "data/tokenizer_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/error.h"

namespace softcot {

bool JsonView::has(const char* key) const {
  if (!value_->is_object()) return false;
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

const nlohmann::json& JsonView::require(const char* key) const {
  if (!value_->is_object()) {
    fail(ExitCode::kInput, {.what = "wrong type in a tokenizer file",
                            .where = where_,
                            .expected = fmt::format("an object with \"{}\"", key),
                            .got = value_->type_name()});
  }
  const auto found = value_->find(key);
  if (found == value_->end()) {
    fail(ExitCode::kInput, {.what = "key missing in a tokenizer file",
                            .where = where_,
                            .expected = fmt::format("\"{}\"", key)});
  }
  return *found;
}

JsonView JsonView::at(const char* key) const {
  return JsonView(require(key), fmt::format("{}.{}", where_, key));
}

std::vector<JsonView> JsonView::elements() const {
  if (!value_->is_array()) {
    fail(ExitCode::kInput, {.what = "wrong type in a tokenizer file",
                            .where = where_,
                            .expected = "an array",
                            .got = value_->type_name()});
  }
  std::vector<JsonView> views;
  for (std::size_t i = 0; i < value_->size(); ++i) {
    views.emplace_back((*value_)[i], fmt::format("{}[{}]", where_, i));
  }
  return views;
}

std::string JsonView::text(const char* key) const {
  const nlohmann::json& value = require(key);
  if (!value.is_string()) refuse(key, "a string", value.type_name());
  return value.get<std::string>();
}

std::int64_t JsonView::integer(const char* key) const {
  const nlohmann::json& value = require(key);
  if (!value.is_number_integer()) refuse(key, "a whole number", value.type_name());
  return value.get<std::int64_t>();
}

bool JsonView::flag(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  const nlohmann::json& value = require(key);
  if (!value.is_boolean()) refuse(key, "true or false", value.type_name());
  return value.get<bool>();
}

std::string JsonView::text(const char* key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

void JsonView::refuse(const char* key, std::string expected, std::string got) const {
  fail(ExitCode::kInput, {.what = "tokenizer file holds something that softcot does not know",
                          .where = fmt::format("{}.{}", where_, key),
                          .expected = std::move(expected),
                          .got = std::move(got)});
}

}  // namespace softcot
