// SPDX-License-Identifier: MIT
// The simulated server: a few files in memory, answered in any order, late, short, with errors, or
// not at all, as the dice say; it does one thing at a time, when told to. It trusts the client: the
// referee does not. What it says is true: a request answered with an error, or with Rflush and no
// reply, has done nothing, unless the server is sloppy; then such a reply and its effect may come
// behind the Rflush.
#pragma once

#include "proto/messages.hpp"
#include "tests/sim/dice.hpp"
#include "tests/sim/frames.hpp"
#include "tests/sim/record.hpp"
#include "tests/support/scripted_tree.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fuse9p::sim {

/// In thousandths of the requests, or of the answers.
struct Temper {
  std::uint32_t withhold = 0;
  std::uint32_t refuse = 0;
  std::uint32_t answer_short = 0;
  std::uint32_t answer_too_much = 0;
  std::uint32_t walk_short = 0;
  bool sloppy = false;
  bool has_unlinkat = true;  ///< and Trenameat
};

class Server {
 public:
  Server(Dice& dice, Record& record, const Temper& temper, std::uint32_t msize)
      : dice_(dice), record_(record), temper_(temper), msize_(msize) {
    fids_[proto::Fid{0}] = std::make_shared<OpenFid>(OpenFid{.node = tree_.root()});
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// A file in the root directory, for the world to plant and to compare with.
  test::Tree::NodePtr plant(const std::string& name, std::string content);
  test::Tree::NodePtr find(std::string_view name) const { return tree_.find(name); }

  /// Bytes from the client.
  void received(std::string_view bytes);
  /// Answers something, if there is something that it does not withhold.
  void answer_something();
  bool has_something_to_answer() const;
  /// Bytes for the client, since the last call.
  std::string take_answers() { return std::exchange(out_, {}); }

  /// From now on everything is answered, at once and well.
  void behave();
  /// What was flushed is forgotten: no reply comes after its Rflush any more.
  void forget_flushed();
  /// Replies that were sent after their Rflush.
  std::uint64_t late_replies() const { return late_replies_; }
  /// Something that no client has asked for.
  void talk_nonsense();

  /// Its fids, without the ones made after an Rflush: nobody need know of those.
  std::size_t fids() const;
  const Temper& temper() const { return temper_; }

 private:
  struct OpenFid {
    test::Tree::NodePtr node;
    bool open = false;
    bool stray = false;
  };
  using OpenFidPtr = std::shared_ptr<OpenFid>;
  struct Pending {
    std::string frame;
    OpenFidPtr fid;  ///< the first that it names, as it was when the request came
    bool withheld = false;
    bool flushed = false;  ///< its Rflush is sent; a sloppy server has not noticed
  };

  void take(std::string frame);
  void answer(Pending request);
  template <proto::Request T>
  void perform(const Pending& pending, const T& request);
  void answer_flush(const Pending& pending);
  bool drop_or_answer(proto::Tag oldtag, bool& refuse);

  template <proto::Message R>
  void reply(const R& message);
  void fail(int error);

  void perform(OpenFid& fid, const proto::Twalk& request);
  void perform(OpenFid& fid, const proto::Tgetattr& request);
  void perform(OpenFid& fid, const proto::Tlopen& request);
  void perform(OpenFid& fid, const proto::Tlcreate& request);
  void perform(OpenFid& fid, const proto::Tread& request);
  void perform(OpenFid& fid, const proto::Twrite& request);
  void perform(OpenFid& fid, const proto::Treaddir& request);
  void perform(OpenFid& fid, const proto::Tfsync& request);
  void perform(OpenFid& fid, const proto::Tunlinkat& request);
  void perform(OpenFid& fid, const proto::Trenameat& request);
  void perform(OpenFid& fid, const proto::Trename& request);
  void perform(OpenFid& fid, const proto::Tclunk& request);
  void perform(OpenFid& fid, const proto::Tremove& request);
  template <proto::Request T>
  void perform(OpenFid& fid, const T& request);
  std::size_t some_of(std::size_t bytes, Occurrence what);

  Dice& dice_;
  Record& record_;
  Temper temper_;
  std::uint32_t msize_;
  test::Tree tree_;
  std::map<proto::Fid, OpenFidPtr> fids_;
  bool behaves_ = false;
  FrameSplitter in_;
  std::vector<Pending> pending_;  // in order of arrival
  std::string out_;
  proto::Tag tag_{};      // of the answer under way
  bool is_late_ = false;  // that answer comes after its Rflush
  std::uint64_t late_replies_ = 0;
};

}  // namespace fuse9p::sim
