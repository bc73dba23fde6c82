// SPDX-License-Identifier: MIT
// Parity: the same system calls in two directories, and what came of them, as text. A script is one
// call a line; paths are below the directory. Each line gives one line of answer: "ok", a value, or
// the error's name.
//
//     mkdir PATH MODE          put PATH TEXT (create and write)    cat PATH
//     rmdir PATH               unlink PATH                         symlink TARGET PATH
//     readlink PATH            link OLD NEW                        rename OLD NEW
//     chmod PATH MODE          chown PATH UID GID                  truncate PATH SIZE
//     utimens PATH ATIME MTIME (seconds.nanoseconds, now or omit)  mkfifo PATH MODE
//     mknod PATH TYPE MODE     stat PATH (lstat)   ls PATH
//     times PATH               followed PATH (stat)                umask MODE
//     exchange OLD NEW and noreplace OLD NEW (renameat2)
//     setxattr PATH NAME TEXT [create|replace]     getxattr PATH NAME [ROOM]
//     removexattr PATH NAME                        listxattr PATH [ROOM] (all of a link itself)
//
//     open H PATH FLAGS [MODE]     from then on H is that descriptor; FLAGS as in C, joined by |
//     close H     read H SIZE      pread H SIZE OFFSET     write H TEXT     pwrite H TEXT OFFSET
//     fstat H     ftruncate H SIZE     fchmod H MODE     futimens H ATIME MTIME     lseek H OFFSET
//     fsync H     fdatasync H          getdents H (names, sorted)
//     map H OFFSET TEXT            store through a shared mapping, msync
//     openat H DIRECTORY PATH FLAGS [MODE]     relative to an open directory
//
// Words are separated by spaces. In words, \s is a space, \n a newline, \xNN a byte; "a*255" is a
// word of 255 a; a TEXT of #SIZE or #SIZE@OFFSET is SIZE bytes of pattern().
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fuse9p::test {

/// "LINE -> ANSWER" for each line of the script.
std::vector<std::string> perform(const std::string& script, const std::filesystem::path& directory);

/// All that is below the directory, sorted: type, mode, owner, links, size, content.
std::vector<std::string> snapshot(const std::filesystem::path& directory);

}  // namespace fuse9p::test
