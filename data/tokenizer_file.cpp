#include "data/tokenizer_file.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

using nlohmann::json;

constexpr const char* kFix = "get the tokenizer.json again from where the model comes from";

// Receives the parser's events. Those inside `model.vocab` and `model.merges` go straight into the
// tables; all others build a JSON value.
class FileHandler final : public nlohmann::json_sax<json> {
 public:
  FileHandler(TokenizerFile& file, const std::string& where) : file_(file), where_(where) {}

  bool null() override { return value(json(), "null"); }
  bool boolean(bool v) override { return value(json(v), "true or false"); }
  bool number_integer(number_integer_t v) override { return number(v); }
  bool number_unsigned(number_unsigned_t v) override {
    return v > INT64_MAX ? value(json(v), "a huge number") : number(static_cast<std::int64_t>(v));
  }
  bool number_float(number_float_t v, const string_t&) override {
    return value(json(v), "a number with a fraction");
  }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& text) override {
    if (table_ == Table::kMerges) {
      add_merge_part(text);
      return true;
    }
    return value(json(std::move(text)), "a string");
  }

  bool key(string_t& text) override {
    key_ = std::move(text);
    return true;
  }

  bool start_object(std::size_t) override {
    refuse_inside_table("an object");
    if (at_model_key("vocab")) {
      table_ = Table::kVocabulary;
      return true;
    }
    return open(json::object());
  }

  bool end_object() override {
    if (table_ == Table::kVocabulary) {
      table_ = Table::kNone;
      return true;
    }
    return close();
  }

  bool start_array(std::size_t) override {
    if (table_ == Table::kMerges && !pair_) {
      pair_.emplace();
      return true;
    }
    refuse_inside_table("an array");
    if (at_model_key("merges")) {
      table_ = Table::kMerges;
      return true;
    }
    return open(json::array());
  }

  bool end_array() override {
    if (table_ == Table::kNone) return close();
    if (!pair_) {
      table_ = Table::kNone;
      return true;
    }
    if (pair_->size() != 2) refuse(fmt::format("an array of {}", pair_->size()));
    file_.merges.add((*pair_)[0], (*pair_)[1]);
    pair_.reset();
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception& e) override {
    // The library's text begins with its own name and number in brackets.
    const std::string text = e.what();
    const std::size_t bracket = text.find("] ");
    fail(ExitCode::kInput, {.what = "tokenizer file is not valid JSON",
                            .where = fmt::format("{}, byte {}", where_, position),
                            .got = bracket == std::string::npos ? text : text.substr(bracket + 2),
                            .fix = kFix});
  }

 private:
  enum class Table { kNone, kVocabulary, kMerges };

  bool at_model_key(const char* name) const {
    return open_.size() == 2 && keys_.size() == 2 && keys_[1] == "model" && key_ == name;
  }

  [[noreturn]] void refuse(const std::string& got) const {
    const bool vocabulary = table_ == Table::kVocabulary;
    fail(ExitCode::kInput,
         {.what = "wrong type in a tokenizer file",
          .where = vocabulary ? fmt::format("{}, model.vocab, token \"{}\"", where_, key_)
                              : fmt::format("{}, model.merges[{}]", where_, file_.merges.size()),
          .expected = vocabulary ? "a whole number" : "\"left right\" or [\"left\", \"right\"]",
          .got = got,
          .fix = kFix});
  }

  void refuse_inside_table(const char* got) const {
    if (table_ != Table::kNone) refuse(got);
  }

  bool number(std::int64_t v) {
    if (table_ != Table::kVocabulary) return value(json(v), "a number");
    file_.vocabulary.add(key_, v, where_ + ", model.vocab");
    return true;
  }

  void add_merge_part(const std::string& text) {
    if (pair_) {
      pair_->push_back(text);
      return;
    }
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      refuse(fmt::format("\"{}\"", text));
    }
    const std::string_view merge(text);
    file_.merges.add(merge.substr(0, space), merge.substr(space + 1));
  }

  json* place(json&& v) {
    if (open_.empty()) {
      file_.rest = std::move(v);
      return &file_.rest;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    json& child = parent[key_];
    child = std::move(v);
    return &child;
  }

  bool value(json&& v, const char* kind) {
    refuse_inside_table(kind);
    place(std::move(v));
    return true;
  }

  bool open(json&& v) {
    constexpr std::size_t kDeepest = 200;
    if (open_.size() == kDeepest) {
      fail(ExitCode::kInput, {.what = "tokenizer file is nested too deeply",
                              .where = where_,
                              .got = fmt::format("more than {} levels", kDeepest),
                              .fix = kFix});
    }
    keys_.push_back(open_.empty() ? "" : key_);
    open_.push_back(place(std::move(v)));
    return true;
  }

  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  TokenizerFile& file_;
  const std::string& where_;
  Table table_ = Table::kNone;
  std::optional<std::vector<std::string>> pair_;  // the ["a", "b"] that is open
  std::string key_;
  std::vector<json*> open_;        // containers being filled, outermost first
  std::vector<std::string> keys_;  // under which key each of them is
};

std::string read_all(const std::filesystem::path& path) {
  constexpr std::uint64_t kLargest = std::uint64_t{256} << 20;
  try {
    return read_file(path, kLargest);
  } catch (const Error& error) {
    Problem problem = error.problem();
    problem.what = "tokenizer file cannot be read: " + problem.what;
    problem.fix = "name a Hugging Face model folder that holds tokenizer.json";
    fail(error.code(), std::move(problem));
  }
}

}  // namespace

TokenizerFile read_tokenizer_file(const std::filesystem::path& path) {
  const std::string bytes = read_all(path);
  TokenizerFile file;
  file.hash = hash_bytes(bytes);
  const std::string where = path.string();
  FileHandler handler(file, where);
  json::sax_parse(bytes, &handler);
  if (!file.rest.is_object()) {
    fail(ExitCode::kInput, {.what = "tokenizer file is not a JSON object",
                            .where = where,
                            .got = file.rest.type_name(),
                            .fix = kFix});
  }
  return file;
}

}  // namespace softcot
