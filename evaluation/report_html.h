#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// Text as HTML that shows it and does nothing else, inside of elements and of quoted attributes:
/// & < > " ' escaped, control characters but line feed and tab dropped, bytes that are not UTF-8
/// shown as U+FFFD.
std::string html_text(std::string_view text);

/// At most `characters` of a text, not cut inside of a character; an ellipsis says if it was cut.
std::string shortened(std::string_view text, std::size_t characters);

/// A table that scrolls sideways on narrow screens. Cells are HTML already; the first of each row
/// is its heading. `numeric` says that all others are figures, set to the right.
struct HtmlTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
  bool numeric = true;
};
std::string html_table(const HtmlTable& table);

/// A script that a page may run, and its hash as a Content-Security-Policy names it.
struct PageScript {
  std::string_view text;
  std::string_view sha256;  ///< "sha256-…", base64.
};

/// A whole page around `body`, which runs no script but `script`. `title` is plain text.
std::string html_page(std::string_view title, std::string_view body,
                      const PageScript* script = nullptr);

}  // namespace softcot
