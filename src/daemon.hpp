// SPDX-License-Identifier: MIT
// To the background, once there is something to go there with: the parent waits for the child's
// word and exits with its status. daemon(7).
#pragma once

namespace fuse9p {

class Background {
 public:
  /// Forks. Returns in the child only; the parent waits until ready() or the child's end, and exits
  /// with 0 or the child's status. Call it before any thread exists. With `stay` nothing is done.
  explicit Background(bool stay);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

  /// The mount answers: the parent may go. Standard streams are /dev/null from now on.
  void ready();
  bool in_background() const { return in_background_; }

 private:
  bool in_background_ = false;
  int to_parent_ = -1;
};

}  // namespace fuse9p
