#pragma once

#include "evaluation/report_html.h"

namespace softcot {

/// The script of the page of samples: search, filters, two methods side by side. It reads what the
/// page shows and makes no element of any text.
extern const PageScript kBrowserScript;

}  // namespace softcot
