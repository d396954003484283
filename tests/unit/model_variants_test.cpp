// Model folders that keep the same model in other ways, or another model than config.json states.
// The logarithmic probabilities of `score` say which model was computed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "runtime/safetensors_folder.h"
#include "runtime/safetensors_writer.h"
#include "support/files.h"
#include "support/tools_cli.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

class Variant : public ModelCopy {
 public:
  explicit Variant(const std::string& fixture) : ModelCopy(fixture) {}

  void edit_config(const std::function<void(Json&)>& edit) const {
    Json config = Json::parse(slurp(path() / "config.json"));
    edit(config);
    spill(path() / "config.json", config.dump());
  }
  void set_tied(bool tied) const {
    edit_config([&](Json& config) { config["tie_word_embeddings"] = tied; });
  }
  /// Rewrites the weights as one file of the tensors that `edit` leaves.
  void edit_weights(const std::function<void(TensorViews&)>& edit) const {
    {
      const auto files = SafetensorsFolder::open(path());
      TensorViews views;
      for (const std::string& name : files.names()) views[name] = files.tensor(name);
      edit(views);
      write_safetensors(path() / "edited", views);
    }
    std::filesystem::rename(path() / "edited", path() / "model.safetensors");
  }

  ChildResult score(int ranks = 1) const {
    return softcot({"score", "--model", path()}, "{\"ids\":[5,17,200,44,210,9,9,77,101,33]}\n",
                   ranks);
  }
  ChildResult verify() const { return softcot({"inspect", path(), "--verify"}); }
};

/// The sum of the logarithmic probabilities.
double total(const ChildResult& result) {
  EXPECT_EQ(result.status, 0) << result.err;
  return result.status == 0 ? Json::parse(result.out).at("logprob").get<double>() : 0;
}

std::size_t occurrences(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(ModelVariants, RopeScalingCountsWhateverStandsUnderRopeParameters) {
  const Variant model("llama");
  const std::string expected = model.score().out;
  Json settings;
  model.edit_config([&](Json& config) {
    settings = config.at("rope_parameters");
    ASSERT_EQ(settings.at("rope_type"), "llama3");
    config["rope_theta"] = settings.at("rope_theta");
    config["rope_scaling"] = settings;
    config["rope_scaling"].erase("rope_theta");
  });
  for (const Json& other : {Json(), Json::object(), Json{{"rope_type", "default"}},
                            Json{{"rope_type", "default"}, {"rope_theta", 10000.0}}, settings}) {
    SCOPED_TRACE(other.dump());
    model.edit_config([&](Json& config) { config["rope_parameters"] = other; });
    EXPECT_EQ(model.score().out, expected);
  }
  model.edit_config([&](Json& config) {
    config["rope_parameters"] = nullptr;
    config["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 4.0}};
  });
  const ChildResult refused = model.score();
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("a RoPE kind"));
}

TEST(ModelVariants, AHeadThatDiffersIsUsedAlthoughTheConfigTiesIt) {
  const Variant model("llama");
  const double expected = total(model.score());
  model.set_tied(true);
  for (const int ranks : {1, 2}) {
    const ChildResult result = model.score(ranks);
    EXPECT_NEAR(total(result), expected, ranks == 1 ? 0 : 1e-3);
    EXPECT_EQ(occurrences(result.err, "is taken as not tied"), 1U) << result.err;
  }
  const ChildResult inspected = model.verify();
  EXPECT_EQ(inspected.status, 0) << inspected.err;
  EXPECT_THAT(inspected.out, HasSubstr("output matrix separate"));

  // One byte is enough; of another type it is another head too.
  const Variant one_byte("llama-assistant");
  std::string bytes;
  one_byte.edit_weights([&](TensorViews& views) {
    const auto view = views.at(kEmbedding);
    bytes.assign(reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size());
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    views[kHead] = {view.dtype, view.shape, std::as_bytes(std::span(bytes))};
  });
  EXPECT_THAT(one_byte.verify().out, HasSubstr("output matrix separate"));
}

TEST(ModelVariants, OfATiedPairBothOrEitherMayBeStored) {
  const Variant model("llama-assistant");
  const std::string expected = model.score().out;
  const std::string on_two = model.score(2).out;
  const auto parameters = [](const ChildResult& inspected) {
    return inspected.out.substr(0, inspected.out.find("weights"));
  };
  const std::string facts = parameters(model.verify());
  model.edit_weights([](TensorViews& views) { views[kHead] = views.at(kEmbedding); });
  for (const bool both : {true, false}) {
    SCOPED_TRACE(both ? "both" : "the head alone");
    if (!both) model.edit_weights([](TensorViews& views) { views.erase(kEmbedding); });
    const ChildResult result = model.score();
    EXPECT_EQ(result.out, expected);
    EXPECT_THAT(result.err, Not(HasSubstr("tie_word_embeddings")));
    EXPECT_EQ(model.score(2).out, on_two);
    const ChildResult inspected = model.verify();
    EXPECT_EQ(inspected.status, 0) << inspected.err;
    EXPECT_EQ(parameters(inspected), facts);
    EXPECT_THAT(inspected.out, HasSubstr("output matrix tied"));
  }
}

TEST(ModelVariants, AHeadIsNotTiedUnlessTheConfigStatesIt) {
  for (const char* fixture : {"llama", "qwen2"}) {
    const Variant model(fixture);
    const std::string expected = model.score().out;
    model.edit_config([](Json& config) { config.erase("tie_word_embeddings"); });
    EXPECT_EQ(model.score().out, expected);
  }
  for (const char* fixture : {"llama-assistant", "qwen2-assistant"}) {
    for (const bool stated : {false, true}) {
      const Variant model(fixture);
      model.set_tied(false);
      if (!stated) model.edit_config([](Json& config) { config.erase("tie_word_embeddings"); });
      const ChildResult result = model.score();
      EXPECT_EQ(result.status, 3);
      EXPECT_THAT(result.err, AllOf(HasSubstr("without lm_head.weight"),
                                    HasSubstr("set tie_word_embeddings to true")));
    }
  }
  // The embedding of a model that is not tied cannot be missing.
  const Variant model("llama");
  model.edit_weights([](TensorViews& views) { views.erase(kEmbedding); });
  EXPECT_THAT(model.score().err, HasSubstr(std::string("without ") + kEmbedding));
}

}  // namespace
}  // namespace softcot::test
