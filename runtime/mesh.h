#pragma once

#include <string>
#include <vector>

namespace softcot {

/// How the ranks of a job are laid out: world = dp × tp with tp innermost, so that the ranks of one
/// replica are neighbours (on one node wherever the launcher fills nodes in order).
/// Plain arithmetic: needs no MPI, and every question about "who" is answered by it.
class Mesh {
 public:
  /// Throws kUsage unless tp >= 1 and tp divides world.
  static Mesh make(int world, int tp);

  int world() const { return dp_ * tp_; }
  int dp() const { return dp_; }  ///< Replicas of the model, each with batch rows of its own.
  int tp() const { return tp_; }  ///< Ranks that share one replica and its batch rows.

  int dp_index(int rank) const { return rank / tp_; }
  int tp_index(int rank) const { return rank % tp_; }

  /// The world ranks of the replica that `rank` belongs to, in order of tp index.
  std::vector<int> tp_group(int rank) const;
  /// The world ranks that hold the same shard as `rank`, in order of dp index.
  std::vector<int> dp_group(int rank) const;

  /// "dp 2 × tp 3"
  std::string describe() const;

 private:
  Mesh(int dp, int tp) : dp_(dp), tp_(tp) {}
  int dp_;
  int tp_;
};

}  // namespace softcot
