// A tokenizer.json, then, where it is accepted, texts that it cuts and puts together again.
#include "data/tokenizer.h"

#include <array>

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  const auto [json, words] = fuzz::halves(fuzz::text(data, size));
  const auto path = fuzz::write("tokenizer.json", json);
  const std::array<std::string_view, 2> texts = {"hello <|im_end|> 12\n 3é\u3000x", words};
  fuzz::accepts([&] {
    const Tokenizer tokenizer = Tokenizer::load(path);
    for (const std::string_view text : texts) {
      for (const TokensInText mode : {TokensInText::kRecognized, TokensInText::kPlain}) {
        fuzz::accepts([&] {
          const auto ids = tokenizer.encode(text, mode);
          for (const std::int64_t id : ids) {
            fuzz::require(id >= 0 && id < tokenizer.vocab_size(), "ids are of the vocabulary");
          }
          StreamDecoder stream(tokenizer);
          std::string pieces;
          for (const std::int64_t id : ids) pieces += stream.push(id);
          pieces += stream.finish();
          fuzz::require(pieces == tokenizer.decode(ids), "a stream decodes to the same text");
        });
      }
    }
  });
  return 0;
}
