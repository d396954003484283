#include "data/pretokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/pretokenizer_regex.h"
#include "data/tokenizer_json.h"
#include "data/tokenizer_text.h"
#include "runtime/error.h"

namespace softcot {
namespace {

using Stage = PreTokenizer::Stage;

class Split final : public Stage {
 public:
  struct Options {
    bool keep_matches;
    bool keep_others;
  };
  Split(PretokenizerRegex regex, Options options) : regex_(std::move(regex)), options_(options) {}

  void cut(const std::vector<std::string_view>& words, WordList& out) const override {
    PretokenizerRegex::Matcher matcher(regex_);
    for (const std::string_view word : words) {
      matcher.for_each_part(word, [&](std::string_view part, bool is_match) {
        if (is_match ? options_.keep_matches : options_.keep_others) out.words.push_back(part);
      });
    }
  }

 private:
  PretokenizerRegex regex_;
  Options options_;
};

// Sets numeric characters apart from the rest, one by one or as runs.
class Digits final : public Stage {
 public:
  explicit Digits(bool individual) : individual_(individual) {}

  void cut(const std::vector<std::string_view>& words, WordList& out) const override {
    for (const std::string_view word : words) cut_word(word, out);
  }

 private:
  void cut_word(std::string_view word, WordList& out) const {
    std::size_t begin = 0;
    bool in_number = false;
    for (std::size_t at = 0; at < word.size();) {
      const CodePoint point = code_point_at(word, at);
      const bool numeric = is_numeric(point.value);
      if (at > begin && (numeric != in_number || (numeric && individual_))) {
        out.words.push_back(word.substr(begin, at - begin));
        begin = at;
      }
      in_number = numeric;
      at += point.length;
    }
    if (begin < word.size()) out.words.push_back(word.substr(begin));
  }

  bool individual_;
};

class ByteLevel final : public Stage {
 public:
  struct Options {
    bool add_prefix_space;
    bool use_regex;
  };
  ByteLevel(Options options, const std::string& where)
      : options_(options),
        // GPT-2's rule: contractions, then letters, numbers, others with at most one space before
        // them, then spaces.
        regex_(R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
               where) {}

  void cut(const std::vector<std::string_view>& words, WordList& out) const override {
    PretokenizerRegex::Matcher matcher(regex_);
    for (std::string_view word : words) {
      if (options_.add_prefix_space && !word.starts_with(' ')) {
        word = out.owned.emplace_back(" " + std::string(word));
      }
      if (!options_.use_regex) {
        out.words.push_back(word);
        continue;
      }
      matcher.for_each_part(word, [&](std::string_view part, bool) { out.words.push_back(part); });
    }
  }

 private:
  Options options_;
  PretokenizerRegex regex_;
};

std::shared_ptr<const Stage> make_split(const JsonView& description) {
  const std::string behavior = description.text("behavior");
  const bool invert = description.flag("invert", false);
  if (behavior != "Isolated" && behavior != "Removed") {
    description.refuse("behavior", "\"Isolated\" or \"Removed\"", behavior);
  }
  const bool removed = behavior == "Removed";
  const Split::Options options{.keep_matches = !removed || invert,
                               .keep_others = !removed || !invert};
  const JsonView pattern = description.at("pattern");
  if (pattern.has("Regex")) {
    return std::make_shared<Split>(PretokenizerRegex(pattern.text("Regex"), pattern.where()),
                                   options);
  }
  return std::make_shared<Split>(
      PretokenizerRegex::literal(pattern.text("String"), pattern.where()), options);
}

std::shared_ptr<const Stage> make_stage(const JsonView& description, bool last) {
  const std::string type = description.text("type");
  if (type == "ByteLevel" && last) {
    return std::make_shared<ByteLevel>(
        ByteLevel::Options{.add_prefix_space = description.flag("add_prefix_space", true),
                           .use_regex = description.flag("use_regex", true)},
        description.where());
  }
  if (last) {
    description.refuse("type", "a pre-tokenizer that ends with \"ByteLevel\"", type);
  }
  if (type == "Split") return make_split(description);
  if (type == "Digits") {
    return std::make_shared<Digits>(description.flag("individual_digits", false));
  }
  description.refuse("type", "\"Split\", \"Digits\", or \"ByteLevel\" as the last", type);
}

}  // namespace

PreTokenizer::PreTokenizer(const nlohmann::json& description, const std::string& where) {
  const JsonView view(description, where + ", pre_tokenizer");
  if (view.text("type") != "Sequence") {
    stages_.push_back(make_stage(view, true));
    return;
  }
  const std::vector<JsonView> parts = view.at("pretokenizers").elements();
  if (parts.empty()) view.refuse("pretokenizers", "at least \"ByteLevel\"", "none");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    stages_.push_back(make_stage(parts[i], i + 1 == parts.size()));
  }
}

WordList PreTokenizer::cut(std::string_view text) const {
  WordList list;
  list.words.push_back(text);
  for (const auto& stage : stages_) {
    const std::vector<std::string_view> before = std::move(list.words);
    list.words.clear();
    list.words.reserve(before.size() + text.size() / 4);
    stage->cut(before, list);
  }
  return list;
}

}  // namespace softcot
