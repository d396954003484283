#pragma once

namespace softcot {

/// Processors that this process may run on: fewer than the machine has where its launcher bound it.
/// Local.
int usable_processors();

}  // namespace softcot
