#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "evaluation/result_table.h"

namespace softcot {

// Figures as people read them, the same in every table. Pure.

inline constexpr const char* kNoFigure = "–";

/// A share in per cent with one digit, without the sign: "12.5".
std::string percent(double share);
/// Without the sign of what rounds to zero: "0.0", never "-0.0".
std::string number_text(double value, int digits);
/// With its sign, a real minus: "+1.5", "−0.3"; "0.0" where nothing else is left of it.
std::string signed_text(double value, int digits);

/// Digits after the point with which a change and this interval of it are written in per cent: 1,
/// more where that would show the whole interval as 0.0.
int change_digits(const Interval& interval);

/// "−1.2 [−3.4, +1.0]" of a share, in per cent.
std::string change_text(const Estimate& change);

/// "12.5 ± 2.1" in per cent, by the standard error over questions; "0.0 [0.0, 16.1]", its 95 %
/// interval, where that error rounds to nothing: at 0 and 100 %.
std::string accuracy_text(const Accuracy& accuracy);
/// That of the headline; "12.5 ± 2.1 (0.8 sd)" where there are several seeds that differ.
std::string accuracy_text(const MethodResult& result);
/// Per token; kNoFigure where there is none.
std::string nll_text(const MethodResult& result);
/// The relative change of the NLL against the baseline; null where nothing was compared.
const Estimate* nll_change(const MethodResult& result);

/// "3 questions are left out: longer than data.max-length."; empty where none is.
std::string skipped_text(const MethodResult& result);

/// "always C: 30.6 %", the accuracy of a method that always gives the most frequent reference
/// answer; empty where answers are no classes.
std::string majority_text(const MethodResult& result);
/// The same of a table's rows, as a sentence; empty where no row has it.
std::string majority_sentence(const Comparison& comparison);

/// A field of a CSV file (RFC 4180).
std::string csv_field(const std::string& text);

/// Columns of a terminal that tables keep to.
inline constexpr std::size_t kColumns = 100;
/// Those that UTF-8 text takes: its characters.
std::size_t columns_of(std::string_view text);
/// Words in lines of at most kColumns.
std::string paragraph(const std::string& text);

}  // namespace softcot
