// SPDX-License-Identifier: MIT
#include "fuse/operations.hpp"

#include "fuse/set_id.hpp"
#include "proto/text.hpp"
#include "src/log.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <type_traits>

namespace fuse9p::fs {
namespace {

/// A string as a template argument: the operation's name for the log.
template <std::size_t N>
struct Name {
  // NOLINTNEXTLINE(google-explicit-constructor): made from a literal in place.
  constexpr Name(const char (&text)[N]) { std::copy_n(text, N, characters); }
  char characters[N]{};
};

Mount& mount_of(fuse_req_t request) {
  return *static_cast<Mount*>(fuse_req_userdata(request));
}

// What libfuse passes is gone when its call returns: operations get copies.
template <class T>
T keep(T value) {
  return value;
}
std::string keep(const char* text) {
  return text;
}
FileInfo keep(fuse_file_info* file) {
  return file == nullptr ? FileInfo() : FileInfo(*file);
}
struct stat keep(struct stat* attributes) {
  return *attributes;
}
struct flock keep(struct flock* lock) {
  return *lock;
}

std::string show(const std::string& text) {
  return ' ' + proto::quoted(text);
}
template <class T>
requires std::is_integral_v<T> std::string show(T number) {
  return ' ' + std::to_string(number);
}
std::string show(const FileInfo& file) {
  return file ? " fh " + std::to_string(file->fh) : std::string();
}
std::string show(const struct stat&) {
  return {};
}
std::string show(const struct flock& lock) {
  return fmt::format(" type {} start {} length {}", lock.l_type, lock.l_start, lock.l_len);
}
std::string show(const proto::ConstBuffer& data) {
  return ' ' + std::to_string(data.bytes.size()) + " bytes";
}

std::shared_ptr<Request> make_request(fuse_req_t request) {
  Mount& mount = mount_of(request);
  return std::make_shared<Request>(mount.io(), request, mount.settings().users,
                                   mount.settings().interrupt_grace,
                                   asks_to_drop_set_id(mount.device().request()));
}

template <class T>
bool is_refused_name(const T&) {
  return false;
}
/// Whatever names a program gives, and what it links to: these are ours.
bool is_refused_name(const std::string& name) {
  return is_hidden_name(name);
}

/// What an operation goes by: a file or its name, or what is open already and was allowed then.
enum class By : std::uint8_t { file, handle };

template <Name kName, auto kOperation, By by, class... Args>
void start(fuse_req_t raw, Args... args) {
  Mount& mount = mount_of(raw);
  auto request = make_request(raw);
  if (log::debugging())
    log::debug("FUSE #{} {}{}", request->number(), kName.characters, (show(args) + ... + ""));
  if (by == By::file && !mount.settings().users.lets_in(request->uid()))
    return request->reply_errno(EPERM);
  if ((is_refused_name(args) || ... || false))
    return request->reply_errno(std::string_view(kName.characters) == "lookup" ? ENOENT : EPERM);
  mount.spawn(request, kOperation(mount, *request, std::move(args)...));
  request->listen();  // behind the spawn, so that a signal that is there already finds somebody
}

/// The one trampoline: from libfuse's call to a coroutine.
template <Name kName, auto kOperation, By by = By::file, class... Args>
void run(fuse_req_t request, Args... args) {
  start<kName, kOperation, by>(request, keep(args)...);
}

void on_write(fuse_req_t request, fuse_ino_t ino, const char* data, std::size_t size, off_t offset,
              fuse_file_info* file) {
  proto::ConstBuffer kept = mount_of(request).device().take(data, size);
  if (!kept.owner) {
    log::warn("write refused: too much data is waiting for the server");
    fuse_reply_err(request, EAGAIN);
    return;
  }
  start<"write", write, By::handle>(request, ino, std::move(kept), offset, keep(file));
}

void on_setxattr(fuse_req_t request, fuse_ino_t ino, const char* name, const char* value,
                 std::size_t size, int flags) {
  proto::ConstBuffer kept = mount_of(request).device().take(value, size);
  if (!kept.owner) {
    log::warn("setxattr refused: too much data is waiting for the server");
    fuse_reply_err(request, EAGAIN);
    return;
  }
  start<"setxattr", setxattr, By::file>(request, ino, keep(name), std::move(kept), flags);
}

void on_init(void* userdata, fuse_conn_info* connection) {
  static_cast<Mount*>(userdata)->negotiate(*connection);
}

void on_forget(fuse_req_t request, fuse_ino_t ino, std::uint64_t lookups) {
  mount_of(request).nodes().forget(ino, lookups);
  fuse_reply_none(request);
}

void on_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  Mount& mount = mount_of(request);
  for (const fuse_forget_data& forgotten : std::span(forgets, count))
    mount.nodes().forget(forgotten.ino, forgotten.nlookup);
  fuse_reply_none(request);
}

fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops table{};
  table.init = on_init;
  table.lookup = run<"lookup", lookup>;
  table.forget = on_forget;
  table.forget_multi = on_forget_multi;
  table.getattr = run<"getattr", getattr>;
  table.setattr = run<"setattr", setattr>;
  table.access = run<"access", access>;
  table.readlink = run<"readlink", readlink>;
  table.mknod = run<"mknod", mknod>;
  table.mkdir = run<"mkdir", mkdir>;
  table.unlink = run<"unlink", unlink>;
  table.rmdir = run<"rmdir", rmdir>;
  table.symlink = run<"symlink", symlink>;
  table.rename = run<"rename", rename>;
  table.link = run<"link", link>;
  table.open = run<"open", open>;
  table.create = run<"create", create>;
  table.read = run<"read", read, By::handle>;
  table.write = on_write;
  table.release = run<"release", release, By::handle>;
  table.fsync = run<"fsync", fsync, By::handle>;
  table.opendir = run<"opendir", opendir>;
  table.readdir = run<"readdir", readdir, By::handle>;
  table.readdirplus = run<"readdirplus", readdirplus, By::handle>;
  table.releasedir = run<"releasedir", releasedir, By::handle>;
  table.fsyncdir = run<"fsyncdir", fsyncdir, By::handle>;
  table.setxattr = on_setxattr;
  table.getxattr = run<"getxattr", getxattr>;
  table.listxattr = run<"listxattr", listxattr>;
  table.removexattr = run<"removexattr", removexattr>;
  table.statfs = run<"statfs", statfs>;
  table.flush = run<"flush", flush, By::handle>;
  table.getlk = run<"getlk", getlk, By::handle>;
  table.setlk = run<"setlk", setlk, By::handle>;
  table.flock = run<"flock", flock, By::handle>;
  return table;
}

}  // namespace

const fuse_lowlevel_ops kOperations = make_operations();

}  // namespace fuse9p::fs
