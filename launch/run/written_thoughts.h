#pragma once

#include <map>
#include <string>

#include "launch/run/run_data.h"
#include "runtime/process_world.h"

namespace softcot {

/// Inside of a folder of written thoughts: all that decides the texts, by name.
inline constexpr const char* kWrittenKeyName = "key.json";

/// What the assistant writes about each question of `split`, in at most N =
/// thoughts.count_in_evaluation() tokens: by question id. Kept in the folder of the thought caches,
/// under a hash of all that decides it, one line a question as it comes: what is there is read,
/// what a stopped call left out is made. Collective over the world; all ranks get all texts. Throws
/// kCache while another job writes them, naming it.
std::map<std::string, std::string> written_thoughts(const RunOptions& run, const Split& split,
                                                    const PromptTemplate& prompt,
                                                    const ProcessGroups& groups);

/// Those of them that are there already, which may be none or some. Local.
std::map<std::string, std::string> kept_written_thoughts(const RunOptions& run, const Split& split,
                                                         const PromptTemplate& prompt);

}  // namespace softcot
