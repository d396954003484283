#include "evaluation/report_html.h"

#include <fmt/format.h>

#include <algorithm>

namespace softcot {
namespace {

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #d9dee6; --paper: #fff;
  --panel: #f5f7fa; --good: #1c7a45; --bad: #a8452e; --accent: #2d6fae; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa5b4; --line: #343c48;
  --paper: #14181e; --panel: #1c222b; --good: #63c08a; --bad: #e08a72; --accent: #7db4e6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.2rem 1.2rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.verdict { font-size: 1.12rem; border-left: 4px solid var(--accent); background: var(--panel);
  padding: .8rem 1.1rem; margin: 1.1rem 0; max-width: none; border-radius: 0 6px 6px 0; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .45rem .55rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.figures td, .figures thead th:not(:first-child) { text-align: right; }
.figures td, .figures tbody th { white-space: nowrap; }
th:first-child { padding-left: 0; } td:last-child, th:last-child { padding-right: 0; }
td small { display: block; color: var(--soft); font-size: .82em; }
figure { margin: 1rem 0; } figure .scroll { margin: 0; }
figure svg { width: 100%; height: auto; display: block; } .wide svg { min-width: 34rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 1.4rem; }
.pair > figure:only-child { max-width: 36rem; }
.question { background: var(--panel); border-radius: 8px; padding: 1rem 1.1rem; margin: 1rem 0; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .92rem; }
.answer { border-top: 1px solid var(--line); padding: .7rem 0 .2rem; min-width: 0; }
.right { color: var(--good); font-weight: 600; } .wrong { color: var(--bad); font-weight: 600; }
pre { background: var(--panel); padding: .9rem 1rem; border-radius: 8px; overflow-x: auto; font-size: .85rem; }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--accent); }
code { overflow-wrap: anywhere; font-size: .9em; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
tbody th a { color: inherit; text-decoration-color: var(--line); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .2rem 0 .8rem;
  padding: 0; font-size: .88rem; } .legend i { display: inline-block; width: 1.3rem; vertical-align: .25em;
  margin-right: .4rem; border-top: 3px solid; } .legend i.dashed { border-top-style: dashed; }
td.heat:last-child { padding-right: .55rem; }
.heat { background: rgba(59, 130, 196, calc(.04 + .5 * var(--heat))); }
.facts { table-layout: fixed; } .facts th { width: 9rem; font-weight: 400; color: var(--soft); }
.facts td { overflow-wrap: anywhere; }
:target { outline: 2px solid var(--accent); outline-offset: 4px; border-radius: 4px; }
.answers { display: grid; gap: 0 1.4rem; } .two .answers { grid-template-columns: 1fr 1fr; }
.controls { display: flex; flex-wrap: wrap; gap: .6rem .9rem; align-items: end; position: sticky;
  top: 0; background: var(--paper); padding: .8rem 0; border-bottom: 1px solid var(--line); z-index: 1; }
.controls label { display: grid; font-size: .82rem; color: var(--soft); gap: .15rem; min-width: 0; }
.controls input, .controls select { font: inherit; font-size: .95rem; color: var(--ink); max-width: 15rem;
  background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .35rem .5rem; }
.controls output { margin-left: auto; color: var(--soft); font-size: .9rem; }
.prompts h3 { margin-top: .9rem; font-size: .9rem; } .prompts pre { background: var(--paper); margin: .3rem 0; }
[hidden] { display: none !important; }
@media (max-width: 40rem) { main { padding: 1.3rem .9rem 3rem; }
  .figures tbody th { white-space: normal; min-width: 7rem; } h2 { font-size: 1.1rem; }
  .figures th:first-child { position: sticky; left: 0; background: var(--paper); } .two .answers { grid-template-columns: 1fr; }
  .controls { position: static; } .controls label { flex: 1 1 45%; } .controls input, .controls select {
  max-width: none; width: 100%; } }
@media print { :root { color-scheme: light; } details > * { display: block; } main { max-width: none; padding: 0; } .controls { display: none; }
  .scroll { overflow: visible; } table { font-size: .7rem; } .wide svg { min-width: 0; }
  figure, .question, tr { break-inside: avoid; } h2 { break-after: avoid; }
  .heat { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
)css";

// Bytes of the UTF-8 character at the front, or 0 if there is none.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool outside = (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
    return follows(1) && follows(2) && follows(3) && !outside ? 4 : 0;
  }
  return 0;
}

void add_ascii(std::string& out, char c) {
  switch (c) {
    case '&':
      out += "&amp;";
      return;
    case '<':
      out += "&lt;";
      return;
    case '>':
      out += "&gt;";
      return;
    case '"':
      out += "&quot;";
      return;
    case '\'':
      out += "&#39;";
      return;
    default:
      if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
        out += c == 0x7f ? ' ' : c;
  }
}

std::string html_row(const std::vector<std::string>& cells, bool head) {
  std::string row = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const char* open = head ? "<th scope=\"col\">" : i == 0 ? "<th scope=\"row\">" : "<td>";
    row += open + cells[i] + (head || i == 0 ? "</th>" : "</td>");
  }
  return row + "</tr>\n";
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 1) add_ascii(out, text.front());
    if (size > 1) out += text.substr(0, size);
    if (size == 0) out += "\uFFFD";
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (std::size_t count = 0; at < text.size(); ++count) {
    if (count == characters) return std::string(text.substr(0, at)) + " …";
    at += std::max<std::size_t>(character_size(text.substr(at)), 1);
  }
  return std::string(text);
}

std::string html_table(const HtmlTable& table) {
  std::string out =
      fmt::format("<div class=\"scroll\"><table{}>\n<thead>{}</thead>\n<tbody>\n",
                  table.numeric ? " class=\"figures\"" : "", html_row(table.head, true));
  for (const auto& row : table.rows) out += html_row(row, false);
  return out + "</tbody></table></div>\n";
}

std::string html_page(std::string_view title, std::string_view body, const PageScript* script) {
  const std::string allowed =
      script == nullptr ? "" : fmt::format("; script-src '{}'", script->sha256);
  const std::string running =
      script == nullptr ? "" : fmt::format("<script>{}</script>\n", script->text);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'{}\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}</"
      "main>\n"
      "{}</body>\n</html>\n",
      allowed, html_text(title), kStyle, body, running);
}

}  // namespace softcot
