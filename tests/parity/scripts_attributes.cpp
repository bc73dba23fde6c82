// SPDX-License-Identifier: MIT
// Modes, owners, sizes, times, extended attributes.
#include "tests/parity/scripts.hpp"

namespace fuse9p::test::parity {
namespace {

constexpr Script kScripts[] = {
    // ---- attributes
    {"Chmod", R"(
        put f text
        mkdir d 0755
        chmod f 0600
        chmod d 0700
        stat f
        stat d
        chmod f 06755
        stat f
        chmod d 03777
        stat d
        chmod f 0
        stat f)"},
    {"Chown", R"(
        put f text
        chown f 1 2
        stat f
        chown f - 3
        stat f
        chown f 4 -
        stat f
        chown f - -
        stat f
        chmod f 06755
        chown f 5 6
        stat f)"},
    {"WritingClearsSetUserId", R"(
        put f text
        chmod f 06755
        open a f O_RDWR
        write a more
        fstat a)"},
    {"TruncateDownAndUp", R"(
        put f #100000
        truncate f 70001
        stat f
        cat f
        truncate f 200000
        stat f
        cat f
        truncate f 0
        stat f
        cat f
        truncate f 5
        cat f
        truncate f -1)"},
    {"TruncateThroughAHandle", R"(
        put f #10000
        open a f O_RDWR
        open b f O_RDONLY
        ftruncate a 5000
        fstat a
        fstat b
        pread b 10000 4000
        ftruncate a 9000
        pread b 10000 4000
        ftruncate b 0
        cat f)"},
    {"Times", R"(
        put f text
        mkdir d 0755
        symlink f l
        utimens f 1000000000.123456789 1100000000.987654321
        times f
        utimens f omit 5
        times f
        utimens f 7.5 omit
        times f
        utimens d 10.1 20.2
        times d
        utimens l 30.3 40.4
        times l
        utimens f 0 0
        times f
        utimens f 4000000000 4100000000
        times f
        utimens f now now
        open a f O_RDWR
        futimens a 50.5 60.6
        ftimes a)"},
    {"TimesFarAway", R"(
        put f text
        utimens f 0.1 0.999999999
        times f
        utimens f -1 -2147483648
        times f
        utimens f -0.5 -1.5
        times f
        utimens f -2147483649 -100000000000
        times f
        utimens f 2147483647.5 2147483648.5
        times f
        utimens f 4294967295.5 4294967296.5
        times f
        utimens f 15032385535 15032385536
        times f
        utimens f 100000000000.123456789 1000000000000
        times f
        mkdir d 0755
        utimens d -86400 253402300800
        times d
        symlink x l
        utimens l -1 5000000000.1
        times l
        utimens f 1.1000000000 2
        utimens f 1.-1 2)"},
    {"WhichTimesChange", R"(
        put f text
        mkdir d 0755
        changed f ; changed d ; changed . ; tick
        chmod f 0600 ; changed f ; changed . ; tick
        chown f 1 1 ; changed f ; tick
        link f g ; changed f ; changed . ; tick
        rename g d/g ; changed f ; changed . ; changed d ; tick
        unlink d/g ; changed f ; changed d ; tick
        truncate f 2 ; changed f ; tick
        truncate f 2 ; changed f ; tick
        utimens f omit 1000 ; changed f ; tick
        utimens f omit omit ; changed f ; tick
        open a f O_WRONLY ; changed f ; tick
        write a x ; changed f ; tick
        close a ; changed f ; tick
        open a f O_WRONLY|O_TRUNC ; changed f ; tick
        open b f O_WRONLY|O_TRUNC ; changed f ; tick
        ftruncate a 100 ; changed f ; tick
        fchmod a 0640 ; changed f ; tick
        symlink x d/l ; changed d ; tick
        put d/new ; changed d ; tick
        put d/new text ; changed d ; tick
        mkdir d/sub 0755 ; changed d ; changed . ; tick
        rmdir d/sub ; changed d ; tick
        rename d e ; changed e ; changed . ; tick
        stat f ; changed f ; access f r ; changed f)"},
    {"ReadingChangesTheAccessTime", R"(
        utimens f 1000 2000
        changed f
        tick
        cat f
        changed f
        tick
        cat f
        changed f)",
     "put f text"},
    {"ModesOfEveryKind", R"(
        mkfifo p 0 ; mknod s socket 0 ; mknod n null 0 ; mkdir d 0 ; put f ; symlink f l
        chmod p 07777 ; chmod s 07777 ; chmod n 07777 ; chmod d 07777 ; chmod f 07777
        stat p ; stat s ; stat n ; stat d ; stat f ; stat l
        chmod l 0123 ; stat f ; stat l
        open a l O_PATH|O_NOFOLLOW ; chmod_by_proc a 0600 ; fchmod a 0600)"},
    {"UmaskIsAppliedOnce", R"(
        umask 0777 ; put a ; mkdir b 0777 ; mkfifo c 0777 ; stat a ; stat b ; stat c
        umask 0022 ; open d d O_RDWR|O_CREAT 06777 ; mkdir e 07777 ; mkfifo f 0777 ; fstat d
        stat e
        stat f
        umask 0 ; open g g O_RDWR|O_CREAT 07777 ; mkdir h 07777 ; mknod i null 0666 ; fstat g
        stat h
        stat i
        umask 0077 ; put j ; put a ; stat j ; stat a)"},
    {"SizesAtTheLimit", R"(
        open f f O_RDWR|O_CREAT 0644
        ftruncate f 17592186040320
        fstat f
        pread f 5 17592186040315
        ftruncate f 17592186044416
        ftruncate f 9223372036854775807
        pwrite f x 17592186044416
        pwrite f x 9223372036854775806
        pwrite f xx 9223372036854775807
        pread f 1 9223372036854775807
        seek f 9223372036854775807 set
        fstat f
        ftruncate f 3)"},
    {"FilesBeyondFourGigabytes", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #5000 4294965000
        pread f 6000 4294964000
        pwrite f end 1099511627776
        fstat f
        seek f 0 end
        write f .
        pread f 10 1099511627770
        pread f 10 4294967296
        truncate f 4294967297
        pread f 10 4294967290
        ftruncate f 4294967296
        fstat f
        ftruncate f 0)"},
    {"ExtendedAttributes", R"(
        put f text
        mkdir d 0755
        listxattr f
        getxattr f user.a
        setxattr f user.a one
        setxattr f user.b #1000
        setxattr f user.c \e
        setxattr f user.a two create
        setxattr f user.z two replace
        setxattr f user.a three replace
        getxattr f user.a
        getxattr f user.a 5
        getxattr f user.a 4
        getxattr f user.a 0
        getxattr f user.b
        getxattr f user.c
        listxattr f
        listxattr f 0
        listxattr f 5
        setxattr f user.b #2000@7
        getxattr f user.b
        removexattr f user.a
        removexattr f user.a
        getxattr f user.a
        listxattr f
        setxattr d user.d dir
        getxattr d user.d
        link f g
        getxattr g user.b
        rename f h
        getxattr h user.b
        unlink h
        listxattr g)"},
    {"ExtendedAttributesOfOpenFiles", R"(
        put f text
        open a f O_RDONLY
        fsetxattr a user.a one
        fgetxattr a user.a
        unlink f
        put f stranger
        fgetxattr a user.a
        fsetxattr a user.b two
        fremovexattr a user.a
        listxattr f)"},
    {"NamesOfExtendedAttributes", R"(
        put f text
        setxattr f user. x
        setxattr f user x
        setxattr f other.a x
        setxattr f \e x
        setxattr f user.<n*250> x
        setxattr f user.<n*251> x
        getxattr f user.<n*251>
        setxattr f user.\xff\x01 x
        setxattr f user.\xc3\xa4 x
        setxattr f USER.a x
        listxattr f
        setxattr f trusted.t one
        getxattr f trusted.t
        setxattr f security.s one
        getxattr f security.s
        setxattr f system.s one
        getxattr f system.s
        removexattr f trusted.t
        listxattr f
        symlink f l
        lsetxattr l user.l x
        lsetxattr l trusted.l x
        lgetxattr l trusted.l
        getxattr l trusted.l
        mkfifo p 0644
        setxattr p user.p x
        setxattr p trusted.p x
        getxattr p trusted.p)"},
    {"LargeExtendedAttributes", R"(
        put f text
        setxattr f user.a #3000
        getxattr f user.a
        setxattr f user.b #60000
        getxattr f user.b
        setxattr f user.c #65536
        setxattr f user.d #65537
        getxattr f user.a 100
        listxattr f)"},
    {"StatfsOfEveryKind", R"(
        put f text ; symlink f l ; symlink nowhere b ; mkfifo p 0644 ; mkdir d 0755
        symlink /proc elsewhere
        statfs f ; statfs l ; statfs b ; statfs p ; statfs d ; statfs nothing
        open a l O_PATH|O_NOFOLLOW ; fstatfs a
        open b b O_PATH|O_NOFOLLOW ; fstatfs b
        open c elsewhere O_PATH|O_NOFOLLOW ; fstatfs c
        open e p O_RDONLY|O_NONBLOCK ; fstatfs e)"},
    {"AccessIsNotOnlyForOwners", R"(
        put f text ; chmod f 0600 ; access f x ; eaccess f x ; access f rw
        chmod f 0001 ; access f x ; access f rwx
        mkdir d 0000 ; access d x ; access d rwx
        symlink nowhere l ; access l f ; symlink f k ; access k x)"},
};

}  // namespace

std::span<const Script> scripts_on_attributes() {
  return kScripts;
}

}  // namespace fuse9p::test::parity
