// SPDX-License-Identifier: MIT
// A 9P2000.L server for tests: strict about the client, and otherwise as well or ill behaved as a
// script says. It serves a tree in memory; it owns no descriptor and no clock, so it can be driven
// from anywhere: bytes in, bytes out, lines of script in, answers out. The program
// scripted_server_main.cpp puts it on a socket.
//
// What a client must not do is a *breach*: it is recorded, said on stderr, and ends the connection.
// Breaches are: a tag, or a fid, that is in use already; a fid that does not exist, or not yet, or
// not any more, or whose Tclunk or Tlopen is under way; Tclunk while requests name the fid, Tlopen
// while others than Tgetattr do; walking and making names from an open fid, reading and writing one
// that is not; two Treaddir at once on one fid; a Tflush of a Tflush or of its own tag, a second
// one for the same tag; frames and counts above what msize allows; counts of 0; names that no walk
// may have; messages of other dialects; anything before Tversion. Of an extended attribute: its fid
// used for anything else, bytes beyond the size that was announced, and a Tclunk before all of them
// are written.
//
// The script. The tree:
//     dir PATH [MODE]          file PATH SIZE [MODE] (of pattern())    text PATH WORDS
//     synthetic PATH WORDS     (stat says 0 bytes)                     symlink TARGET PATH
//     link OLD NEW             many PATH N (a directory of N files)
//     xattr PATH NAME WORDS    (an extended attribute of it)
// What somebody else may do to it while it is served:
//     remove PATH              move OLD NEW
//     inode PATH N             its qid.path is N, also if another one's is
//     generation PATH N        of its inode number; without it the server does not say
//     age PATH SECONDS         its ctime is that much earlier
//     device PATH N            its rdev, as on the wire
// Behaviour:
//     msize N                  grant no more
//     maxfids N [ERRNO] [strict]  when there are N fids no more can be made: ERRNO (default ERANGE,
//                              as nfs-ganesha says); with "strict" no number above N - 1 either
//     on ...                   see scripted_rules.hpp; "forget" drops all rules
//     flush POLICY             what a Tflush of a held request does:
//         prompt               the request is dropped, Rflush at once (this is the default)
//         answer               the request is answered, then Rflush
//         after                Rflush when the request has been answered: see "release"
//         never                no Rflush ever; the request stays held
//         late                 the request is dropped; Rflush at "release"
//         sloppy               Rflush at once; the request is answered at "release" all the same
//         error                as prompt, with Rlerror instead of Rflush
//         mixed                for each Tflush one of these but "never", drawn by lot
//     locks KIND               what Tlock does; it never waits, but says BLOCKED:
//         ranges               of bytes, each owned by a client's process (this is the default)
//         whole                files, each owned by a fid, as diod has them
//         fake                 everybody gets what he asks for
//         none                 it is not supported
//     seed N                   of what is drawn by lot
// While it runs; each of these, too, is answered with one line:
//     release [reverse]        answer what is held, oldest (youngest) first, and late Rflushes;
//                              what waits for other requests is answered, too
//     await held N             answered when N requests are held
//     await TYPE N             answered when N requests of that type have come
//     count TYPE               how many have come
//     fids                     how many fids there are, or may be
//     attaches                 how many Tattach have come
//     uid PATH                 whose the file is
//     lock PATH TYPE START LENGTH  another client's Tlock: "ok" or "blocked"; TYPE is read or write
//     unlock PATH              the other client gives back what it has of that file
//     locked PATH              all locks: "read 0 10 by 7@host, write 20 0 by 8@host" (start and
//                              length of each, process and client of its owner), or "nothing"
//     xattr? PATH NAME         its value, in quotes if need be, or "no NAME"
//     resize PATH N            the file grows (with pattern) or shrinks
//     content PATH             "SIZE ok" if it is pattern(), else "SIZE differs at OFFSET"
#pragma once

#include "proto/codec.hpp"
#include "tests/support/scripted_locks.hpp"
#include "tests/support/scripted_rules.hpp"
#include "tests/support/scripted_tree.hpp"

#include <cerrno>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fuse9p::test {

inline proto::ByteView view(std::string_view bytes) {
  return std::as_bytes(std::span(bytes));
}
inline std::string_view chars(proto::ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ScriptedServer {
 public:
  /// A line of script. Throws std::invalid_argument if there is no such thing.
  void command(const std::string& line);
  /// Answers to commands since the last call, in order. An answer that is awaited comes later.
  std::vector<std::string> take_answers() { return std::exchange(answers_, {}); }

  /// Bytes from the client.
  void received(std::string_view bytes);
  /// Bytes for the client: all of it is for the caller to take away.
  std::string& outgoing() { return out_; }
  /// The connection is to end once outgoing() is sent.
  bool closed() const { return closed_; }

  const std::vector<std::string>& breaches() const { return breaches_; }

 private:
  enum class Flush { prompt, answer, after, never, late, sloppy, error, mixed };

  struct OpenFid {
    Tree::NodePtr node;
    std::uint32_t user = 0;  ///< whose Tattach it comes from
    bool open = false;
    bool reads = false, writes = false, appends = false;  ///< that is how
    std::optional<Attribute> attribute{};                 ///< it is this, not the file
    int requests = 0;                                     ///< unanswered ones that name it
    int looks = 0;                                        ///< of those, Tgetattr
    proto::MessageType changing{};   ///< of those, one that changes what the fid is
    bool reading_directory = false;  ///< a Treaddir is one of those
  };
  using Fids = std::map<proto::Fid, OpenFid>;

  /// A request without an answer, or one whose Rflush has not been sent.
  struct Pending {
    std::string frame;
    proto::MessageType type{};
    std::vector<proto::Fid> fids;        ///< that it names
    proto::Fid created = proto::kNoFid;  ///< that it would make
    bool held = false;
    bool answered = false;  ///< only the Rflush is missing
    bool disowned = false;  ///< its Rflush was sent, and it will be answered all the same
    std::uint32_t wait = 0;
    std::uint32_t most = 0;  ///< bytes that may be transferred
    proto::Tag flush = proto::kNoTag;
    std::uint64_t serial = 0;
  };

  // ---- taking requests: scripted_taking.cpp
  void take_frame(std::string frame);
  template <proto::Request T>
  void take(proto::Tag tag, const T& request, std::string frame);
  template <proto::Request T>
  bool check(proto::Tag tag, const T& request);
  bool check_fid(const Fids::value_type& fid, proto::MessageType type);
  template <proto::Request T>
  static std::vector<proto::Fid> fids_of(const T& request);
  template <proto::Request T>
  Facts facts_of(const T& request) const;
  void follow(proto::Tag tag, const Action& action);
  void breach(const std::string& what);

  /// Does this message make its fid something else? Then nothing else may name it meanwhile.
  static bool changes_fid(proto::MessageType type);

  // ---- answering: scripted_server.cpp
  void perform(proto::Tag tag);
  template <proto::Message R>
  void reply(proto::Tag tag, const R& message);
  void fail(proto::Tag tag, int error);
  void finish(proto::Tag tag);
  void settle(Pending& pending);
  void drop(proto::Tag tag);
  void disown(Pending& pending);
  Flush policy_for(const Pending& pending);
  void send_rflush(proto::Tag tag, Flush policy);
  void release(bool reverse);
  std::vector<proto::Tag> held() const;
  void pass_time();

  // scripted_answers.cpp and, by dialect, scripted_answers_*.cpp
  void answer(proto::Tag tag, const proto::Tversion& request);
  void answer(proto::Tag tag, const proto::Tattach& request);
  void answer(proto::Tag tag, const proto::Tflush& request);
  void answer(proto::Tag tag, const proto::Twalk& request);
  void answer(proto::Tag tag, const proto::Tread& request);
  void answer(proto::Tag tag, const proto::Twrite& request);
  void answer(proto::Tag tag, const proto::Tclunk& request);
  void answer(proto::Tag tag, const proto::Tremove& request);
  void answer(proto::Tag tag, const proto::Tstatfs& request);
  void answer(proto::Tag tag, const proto::Tlopen& request);
  void answer(proto::Tag tag, const proto::Tlcreate& request);
  void answer(proto::Tag tag, const proto::Tsymlink& request);
  void answer(proto::Tag tag, const proto::Tmknod& request);
  void answer(proto::Tag tag, const proto::Trename& request);
  void answer(proto::Tag tag, const proto::Treadlink& request);
  void answer(proto::Tag tag, const proto::Tgetattr& request);
  void answer(proto::Tag tag, const proto::Tsetattr& request);
  void answer(proto::Tag tag, const proto::Txattrwalk& request);
  void answer(proto::Tag tag, const proto::Txattrcreate& request);
  void answer(proto::Tag tag, const proto::Treaddir& request);
  void answer(proto::Tag tag, const proto::Tfsync& request);
  void answer(proto::Tag tag, const proto::Tlock& request);
  void answer(proto::Tag tag, const proto::Tgetlock& request);
  void answer(proto::Tag tag, const proto::Tlink& request);
  void answer(proto::Tag tag, const proto::Tmkdir& request);
  void answer(proto::Tag tag, const proto::Trenameat& request);
  void answer(proto::Tag tag, const proto::Tunlinkat& request);
  /// What this server does not have: authentication.
  template <proto::Request T>
  void answer(proto::Tag tag, const T&) {
    fail(tag, EOPNOTSUPP);
  }

  const Tree::NodePtr& node(proto::Fid fid) { return fids_.at(fid).node; }
  /// May there be one more? Else the request has failed.
  bool room_for(proto::Tag tag, proto::Fid fid);
  /// May a walk have it?
  static bool is_name(std::string_view name);
  static proto::Qid qid_of(const Tree::Node& node);
  /// Makes the fid an open one, as the flags of open(2) say.
  static void open_with(OpenFid& fid, std::uint32_t flags);
  /// 0, or the errno of one who can't have such a lock through this fid.
  int why_not(const OpenFid& fid, const Lock& lock) const;
  /// If bytes of the attribute that it writes will be missing, that is our doing.
  void excuse(const Pending& pending);
  std::uint32_t limit(proto::Tag tag, std::size_t asked) const;
  Tree::NodePtr made(proto::Fid directory, std::string_view name, mode_t mode, std::uint32_t gid,
                     int& error);

  // ---- commands: scripted_commands.cpp
  bool set(const std::string& word, std::istream& rest);
  bool plant(const std::string& word, std::istream& rest);
  bool tamper(const std::string& word, std::istream& rest);
  bool ask(const std::string& word, std::istream& rest);
  bool ask_locks(const std::string& word, std::istream& rest);
  Tree::NodePtr plant_node(const std::string& path, mode_t mode);
  Tree::NodePtr existing(const std::string& path) const;
  Tree::Place place_of(const std::string& path) const;
  void answer_awaited();

  Tree tree_;
  Locks locks_;
  Rules rules_;
  Flush flush_ = Flush::prompt;
  std::uint32_t msize_limit_ = 1U << 20, msize_ = 0;  // 0: before Tversion
  struct MaxFids {
    std::uint32_t number = ~std::uint32_t{0};
    int error = ERANGE;
    bool strict = false;
  } max_fids_;
  std::string in_, out_;
  bool closed_ = false;
  std::vector<std::string> breaches_;

  Fids fids_;
  std::set<proto::Fid> coming_;  // unanswered requests would make them
  std::set<proto::Fid> unsure_;  // of walks that failed half-way or were flushed: a Tclunk is fine
  // By requests that were answered behind their Rflush: the client does not know whether its Tclunk
  // came before or after that, and may send another one.
  std::set<proto::Fid> made_late_;
  std::map<proto::Tag, Pending> pending_;
  std::set<proto::Tag> flushes_;  // of Tflush whose Rflush is missing
  struct LateRflush {
    proto::Tag flush = proto::kNoTag, oldtag = proto::kNoTag;
    std::uint32_t wait = 0;  ///< as Pending's
  };
  std::vector<LateRflush> late_;
  std::map<proto::MessageType, std::uint64_t> counts_;
  std::uint64_t serial_ = 0;
  std::minstd_rand dice_;

  struct Awaited {
    std::optional<proto::MessageType> type;  ///< none: held requests
    std::uint64_t number = 0;
  };
  std::deque<Awaited> awaited_;
  std::vector<std::string> answers_;
};

template <proto::Message R>
void ScriptedServer::reply(proto::Tag tag, const R& message) {
  proto::Bytes frame;
  if (const proto::error_code error = encode_frame(frame, tag, message, proto::Dialect::l))
    throw std::logic_error("a reply that can't be encoded: " + error.message());
  out_.append(reinterpret_cast<const char*>(frame.data()), frame.size());
  if (R::kType != proto::MessageType::Rflush)
    finish(tag);
}

}  // namespace fuse9p::test
