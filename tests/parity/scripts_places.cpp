// SPDX-License-Identifier: MIT
// On a file system with little room, and on one that can't be changed.
#include "tests/parity/scripts.hpp"

namespace fuse9p::test::parity {
namespace {

constexpr Script kFull[] = {
    {"NoSpaceForData", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #300000 0
        pwrite f x 299999
        fstat f
        fsync f
        pread f 10 100000
        put g text
        stat g
        ftruncate f 4096
        put g text
        cat g
        pwrite f more 0
        close f
        unlink f
        put h #200000
        stat h)"},
    {"NoSpaceForPieces", R"(
        open f f O_WRONLY|O_CREAT|O_APPEND 0644
        write f #100000 ; write f #100000 ; write f #100000 ; write f #100000
        fstat f
        open g g O_WRONLY|O_CREAT 0644
        writev g one two ; pwritev g x 0 dsync
        copy_range f g 10 ; map f 0 x
        truncate f 300000 ; stat f
        symlink target l ; mkdir d 0755 ; rename f h
        unlink h ; write g x)"},
    {"NoSpaceForFiles", R"(
        mkdir d 0755
        many d 0 100
        mkdir e 0755 ; put f text ; mkfifo p 0644 ; symlink x l ; mknod s socket 0644
        open g g O_RDWR|O_CREAT 0644
        open h g O_RDWR|O_CREAT|O_EXCL 0644
        rename d/0 f ; put f text ; link f d/0 ; unlink d/1 ; link f d/1
        unlink f
        mkdir e 0755 ; put f text
        ls .)"},
};

constexpr Script kReadOnly[] = {
    {"AReadOnlyDiskIsRead", R"(
        ls . ; ls d ; cat f ; cat d/g ; stat f ; readlink l ; followed l ; statfs f
        access f r ; access f w ; access f rw ; access f x ; access d w ; access l w ; access n w
        open a f O_RDONLY ; pread a 10 0 ; mapped a 0 4 ; fsync a
        open b n O_RDWR ; write b x
        open c p O_RDWR|O_NONBLOCK ; write c x ; read c 1
        open e f O_WRONLY ; open e f O_RDWR ; open e f O_RDONLY|O_TRUNC
        open e new O_RDWR|O_CREAT 0644
        open e f O_RDONLY|O_CREAT 0644 ; open e f O_RDWR|O_CREAT|O_EXCL 0644
        open e . O_RDWR|O_TMPFILE 0600 ; fchmod a 0600 ; fchown a 1 1 ; futimens a 1 2
        fsetxattr a user.a one ; link_file a new ; ftruncate a 0 ; flock a ex|nb ; lock a read 0 0
        allocate a none 0 10 ; exec f ; chdir d ; ls .)",
     R"(put f text ; mkdir d 0755 ; put d/g text ; symlink f l ; mknod n null 0666
        mkfifo p 0666 ; chmod f 0755)"},
    {"AReadOnlyDiskOfOthers", R"(
        as bob
        access f r ; access f w ; access d w ; open a f O_WRONLY ; cat f ; put d/new ; unlink d/g
        chmod f 0777 ; utimens f now now ; truncate f 0 ; mkdir e 0755 ; rename f g
        open b s O_RDWR
        as alice
        chmod f 0777 ; chown f - team ; utimens f 1 2 ; cat s)",
     R"(put f text ; chown f alice team ; chmod f 0664 ; mkdir d 0777 ; put d/g
        put s secret ; chmod s 0600 ; chown s alice alice)"},
};

}  // namespace

std::span<const Script> scripts_on_a_full_disk() {
  return kFull;
}
std::span<const Script> scripts_on_a_read_only_disk() {
  return kReadOnly;
}

}  // namespace fuse9p::test::parity
