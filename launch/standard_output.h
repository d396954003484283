#pragma once

#include <exception>
#include <string_view>

namespace softcot {

/// Whoever read standard output has gone ("softcot … | head"): the program stops, and all is well.
class OutputClosed : public std::exception {
 public:
  const char* what() const noexcept override { return "standard output was closed"; }
};

/// Writes and flushes, so that a program on the other end of a pipe sees each line at once.
/// Throws OutputClosed, or Error kResources when the bytes cannot be written (a full disk).
void write_standard_output(std::string_view bytes);

}  // namespace softcot
