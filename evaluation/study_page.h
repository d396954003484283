#pragma once

#include <cstddef>
#include <string>

#include "evaluation/study.h"

namespace softcot {

// A study as files. The same study makes the same bytes; whatever its runs hold is text in them.

/// One HTML page that needs nothing else: no network, no script. Pure but for calling gnuplot,
/// without which it has the tables and no pictures.
std::string study_page(const Study& study, const std::string& gnuplot);

/// A page to browse what the methods wrote: `questions` of each task, evenly spaced (0: all). Its
/// script searches, filters and lays two methods side by side; without it the page is a plain list.
std::string samples_page(const Study& study, std::size_t questions);

/// The tables as a page of Markdown, and for a LaTeX document.
std::string study_markdown(const Study& study);
std::string study_latex(const Study& study);
/// One line of figures a line of the tables; fractions, not per cent.
std::string study_csv(const Study& study);

}  // namespace softcot
