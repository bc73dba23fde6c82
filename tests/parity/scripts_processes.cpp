// SPDX-License-Identifier: MIT
// Several processes: locks, programs, sockets, limits.
#include "tests/parity/scripts.hpp"

namespace fuse9p::test::parity {
namespace {

constexpr Script kScripts[] = {
    // ---- locks
    {"FlocksOfTwoProcesses", R"(
        put f text ; open a f O_RDWR
        fork bob
        bob: open b f O_RDONLY
        flock a sh|nb
        bob: flock b sh|nb
        flock a ex|nb
        bob: flock b un
        flock a ex|nb
        bob: flock b sh|nb
        bob: flock b ex|nb
        bob: flock a un
        bob: flock b ex|nb
        flock a sh|nb
        kill bob
        flock a sh|nb
        flock a un)"},
    {"AFlockBelongsToTheOpenFile", R"(
        put f text ; open a f O_RDWR ; open b f O_RDWR ; dup a c
        flock a ex|nb
        flock b sh|nb
        flock c un
        flock b ex|nb
        close b
        flock a ex|nb
        close a
        open d f O_RDONLY
        flock d sh|nb
        close c
        flock d sh|nb
        unlink f
        flock d ex|nb)"},
    {"RangesOfTwoProcesses", R"(
        put f #1000 ; open a f O_RDWR
        fork bob
        bob: open b f O_RDWR
        lock a write 0 100
        bob: lock b write 100 100
        bob: lock b read 50 10
        bob: test_lock b write 0 0
        bob: test_lock b read 50 10
        test_lock a read 0 0
        lock a read 0 100
        bob: lock b read 50 10
        lock a write 0 50
        lock a write 50 50
        lock a none 20 10
        bob: lock b write 20 10
        bob: lock b write 19 2
        bob: test_lock b write 0 60
        lock a none 0 0
        bob: lock b write 0 0
        test_lock a write 5000 1
        bob: lock b none 0 0
        test_lock a write 0 0)"},
    {"ALockIsOfTheProcess", R"(
        put f #1000 ; open a f O_RDWR ; open b f O_RDWR
        lock a write 0 0
        lock b write 0 0
        test_lock b write 0 0
        fork bob
        bob: lock a write 0 0
        bob: test_lock a read 10 10
        close b
        bob: lock a write 0 0
        lock a read 0 0
        kill bob
        lock a write 0 0)"},
    {"ALockNeedsTheRightOpenMode", R"(
        put f text ; open r f O_RDONLY ; open w f O_WRONLY ; open p f O_PATH
        lock r write 0 0 ; lock r read 0 0 ; lock w read 0 0 ; lock w write 0 0
        ofd_lock r write 0 0 ; ofd_lock r read 0 0 ; test_lock r write 0 0
        lock p read 0 0 ; flock p sh|nb ; flock r ex|nb ; flock r un ; flock w sh|nb
        lock r read -5 2 ; lock r read 10 -5 ; lock r read 9223372036854775807 10)"},
    {"LocksOfOpenFiles", R"(
        put f #1000 ; open a f O_RDWR ; open b f O_RDWR
        ofd_lock a write 0 100
        ofd_lock b write 50 10
        test_ofd_lock b write 50 10
        ofd_lock b write 100 100
        fork bob
        bob: ofd_lock a none 50 10
        ofd_lock b write 50 10
        bob: lock a write 0 0
        close a
        bob: test_ofd_lock b write 0 50
        kill bob
        ofd_lock b write 0 0)"},
    {"WaitingForALock", R"(
        put f text ; open a f O_RDWR
        fork bob
        bob: open b f O_RDWR
        lock a write 0 0
        bob& wait_lock b write 0 0
        lock a none 0 0
        bob?
        test_lock a read 0 0
        flock a ex
        bob& flock b sh
        flock a un
        bob?
        flock a ex|nb
        lock a write 0 0
        bob: close b
        flock a ex|nb
        lock a write 0 0)"},
    {"LocksOutliveNamesAndRenames", R"(
        put f text ; open a f O_RDWR
        fork bob
        flock a ex|nb ; lock a write 0 0
        rename f g
        bob: open b g O_RDWR
        bob: flock b sh|nb ; bob: lock b read 0 0
        link g h ; unlink g
        bob: open c h O_RDWR
        bob: flock c sh|nb ; bob: lock c read 0 0
        close a
        bob: flock c ex|nb ; bob: lock c write 0 0)"},
    // ---- programs
    {"ProgramsRun", R"(
        copy_program cat
        chmod cat 0755
        exec cat
        put script #!/bin/false ; chmod script 0755 ; exec script
        put missing #!/no/such/interpreter ; chmod missing 0755 ; exec missing
        put text hello ; chmod text 0755 ; exec text
        put empty ; chmod empty 0755 ; exec empty
        mkdir d 0755 ; exec d
        exec nothing
        symlink cat link ; exec link
        put plain #!/bin/true ; exec plain
        mkfifo p 0755 ; exec p)"},
    {"ABusyProgram", R"(
        copy_program cat
        open w cat O_WRONLY
        exec cat
        start runner cat
        close w
        start runner cat
        open w cat O_WRONLY
        truncate cat 0
        open r cat O_RDONLY
        rename cat cat2
        chmod cat2 0700
        copy_program cat
        exec cat
        unlink cat2
        kill runner
        fstat r)"},
    // ---- limits
    {"ALimitOnTheSize", R"(
        open f f O_RDWR|O_CREAT 0644
        limit 10000
        write f #8000
        write f #8000
        write f x
        fstat f
        pwrite f x 9999
        pwrite f x 10000
        pwrite f xy 9999
        ftruncate f 10000
        ftruncate f 10001
        truncate f 20000
        truncate f 5
        allocate f none 0 20000
        open g g O_WRONLY|O_CREAT|O_APPEND 0644
        write g #10000
        write g y
        put h #20000
        stat h)"},
    // ---- processes and what they share
    {"DescriptorsAreShared", R"(
        put f #100 ; open a f O_RDWR
        fork bob
        read a 10
        bob: read a 10
        seek a 0 current
        bob: seek a 50 set
        read a 5
        bob: close a
        read a 5
        unlink f
        fork carol
        kill bob
        carol: pread a 5 0
        close a
        carol: pread a 5 0
        carol: fstat a)"},
    {"ManyProcessesInOneDirectory", R"(
        fork a ; fork b ; fork c
        a& many . 0 30
        b& many . 100 130
        c& many . 200 230
        a? ; b? ; c?
        a& remove_many . 0 30
        b& many . 130 160
        a? ; b?
        c: ls .
        ls .)"},
    {"OneOfManyMakesIt", R"(
        fork a ; fork b
        a: mkdir d 0755
        b: mkdir d 0755
        b: open f d/f O_RDWR|O_CREAT|O_EXCL 0644
        a: open f d/f O_RDWR|O_CREAT|O_EXCL 0644
        a: open f d/f O_RDWR
        b: write f hello
        a: read f 10
        a: unlink d/f
        b: fstat f
        b: rmdir d
        a: stat d)"},
};

}  // namespace

std::span<const Script> scripts_of_processes() {
  return kScripts;
}

}  // namespace fuse9p::test::parity
