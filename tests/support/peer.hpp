// SPDX-License-Identifier: MIT
// Peer: the other end of a Connection, in the same thread, speaking in the text form. What the
// client sent is taken with next(); what the server says is given to say(). Nothing waits: run()
// turns the loop until nothing is left to be done.
#pragma once

#include "proto/text.hpp"
#include "src/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace fuse9p::test {

class Peer {
 public:
  explicit Peer(boost::asio::io_context& io, proto::Dialect dialect = proto::Dialect::l)
      : io_(io), dialect_(dialect) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    client_fd_ = ends[0];
    fd_ = ends[1];
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { hang_up(); }

  /// The client's end; whoever takes it owns it.
  int client_fd() const { return client_fd_; }
  Established established(std::uint32_t msize = 65536) {
    return {Transport(io_, client_fd_, client_fd_, "peer"),
            {.dialect = dialect_, .msize = msize, .root_qid = {}, .aname = "/tree"}};
  }

  void run() {
    io_.restart();
    while (io_.poll() != 0) {
    }
  }

  /// The next message from the client, "" if there is none.
  std::string next() {
    run();
    receive();
    if (received_.size() < proto::kHeaderSize)
      return "";
    const auto header = proto::decode_header(
        std::span<const std::byte, proto::kHeaderSize>(received_.data(), proto::kHeaderSize));
    if (received_.size() < header.size)
      return "";
    const std::string text =
        proto::to_text(proto::ByteView(received_.data(), header.size), dialect_);
    received_.erase(received_.begin(), received_.begin() + header.size);
    return text;
  }
  std::vector<std::string> all() {
    std::vector<std::string> messages;
    for (std::string message = next(); !message.empty(); message = next())
      messages.push_back(message);
    return messages;
  }

  void say(std::string_view text) {
    const auto frame = proto::from_text(text, dialect_);
    ASSERT_TRUE(frame.has_value()) << text;
    say_bytes({frame->data(), frame->size()});
  }
  void say_bytes(proto::ByteView bytes) {
    ASSERT_EQ(::write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    run();
  }
  void hang_up() {
    if (fd_ >= 0)
      ::close(fd_);
    fd_ = -1;
  }

 private:
  void receive() {
    std::byte buffer[65536];
    for (;;) {
      const ssize_t size = ::read(fd_, buffer, sizeof buffer);
      if (size <= 0)
        return;
      received_.insert(received_.end(), buffer, buffer + size);
      run();  // a full socket may have room again
    }
  }

  boost::asio::io_context& io_;
  proto::Dialect dialect_;
  int fd_ = -1, client_fd_ = -1;
  std::vector<std::byte> received_;
};

}  // namespace fuse9p::test
