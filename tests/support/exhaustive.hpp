// SPDX-License-Identifier: MIT
// Gen goes through *all* ways a small test can run (the manner of TigerBeetle's exhaustigen):
//
//     for (Gen gen; !gen.done();) {
//       const std::size_t length = gen.choose(4);  // 0..3
//       ...                                        // as many choices as it takes, also in loops
//     }
//
// The body must be deterministic: the same answers lead to the same questions. What is asked may
// depend on what was answered before.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fuse9p::test {

class Gen {
 public:
  /// At the head of each run: false as long as there is a run that was not made yet.
  bool done() {
    if (runs_ == 0) {
      runs_ = 1;
      return false;
    }
    assert(asked_ == choices_.size() && "the body asked less than in the run before");
    asked_ = 0;
    for (; !choices_.empty(); choices_.pop_back()) {
      if (++choices_.back().answer < choices_.back().of) {
        ++runs_;
        return false;
      }
    }
    return true;
  }

  /// 0..of-1. `of` > 0.
  std::size_t choose(std::size_t of) {
    assert(of > 0);
    if (asked_ == choices_.size())
      choices_.push_back({0, of});
    assert(choices_[asked_].of == of && "the body is not deterministic");
    return choices_[asked_++].answer;
  }
  bool flip() { return choose(2) == 1; }

  /// Runs begun so far, this one included.
  std::uint64_t runs() const { return runs_; }
  /// The answers of this run, for failure messages.
  std::string path() const {
    std::string text;
    for (std::size_t i = 0; i < asked_; ++i)
      text += (i == 0 ? "" : " ") + std::to_string(choices_[i].answer);
    return text;
  }

 private:
  struct Choice {
    std::size_t answer, of;
  };
  std::vector<Choice> choices_;
  std::size_t asked_ = 0;
  std::uint64_t runs_ = 0;
};

}  // namespace fuse9p::test
