// SPDX-License-Identifier: MIT
// Open files and what they hold; directories that are read.
#include "tests/parity/scripts.hpp"

#include <string>

namespace fuse9p::test::parity {
namespace {

/// More files open at once than some mounts may hold fids, with a few known besides.
std::string dozens() {
  std::string opened, used, closed;
  for (int i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    opened += "open f" + number + " file" + number + " O_RDWR|O_CREAT 0644\n";
    used += "write f" + number + " text" + number + "\nfstat f" + number + '\n';
    closed += "stat file" + number + "\npread f" + number + " 10 0\nclose f" + number + '\n';
  }
  return opened + used + "ls .\n" + closed;
}
const std::string kDozens = dozens();

const Script kScripts[] = {
    // ---- opening
    {"OpenFlags", R"(
        put f hello
        open a f O_RDONLY
        write a x
        open b f O_WRONLY
        read b 10
        open c f O_RDWR|O_TRUNC
        fstat c
        open d f O_RDWR|O_CREAT 0600
        write d hello
        open e f O_WRONLY|O_TRUNC
        fstat d
        read d 10
        open g new O_RDWR|O_CREAT|O_EXCL 0600
        open g new O_RDWR|O_CREAT|O_EXCL 0600
        stat new
        open h f O_RDONLY|O_NOFOLLOW
        open i . O_RDONLY|O_DIRECTORY
        open j f O_RDWR|O_SYNC
        write j sync
        open k f O_RDWR|O_DSYNC
        write k data
        open l f O_PATH
        fstat l
        read l 10
        cat f)"},
    {"TruncateOnOpenOfAReadFile", R"(
        put f #5000
        open a f O_RDONLY
        pread a 5000 0
        open b f O_WRONLY|O_TRUNC
        pread a 5000 0
        pwrite b #3000@77 0
        pread a 5000 0)"},
    {"Append", R"(
        put f one
        open a f O_WRONLY|O_APPEND
        open b f O_RDWR|O_APPEND
        write a two
        write b three
        pwrite a four 0
        seek b 0 set
        write b five
        read b 100
        cat f
        open c new O_WRONLY|O_CREAT|O_APPEND 0644
        write c a
        write c b
        cat new
        truncate f 2
        write a six
        cat f)"},
    {"AppendBySeveralOpeners", R"(
        open a f O_WRONLY|O_CREAT|O_APPEND 0644
        fork bob
        bob: open b f O_RDWR|O_APPEND
        write a one
        bob: write b two
        write a three
        bob: pwrite b four 0
        write a #70000
        bob: write b five
        bob: read b 20
        bob: seek b 0 current
        truncate f 5
        bob: write b six
        write a seven
        cat f
        bob: setfl b O_RDONLY
        bob: pwrite b X 0
        cat f)"},
    {"AppendAndMap", R"(
        put f #9000
        open a f O_RDWR|O_APPEND
        map a 10 mapped
        pread a 20 5
        fstat a
        write a end
        map a 8995 across
        pread a 20 8990
        cat f
        stat f)"},
    {"SynchronousWrites", R"(
        open a f O_RDWR|O_CREAT|O_SYNC 0644
        open b f O_RDWR|O_DSYNC
        write a #10000
        pwrite b #100@3 5000
        pwritev a dsync 0 dsync
        pwritev b sync 100 sync
        cat f
        fsync a
        fdatasync b
        getfl a
        getfl b)"},
    {"DirectReadsAndWrites", R"(
        put f #20480
        open a f O_RDWR|O_DIRECT
        open b f O_RDWR
        read_directly a 4096 0
        read_directly a 8192 8192
        read_directly a 16384 16384
        read_directly a 4096 20480
        pread b 20480 0
        write_directly a #4096@77 4096
        pread b 20480 0
        pwrite b #100@5 4100
        read_directly a 8192 4096
        map b 12288 mapped
        read_directly a 4096 12288
        write_directly a #8192@99 20480
        fstat b
        pread b 30000 0
        cat f)"},
    {"TruncationOnEveryKindOfOpen", R"(
        put f #5000
        open a f O_RDONLY
        open b f O_RDWR|O_TRUNC|O_APPEND
        fstat a
        write b one
        pread a 10 0
        open c f O_WRONLY|O_TRUNC|O_CREAT 0600
        fstat a
        open d f O_WRONLY|O_TRUNC|O_CREAT|O_EXCL 0600
        symlink f l
        write b two
        open e l O_WRONLY|O_TRUNC
        fstat a
        write b three
        open g l O_WRONLY|O_TRUNC|O_NOFOLLOW
        pread a 10 0
        chmod f 0400
        open h f O_WRONLY|O_TRUNC
        stat f)"},
    {"OpenWithStrangeFlags", R"(
        put f text
        mkdir d 0755
        open a f O_RDONLY|O_DIRECTORY
        open a d O_RDWR
        open a d O_RDONLY|O_CREAT 0644
        open a d/x O_RDONLY|O_CREAT|O_DIRECTORY 0755
        open a new O_RDONLY|O_CREAT|O_EXCL 0000
        fstat a
        read a 1
        open a f O_RDONLY|O_EXCL
        open a f O_PATH|O_CREAT|O_TRUNC 0644
        fstat a
        open a f O_WRONLY|O_RDWR
        fstat a
        read a 1
        open a f O_RDWR|O_NOATIME|O_NONBLOCK|O_SYNC|O_NOFOLLOW
        fstat a
        open a d O_RDONLY
        read a 1
        write a x)"},
    {"FlagsOfAnOpenFileChange", R"(
        put f hello
        open a f O_RDWR
        setfl a O_APPEND
        pwrite a more 0
        getfl a
        cat f
        setfl a O_RDONLY
        pwrite a J 0
        cat f
        setfl a O_NONBLOCK|O_NOATIME
        getfl a
        dup a b
        seek a 3 set
        read b 3
        close a
        pread b 3 0
        reopen c b O_RDONLY
        read c 100
        write c x)"},
    // ---- data
    {"OddOffsets", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #10000 3
        pread f 20000 0
        pread f 1 0
        pread f 1 3
        pread f 4096 4095
        pread f 4097 4096
        pread f 1 10002
        pread f 1 10003
        pread f 100 9990
        pwrite f #1 4095
        pwrite f #2 8191
        pread f 20000 0
        cat f
        stat f)"},
    {"LargeReadsAndWrites", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #3000001 0
        fstat f
        pread f 3000001 0
        pread f 1048577 65535
        pread f 2000000 2000000
        pwrite f #1500000@9 777777
        pread f 4000000 1
        cat f)"},
    {"Holes", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f end 1000000
        fstat f
        pread f 100 500000
        pread f 100 999990
        cat f
        pwrite f far 5000000000
        fstat f
        pread f 10 4999999998
        ftruncate f 10)"},
    {"EmptyFile", R"(
        put f
        cat f
        stat f
        open a f O_RDWR
        read a 10
        pread a 10 1000
        write a x
        pread a 10 0
        cat f)"},
    {"AFileThatIsReadWhileItGrows", R"(
        put f one
        open a f O_RDONLY
        read a 100
        open b f O_WRONLY|O_APPEND
        write b two
        read a 100
        read a 100
        write b #100000
        read a 200000
        fstat a)"},
    {"AnEmptyFileThatIsReadWhileItGrows", R"(
        put f
        open a f O_RDONLY
        read a 100
        open b f O_WRONLY|O_APPEND
        write b two
        read a 100
        write b #50000
        pread a 60000 0
        seek a 3 set
        read a 10
        fstat a)"},
    {"Sync", R"(
        put f text
        mkdir d 0755
        open a f O_RDWR
        write a more
        fsync a
        fdatasync a
        open b f O_RDONLY
        fsync b
        open c d O_RDONLY|O_DIRECTORY
        fsync c
        cat f)"},
    {"MemoryMaps", R"(
        put f #10000
        open a f O_RDWR
        map a 5000 mapped
        pread a 20 4995
        cat f
        ftruncate a 20000
        map a 19990 end
        fstat a
        cat f
        open b f O_RDONLY
        map b 0 x)"},
    {"AMapOfAnEmptyFileThatGrew", R"(
        open a f O_RDWR|O_CREAT 0644
        ftruncate a 4096
        map a 100 mapped
        cat f
        stat f)"},
    {"PiecesAndVectors", R"(
        open f f O_RDWR|O_CREAT 0644
        writev f one \e two #5000 three
        writev f \e
        readv f 10
        pread f 20 0
        seek f 0 set
        readv f 3 0 3 4094 906 5 100
        pwritev f middle 100
        pwritev f append 0 append
        pwritev f here -1
        seek f 0 current
        preadv f 10 100
        preadv f 10 -1
        preadv f 4096 4096 nowait
        preadv f 10 100000
        cat f)"},
    {"HolesAndWhereTheyAre", R"(
        open f f O_RDWR|O_CREAT 0644
        pwrite f #4096 1048576
        pwrite f #4096 4194304
        seek f 0 data
        seek f 0 hole
        seek f 1048576 data
        seek f 1048576 hole
        seek f 2000000 data
        seek f 4198399 data
        seek f 4198400 data
        seek f 4198400 hole
        seek f -1 data
        seek f 0 current
        pread f 100 1048500
        fstat f)"},
    {"PreallocationIsRefused", R"(
        open f f O_RDWR|O_CREAT 0644
        write f #10000
        allocate f none 0 20000
        allocate f keep 0 50000
        allocate f punch 4096 4096
        allocate f zero 0 100
        allocate f collapse 0 4096
        allocate f insert 0 4096
        allocate f unshare 0 4096
        allocate f none 0 0
        allocate f none -1 10
        allocate f none 9223372036854775000 10000
        fstat f
        open g f O_RDONLY
        allocate g none 0 100
        mkdir d 0755
        open h d O_RDONLY|O_DIRECTORY
        allocate h none 0 100)"},
    {"CopiesInTheKernel", R"(
        put f #300000
        open a f O_RDONLY
        open b g O_RDWR|O_CREAT 0644
        copy_range a b 100000
        copy_range a b 1000000
        copy_range a b 10
        fstat b
        cat g
        open c f O_RDWR
        copy_range c c 1000
        seek c 0 set
        open d f O_RDWR
        seek d 200000 set
        copy_range c d 50000
        cat f
        copy_range b a 10
        copy_range a b 0
        open e g O_RDWR|O_APPEND
        copy_range c e 10
        send_file a b 10
        seek a 5 set
        send_file a b 100000
        send_file c e 10
        seek a 0 set
        splice a b 60000
        splice b a 10
        cat g
        mkdir d 0755
        open h d O_RDONLY|O_DIRECTORY
        copy_range h b 10
        copy_range a h 10
        send_file h b 10)"},
    {"MapsOfEveryKind", R"(
        put f #10000
        open r f O_RDONLY
        open w f O_WRONLY
        open a f O_RDWR
        can_map r read shared ; can_map r read|write shared ; can_map r read|write private
        can_map r read|exec shared ; can_map w write shared ; can_map w read private
        can_map a read|write shared ; can_map a read|write|exec private
        map_privately a 4000 #200@3
        pread a 300 3950
        map a 4000 #200@3
        pread r 300 3950
        mapped r 3950 60
        pwrite a written 3960
        mapped r 3950 60
        mapped r 9990 10
        mapped r 10000 10
        mapped r 12288 1
        ftruncate a 4096
        mapped r 4090 6
        mapped r 4096 1
        ftruncate a 20000
        mapped r 4090 10
        mapped r 19999 1
        cat f)"},
    {"WhatWasBeyondTheEndIsZero", R"(
        put f #8192
        open a f O_RDWR
        pread a 8192 0
        ftruncate a 100
        map a 50 x
        ftruncate a 8192
        pread a 8192 0
        ftruncate a 5000
        pwrite a end 8000
        pread a 8192 0
        open b f O_WRONLY|O_TRUNC
        ftruncate b 6000
        pread a 8192 0
        cat f)"},
    {"WhatOneProcessWritesTheOtherReads", R"(
        open a f O_RDWR|O_CREAT 0644
        write a #5000
        fork bob
        bob: open b f O_RDWR
        bob: read b 6000
        pwrite a one 100
        bob: pread b 10 98
        bob: mapped b 98 10
        bob: map b 200 two
        pread a 10 198
        bob: ftruncate b 150
        fstat a
        pread a 200 0
        write a end
        bob: fstat b
        bob: pread b 6000 0
        bob: seek a 10 set
        seek a 0 current
        bob: write a shared
        seek a 0 current
        cat f)"},
    {"AFewDozenOpenFiles", kDozens.c_str()},
    {"SeekToTheEnd", R"(
        put f #12345
        open a f O_RDWR
        seek a 0 end
        write a x
        seek a 0 end
        cat f)"},
    // ---- directories
    {"ListingWhileItChanges", R"(
        mkdir d 0755
        open h d O_RDONLY|O_DIRECTORY
        getdents h
        put d/a one
        mkdir d/b 0755
        symlink a d/c
        mkfifo d/e 0644
        getdents h
        unlink d/a
        rename d/b d/f
        getdents h
        ls d)"},
    {"ARemovedDirectoryIsEmpty", R"(
        mkdir d 0755
        open h d O_RDONLY|O_DIRECTORY
        rmdir d
        open_at f h new O_RDWR|O_CREAT 0644
        stat d)"},
    {"PlacesInADirectory", R"(
        mkdir d 0755
        many d 0 300
        opendir s d
        tell s start
        entries s 100
        tell s hundred
        entries s 1000
        tell s end
        entries s 10
        seekdir s hundred
        entries s 1000
        seekdir s start
        entries s 1000
        seekdir s end
        entries s 1000
        rewind s
        rest s
        rewind s
        rest s
        closedir s)"},
    {"RewoundDirectoriesAreReadAnew", R"(
        mkdir d 0755
        many d 0 50
        opendir s d
        rest s
        many d 50 60
        remove_many d 0 5
        entries s 10
        rewind s
        rest s
        remove_many d 5 60
        rewind s
        rest s
        rmdir d
        rewind s
        rest s)"},
    {"TwoReadersOfOneDirectory", R"(
        mkdir d 0755
        many d 0 500
        opendir s d
        opendir t d
        entries s 200
        entries t 300
        entries s 1000
        entries t 1000
        open f d O_RDONLY|O_DIRECTORY
        fork bob
        bob: getdents f
        getdents f
        bob: getdents f)"},
    {"ADirectoryIsNoFile", R"(
        mkdir d 0755
        open f d O_RDONLY|O_DIRECTORY
        read f 10
        pread f 10 0
        write f x
        ftruncate f 0
        truncate d 0
        fsync f
        fdatasync f
        fchmod f 0700
        fchown f alice bob
        futimens f 10 20
        ftimes f
        fstat f
        flock f ex|nb
        can_map f read private
        fstat f)"},
};

}  // namespace

std::span<const Script> scripts_on_files() {
  return kScripts;
}

}  // namespace fuse9p::test::parity
