// SPDX-License-Identifier: MIT
// A server of 9P2000, 9P2000.u and 9P2000.L for tests: strict about the client, and otherwise as
// well or ill behaved as a script says. It serves a tree in memory; it owns no descriptor and no
// clock, so it can be driven from anywhere: bytes in, bytes out, lines of script in, answers out.
// The program scripted_server_main.cpp puts it on a socket.
//
// What a client must not do is a *breach*: it is recorded, said on stderr, and ends the connection.
// Breaches are: a tag, or a fid, that is in use already; a fid that does not exist, or not yet, or
// not any more, or whose Tclunk or Tlopen is under way; Tclunk while requests name the fid, Tlopen
// while others than Tgetattr do (and so of Topen and Tstat); walking and making names from an open
// fid, reading and writing one that is not; two reads of a directory at once on one fid; a Tflush
// of a Tflush or of its own tag, a second one for the same tag; frames and counts above what msize
// allows; counts of 0; names that no walk may have (".." only in 9P2000 and 9P2000.u); messages,
// bits of a mode and of permissions of other dialects than was agreed on; anything before Tversion.
// Of an extended attribute: its fid used for anything else, bytes beyond the size that was
// announced, and a Tclunk before all of them are written.
//
// The script. The tree:
//     dir PATH [MODE]          file PATH SIZE [MODE] (of pattern())    text PATH WORDS
//     synthetic PATH WORDS     (stat says 0 bytes)                     symlink TARGET PATH
//     link OLD NEW             many PATH N (a directory of N files)
//     xattr PATH NAME WORDS    (an extended attribute of it)
//     append PATH WORDS        (text with DMAPPEND)
//     exclusive PATH WORDS     (text with DMEXCL)
//     event PATH               (each read waits for an "emit" and gets one record)
//     ctl PATH                 (takes each write as a line: see "written")
//     user NAME NUMBER         the name in 9P2000 of the number in 9P2000.u and .L, also of a
//                              group; "root" is 0, who has no number gets one from 10000 on
// What somebody else may do to it while it is served:
//     remove PATH              move OLD NEW
//     inode PATH N             its qid.path is N, also if another one's is
//     numbers N                the next file's qid.path is N, whoever makes it
//     generation PATH N        of its inode number; without it the server does not say
//     age PATH SECONDS         its ctime is that much earlier
//     device PATH N            its rdev, as on the wire
//     owner PATH UID GID       it belongs to them
//     write PATH WORDS         it consists of them now
//     extend PATH WORDS        they come to its end
// Behaviour:
//     msize N                  grant no more
//     dialects VERSION...      offers these only; without it, all three
//     refuse HOW               what it says to a Tversion that it does not offer:
//         unknown              Rversion "unknown" (this is the default)
//         rerror, rlerror      an error of that type
//         downgrade            the next lower one that it has; "unknown" if there is none
//         hangup               nothing: the connection ends
//     versions on|off          does qid.version count changes? By default not in 9P2000.L
//     permissions on           9P2000 and 9P2000.u only: each fid's user may do what modes and
//                              owners say, in 9P2000 as on Plan 9, where nobody is above them
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
//         error                as prompt, with an error instead of Rflush
//         mixed                for each Tflush one of these but "never", drawn by lot
//     locks KIND               what Tlock does; it never waits, but says BLOCKED:
//         ranges               of bytes, each owned by a client's process (this is the default)
//         whole                files, each owned by a fid, as diod has them
//         fake                 everybody gets what he asks for
//         none                 it is not supported
//     seed N                   of what is drawn by lot
// While it runs; each of these, too, is answered with one line:
//     release [reverse]        answer what is held, oldest (youngest) first, and late Rflushes;
//                              what waits for other requests is answered, too, but not what
//                              waits for an event
//     emit PATH WORDS          the event's next record; the oldest read that waits gets it
//     written PATH             what was written to the control file: each in quotes if need be
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
//     text? PATH               what it contains, in quotes if need be
//     stat? PATH               "100644 0 7 5 1700000000 1700000001": type and mode, owner, group,
//                              size, time of access and of modification; or "nothing"
#pragma once

#include "proto/codec.hpp"
#include "tests/support/scripted_locks.hpp"
#include "tests/support/scripted_rules.hpp"
#include "tests/support/scripted_tree.hpp"
#include "tests/support/scripted_users.hpp"

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
    Tree::Place place{};     ///< by which name it was found
    std::uint32_t user = 0;  ///< whose Tattach it comes from
    bool open = false;
    bool reads = false, writes = false, appends = false, removes = false;  ///< that is how
    std::uint64_t next_offset = 0, next_cookie = 0;  ///< of a directory's stat records
    std::optional<Attribute> attribute{};            ///< it is this, not the file
    int requests = 0;                                ///< unanswered ones that name it
    int looks = 0;                                   ///< of those, Tgetattr and Tstat
    proto::MessageType changing{};                   ///< of those, one that changes what the fid is
    bool reading_directory = false;                  ///< one of those reads the directory
  };
  using Fids = std::map<proto::Fid, OpenFid>;

  /// A request without an answer, or one whose Rflush has not been sent.
  struct Pending {
    std::string frame;
    proto::MessageType type{};
    std::vector<proto::Fid> fids;        ///< that it names
    proto::Fid created = proto::kNoFid;  ///< that it would make
    bool reads_directory = false;
    bool held = false;
    bool blocked = false;   ///< until there is an event to be read
    bool answered = false;  ///< only the Rflush is missing
    bool disowned = false;  ///< its Rflush was sent, and it will be answered all the same
    std::uint32_t wait = 0;
    std::uint32_t most = 0;  ///< bytes that may be transferred
    proto::Tag flush = proto::kNoTag;
    std::uint64_t serial = 0;
  };

  /// Why not: an errno, and the words of 9P2000 if they are not strerror(3)'s.
  struct Refusal {
    int error = 0;
    std::string_view words{};
    explicit operator bool() const { return error != 0; }
  };

  // ---- taking requests: scripted_taking.cpp
  void take_frame(std::string frame);
  template <proto::Request T>
  void take(proto::Tag tag, const T& request, std::string frame);
  void enter(proto::Tag tag, Pending request);
  template <proto::Request T>
  std::vector<proto::Fid> fids_of(const T& request) const;
  // Is it allowed? Else it is a breach.
  template <proto::Request T>
  bool check(proto::Tag tag, const T& request);
  bool check_tag(proto::Tag tag, proto::MessageType type, std::string_view name);
  bool check_flush(proto::Tag tag, proto::Tag oldtag);
  template <proto::Request T>
  bool check_fids(const T& request);
  bool check_fid(const Fids::value_type& fid, proto::MessageType type);
  bool check_created(proto::Fid fid, proto::MessageType type, std::string_view name);
  template <proto::Request T>
  bool check_sizes(const T& request);
  template <proto::Request T>
  bool check_words(const T& request);
  template <proto::Request T>
  Facts facts_of(const T& request) const;
  void follow(proto::Tag tag, const Action& action);
  void breach(const std::string& what);
  bool wrong(const std::string& what);  ///< is a breach: false
  bool is_flushed_late(proto::Tag tag) const;
  static bool reads_directory(const OpenFid& fid, proto::MessageType type);

  /// Does this message make its fid something else? Then nothing else may name it meanwhile.
  static bool changes_fid(proto::MessageType type);
  static bool looks(proto::MessageType type);

  // ---- answering: scripted_server.cpp
  void perform(proto::Tag tag);
  template <proto::Message R>
  void send(proto::Tag tag, const R& message);
  template <proto::Message R>
  void reply(proto::Tag tag, const R& message) {
    send(tag, message);
    finish(tag);
  }
  void fail(proto::Tag tag, const Refusal& why);
  void fail(proto::Tag tag, int error) { fail(tag, Refusal{error}); }
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
  void answer(proto::Tag tag, const proto::Topen& request);
  void answer(proto::Tag tag, const proto::Tcreate& request);
  void answer(proto::Tag tag, const proto::Tstat& request);
  void answer(proto::Tag tag, const proto::Twstat& request);
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
  proto::Qid qid_of(const Tree::Node& node) const;
  /// Where it is: under the name by which it was found, if it still has that one. Nowhere if it was
  /// removed, or is the root.
  Tree::Place place_of(const OpenFid& fid) const;
  /// Its user has changed the content.
  static void modified(OpenFid& fid) {
    fid.node->muid = fid.user;
    Tree::touch(*fid.node);
  }
  /// Makes the fid an open one, as the flags of open(2), or the mode of Topen, say.
  static void open_with(OpenFid& fid, std::uint32_t flags);
  static void open_as(OpenFid& fid, std::uint8_t mode);
  /// What goes with a fid at its end: locks, and a file that it removes. 0 or an errno.
  int end(proto::Fid fid);
  int remove(const OpenFid& fid);
  int step(OpenFid& fid, std::string_view name) const;
  /// 0, or the errno of one who can't have such a lock through this fid.
  int why_not(const OpenFid& fid, const Lock& lock) const;
  /// If bytes of the attribute that it writes will be missing, that is our doing.
  void excuse(const Pending& pending);
  std::uint32_t limit(proto::Tag tag, std::size_t asked) const;
  Tree::NodePtr made(proto::Fid directory, std::string_view name, mode_t mode, std::uint32_t gid,
                     int& error);

  std::optional<proto::Dialect> agree_on(std::string_view version) const;
  void refuse_version(proto::Tag tag);
  void read_event(proto::Tag tag, Tree::Node& file, std::uint32_t count);
  void read_directory(proto::Tag tag, const proto::Tread& request);
  proto::Bytes record_of(const Tree::Node& node, std::string_view name) const;
  template <class Visit>
  void with_stat(const Tree::Node& node, std::string_view name, Visit&& visit) const;
  int make_file(const proto::Tcreate& request, Tree::NodePtr& file);
  int make_link(const proto::Tcreate& request, Tree::NodePtr& file);
  static std::optional<proto::Fid> fid_to_link(const proto::Tcreate& request);
  void change(OpenFid& fid, const proto::Stat& wanted);
  std::optional<std::uint32_t> id_in(std::uint32_t number, std::string_view name) const;

  // May the fid's user do that, as far as permissions are checked at all?
  static constexpr int kToExecute = 1, kToWrite = 2, kToRead = 4;
  bool may(const OpenFid& fid, const Tree::Node& node, int wanted) const;
  bool may_change_directory_of(const OpenFid& fid) const;
  bool owns(const OpenFid& fid) const;
  Refusal refusal_to_open(const OpenFid& fid, std::uint8_t mode) const;
  Refusal refusal_of_constants(const OpenFid& fid, const proto::Stat& wanted) const;
  Refusal refusal_of_name(const OpenFid& fid, const proto::Stat& wanted) const;
  Refusal refusal_of_mode(const OpenFid& fid, const proto::Stat& wanted) const;
  Refusal refusal_of_length(const OpenFid& fid, const proto::Stat& wanted) const;
  Refusal refusal_of_owner(const OpenFid& fid, const proto::Stat& wanted) const;

  // ---- commands: scripted_commands.cpp
  bool set(const std::string& word, std::istream& rest);
  bool plant(const std::string& word, std::istream& rest);
  bool tamper(const std::string& word, std::istream& rest);
  bool ask(const std::string& word, std::istream& rest);
  bool ask_locks(const std::string& word, std::istream& rest);
  bool ask_device(const std::string& word, std::istream& rest);
  void deliver_event(const Tree::Node& file);
  Tree::NodePtr plant_node(const std::string& path, mode_t mode);
  Tree::NodePtr existing(const std::string& path) const;
  Tree::Place place_of(const std::string& path) const;
  void answer_awaited();

  Tree tree_;
  Locks locks_;
  Users users_;
  bool checks_permissions_ = false;
  std::optional<bool> shows_versions_;  // else only 9P2000 and 9P2000.u do
  proto::Dialect dialect_ = proto::Dialect::l;
  std::set<proto::Dialect> dialects_ = {proto::Dialect::legacy, proto::Dialect::u,
                                        proto::Dialect::l};
  enum class Refuse { unknown, rerror, rlerror, downgrade, hangup } refuse_ = Refuse::unknown;
  Rules rules_;
  Flush flush_ = Flush::prompt;
  std::uint32_t msize_limit_ = 1U << 20, msize_ = 0;  // 0: before Tversion
  struct MaxFids {
    std::uint32_t number = ~std::uint32_t{0};
    int error = ERANGE;
    bool strict = false;
  } max_fids_;
  std::string in_, out_, withheld_;
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
void ScriptedServer::send(proto::Tag tag, const R& message) {
  proto::Bytes frame;
  if (const proto::error_code error = encode_frame(frame, tag, message, dialect_))
    throw std::logic_error("a reply that can't be encoded: " + error.message());
  out_ += chars({frame.data(), frame.size()});
}

}  // namespace fuse9p::test
