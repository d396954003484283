#include "launch/options/nearest_name.h"

#include <algorithm>
#include <limits>

namespace softcot {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> cost(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = static_cast<int>(i);
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::optional<std::string> nearest_name(std::string_view typed,
                                        const std::vector<std::string>& names) {
  const int near_enough = std::max(2, static_cast<int>(typed.size()) / 3);
  int best = std::numeric_limits<int>::max();
  std::optional<std::string> nearest;
  for (const std::string& name : names) {
    int distance = edit_distance(typed, name);
    if (const std::size_t dot = name.find('.'); dot != std::string::npos) {
      distance = std::min(distance, edit_distance(typed, std::string_view(name).substr(dot + 1)));
    }
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return best <= near_enough ? nearest : std::nullopt;
}

}  // namespace softcot
