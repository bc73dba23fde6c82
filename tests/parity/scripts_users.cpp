// SPDX-License-Identifier: MIT
// What several users do to each other. alice and bob are in the group team, carol is not.
#include "tests/parity/scripts.hpp"

namespace fuse9p::test::parity {
namespace {

constexpr Script kScripts[] = {
    // ---- whose is it?
    {"FilesBelongToWhoMakesThem", R"(
        as alice
        put a text ; mkdir b 0755 ; mkfifo c 0644 ; symlink x d ; mknod e socket 0600 ; link a f
        open g g O_RDWR|O_CREAT 0600
        as bob
        put h text ; mkdir i 0755 ; symlink x j ; put b/k text ; mkdir b/l 0755
        as root
        put m text ; mkdir n 0755
        as carol
        mknod o null 0600 ; put p
        stat a ; stat b ; stat c ; stat d ; stat e ; fstat g ; stat h ; stat i ; stat j ; stat m)"},
    {"UmaskOfEachUser", R"(
        umask 0027
        as alice
        put a ; mkdir b 0777 ; mkfifo c 0666 ; mknod d file 0666
        umask 0
        open e e O_RDWR|O_CREAT 07777 ; mkdir f 07777
        as carol
        put g ; mkdir h 0777 ; stat a ; cat a ; ls b
        stat e ; stat f ; stat g ; stat h)"},
    {"SetGidDirectoriesHandDownTheirGroup", R"(
        as alice
        put d/a text ; mkdir d/b 0755 ; symlink x d/c ; mkfifo d/e 0644 ; mkdir d/b/f 0700
        put d/b/g text ; open h d/h O_RDWR|O_CREAT 02775 ; fstat h
        as carol
        put d/i text ; mkdir d/j 0755 ; open k d/k O_RDWR|O_CREAT 02775 ; fstat k
        as root
        put d/l text ; mkdir d/m 0755 ; open n d/n O_RDWR|O_CREAT 02775 ; fstat n
        stat d/a ; stat d/b ; stat d/c ; stat d/e ; stat d/b/f ; stat d/b/g ; stat d/i ; stat d/j
        rename d/a a ; stat a
        link d/l l ; stat l)",
     "mkdir d 0755 ; chown d root team ; chmod d 03777"},
    {"SetGidIsRefusedToForeigners", R"(
        as alice
        chmod f 02755 ; stat f
        chmod g 02755 ; stat g
        chmod d 02755 ; stat d
        chmod e 02755 ; stat e
        chown f - team ; stat f
        chmod f 02755 ; stat f)",
     R"(put f ; put g ; mkdir d 0755 ; mkdir e 0755
        chown f alice alice ; chown g alice club ; chown d alice team ; chown e alice club)"},
    // ---- set-id bits go
    {"WritingByOthersClearsSetIdBits", R"(
        as bob
        open a a O_WRONLY ; write a x ; fstat a
        open b b O_WRONLY|O_TRUNC ; fstat b
        truncate c 1 ; stat c
        open d d O_RDWR ; ftruncate d 2 ; fstat d
        open f f O_RDWR ; pwritev f x 1 dsync ; fstat f
        open g g O_RDWR ; open h src O_RDONLY ; copy_range h g 3 ; fstat g ; fstat h
        as root
        stat a ; stat b ; stat c ; stat d ; stat f ; stat g)",
     R"(put a #100 ; put b #100 ; put c #100 ; put d #100 ; put f #100 ; put g #100
        put src text
        chmod a 06777 ; chmod b 06777 ; chmod c 06777 ; chmod d 06777 ; chmod f 06777
        chmod g 06777)"},
    {"MappingsByOthersAndSetIdBits", R"(
        as bob
        open a f O_RDWR ; map a 0 x ; fstat a ; cat f
        as root
        stat f)",
     "put f text ; chmod f 06777"},
    {"WritingByTheOwnerClearsSetIdBits", R"(
        as alice
        open a a O_WRONLY ; write a x ; fstat a
        chmod a 06755 ; stat a ; write a y ; fstat a
        chmod a 02745 ; stat a ; write a z ; fstat a
        truncate b 1 ; stat b
        chmod b 06755 ; truncate b 1 ; stat b
        chmod b 06755 ; chown b - team ; stat b
        chmod b 06755 ; chown b - - ; stat b
        chmod b 02645 ; chown b - team ; stat b
        chmod b 06755 ; utimens b 1 2 ; stat b
        chmod b 06755 ; link b c ; rename b d ; stat c)",
     R"(put a text ; put b text ; chown a alice alice ; chown b alice alice
        chmod a 06755 ; chmod b 06755)"},
    {"RootKeepsOrClearsSetIdBits", R"(
        chmod f 06755 ; open a f O_WRONLY ; write a x ; fstat a
        truncate f 1 ; stat f
        chown f alice alice ; stat f
        chmod f 06755 ; chown f - - ; stat f
        chmod f 06755 ; chown f alice - ; stat f
        chmod f 06745 ; chown f bob - ; stat f
        chmod d 06755 ; chown d alice team ; stat d
        lchown l alice team ; stat l)",
     "put f text ; mkdir d 0755 ; symlink f l"},
    {"SetIdProgramsAreMadeSafeByAnotherName", R"(
        as alice
        rename f g ; stat g
        as bob
        open a g O_RDWR ; write a x
        as alice
        fstat a ; stat g
        exec g)",
     "put f text ; chown f alice team ; chmod f 06775"},
    // ---- sticky directories
    {"InAStickyDirectoryEachOwnerRemovesHisOwn", R"(
        as bob
        unlink d/alice ; rename d/alice d/x ; rename d/alice x ; rmdir d/adir
        rename d/bob d/alice ; link d/bob d/blink ; rename d/bob d/bob2 ; unlink d/bob2
        put d/new text ; rename d/new d/alice ; unlink d/new
        rename mine d/alice ; rename mine d/mine
        as carol
        unlink d/alice ; unlink d/blink ; rmdir d/adir ; rename d/adir d/bdir
        as alice
        unlink d/blink ; rename d/adir d/bdir ; unlink d/mine ; rmdir d/bdir
        as root
        unlink d/alice
        ls d)",
     R"(mkdir d 0755 ; chown d alice team ; chmod d 01777
        put d/alice a ; chown d/alice alice team ; put d/bob b ; chown d/bob bob bob
        mkdir d/adir 0777 ; chown d/adir alice alice ; put mine m ; chown mine bob bob)"},
    {"OpeningForeignFilesInAStickyDirectory", R"(
        as bob
        open a d/alice O_RDWR ; write a x
        open b d/alice O_RDWR|O_CREAT 0666
        open c d/alice O_WRONLY|O_TRUNC
        open e d/pipe O_RDWR|O_NONBLOCK|O_CREAT 0666
        open f d/pipe O_RDWR|O_NONBLOCK
        followed d/link ; cat d/link ; readlink d/link
        as root
        open g d/alice O_RDWR|O_CREAT 0666
        cat d/link)",
     R"(mkdir d 0755 ; chown d root team ; chmod d 01777
        put d/alice a ; chown d/alice alice team ; chmod d/alice 0666
        mkfifo d/pipe 0666 ; chown d/pipe alice team ; chmod d/pipe 0666
        symlink alice d/link ; lchown d/link alice team)"},
    {"LinksToForeignFiles", R"(
        as bob
        link secret a ; link shown b ; link writable c ; link setid e ; link dir f
        link linkto g ; follow_link linkto h
        as root
        link secret i
        as alice
        link secret j ; stat secret)",
     R"(put secret s ; chmod secret 0600 ; chown secret alice alice
        put shown s ; chmod shown 0644 ; chown shown alice alice
        put writable s ; chmod writable 0666 ; chown writable alice alice
        put setid s ; chown setid alice alice ; chmod setid 04777
        mkdir dir 0777 ; symlink writable linkto)"},
    // ---- who sees what
    {"APrivateDirectoryStaysPrivate", R"(
        as alice
        ls d ; stat d/f ; cat d/f ; readlink d/l ; ls d/sub
        as bob
        ls d ; stat d/f ; cat d/f ; readlink d/l ; stat d/sub/g ; ls d/sub ; access d/f f
        rename d/f d/h ; unlink d/f ; put d/new text ; chdir d ; stat d
        as root
        stat d/f ; ls d
        as carol
        stat d/f ; cat d/sub/g ; stat d/nothing
        as alice
        cat d/sub/g)",
     R"(mkdir d 0755 ; put d/f text ; symlink f d/l ; mkdir d/sub 0755 ; put d/sub/g text
        chown d/f alice alice ; chown d/sub alice alice ; chown d alice alice ; chmod d 0700)"},
    {"ADirectoryIsClosedAndOpenedAgain", R"(
        as bob
        cat d/f ; stat d/f
        as alice
        chmod d 0700
        as bob
        cat d/f ; stat d/f ; ls d ; open a d/f O_RDONLY
        as alice
        chmod d 0711
        as bob
        cat d/f ; ls d
        as alice
        chmod d/f 0600
        as bob
        cat d/f ; stat d/f ; open b d/f O_WRONLY
        as alice
        chmod d/f 0060 ; chown d/f - team
        as bob
        cat d/f ; open c d/f O_WRONLY ; write c x
        as alice
        cat d/f)",
     "mkdir d 0755 ; put d/f text ; chown d/f alice alice ; chown d alice alice"},
    {"SearchWithoutReadAndReadWithoutSearch", R"(
        as bob
        ls x ; stat x/f ; cat x/f ; ls x/sub ; put x/new text ; access x r ; access x x
        ls r ; stat r/f ; cat r/f ; access r r ; access r x
        put w/new text ; unlink w/f ; ls w ; access w wx)",
     R"(mkdir x 0755 ; put x/f text ; mkdir x/sub 0755 ; chmod x 0711
        mkdir r 0755 ; put r/f text ; chmod r 0744
        mkdir w 0755 ; put w/f text ; chmod w 0733)"},
    {"OpenFilesOutliveTheirOpenersRights", R"(
        as alice
        open a f O_RDWR ; open d d O_RDONLY|O_DIRECTORY ; open p f O_PATH
        as bob
        read a 10 ; write a bob ; fstat a ; ftruncate a 5 ; fsync a ; seek a 0 set
        fchmod a 0666 ; fchown a bob bob ; futimens a 1 2 ; futimens a now now
        fstat d ; getdents d ; open_at x d g O_RDONLY ; fchdir d
        fstat p ; reopen y a O_RDWR ; reopen z p O_RDONLY ; link_file a linked
        as carol
        pread a 10 0 ; pwrite a carol 0 ; map a 0 M ; mapped a 0 3 ; flock a ex|nb
        lock a write 0 0
        as root
        fchmod a 0644 ; fstat a
        cat f)",
     R"(put f hello ; chmod f 0600 ; chown f alice alice
        mkdir d 0755 ; put d/g text ; chown d alice alice ; chmod d 0700)"},
    {"TheWorkingDirectoryOutlivesTheRightToIt", R"(
        as alice
        chdir d
        as bob
        stat . ; ls . ; stat f ; cat f ; put new text ; chdir .. ; stat d
        as root
        chdir d ; cat f
        as carol
        stat . ; stat f ; mkdir x 0755 ; getcwd)",
     "mkdir d 0755 ; put d/f text ; chown d alice alice ; chmod d 0700"},
    {"ADirectoryKeptBelowOneThatIsShut", R"(
        as bob
        chdir a/b
        cat f ; put g text ; ls . ; stat .
        as root
        chmod ../../a 0700
        as bob
        cat f ; stat f ; put h text ; ls . ; mkdir sub 0755 ; stat .. ; chdir ..)",
     "mkdir a 0755 ; mkdir a/b 0777 ; put a/b/f text ; chmod a/b 0777 ; chown a alice alice"},
    // ---- who may change what
    {"WhoMayChangeTimes", R"(
        as bob
        utimens f 1 2 ; utimens f now now ; utimens f omit now ; utimens f now omit
        utimens f omit omit
        utime_now f
        utimens g 1 2 ; utimens g now now ; utimens g omit omit ; utime_now g
        as alice
        utimens f 1 2 ; times f ; utimens f now 5 ; utimens g 3 4 ; times g ; utimens l 6 7
        times l
        as carol
        utimens l now now ; utimens d now now ; utimens f now now)",
     R"(put f ; chmod f 0660 ; chown f alice team ; put g ; chmod g 0644 ; chown g alice alice
        symlink f l ; lchown l alice alice ; mkdir d 0755 ; chown d alice alice)"},
    {"WhoMayChangeOwners", R"(
        as alice
        chown f bob - ; chown f - team ; chown f - club ; chown f alice alice ; chown f - - ; stat f
        chown d - team ; stat d ; lchown l - team ; stat l ; lchown l bob - ; chown g - -
        as bob
        chown f bob - ; chown f - bob ; chown f - team ; chown f - - ; chown g - -
        as root
        chown f bob club ; stat f)",
     R"(put f ; chown f alice alice ; mkdir d 0755 ; chown d alice alice ; put g ; chown g bob team
        symlink f l ; lchown l alice alice)"},
    {"WhoMayChangeModes", R"(
        as bob
        chmod f 0777 ; chmod d 0777 ; chmod g 0600 ; chmod l 0777 ; open a f O_RDWR ; fchmod a 0600
        as alice
        chmod f 0000 ; stat f ; cat f ; open b f O_RDONLY ; chmod f 0200 ; open c f O_WRONLY
        write c x ; chmod f 0400 ; write c y ; cat f ; open e f O_RDWR
        chmod d 0000 ; ls d ; stat d/x ; chmod d 0700 ; ls d ; chmod l 0640 ; stat f)",
     R"(put f text ; chmod f 0666 ; chown f alice team ; mkdir d 0777 ; chown d alice team ; put d/x
        put g ; chown g carol team ; symlink f l)"},
    {"RootDoesWhatItLikes", R"(
        cat f ; open a f O_RDWR ; write a x ; ls d ; put d/new text ; unlink d/g ; chmod f 0000
        chown d root - ; utimens f 1 2 ; setxattr f user.a one ; access f rw ; access f x
        exec f ; rename d/h f2 ; stat f2 ; truncate f 1 ; link f d/f)",
     R"(put f text ; chmod f 0000 ; chown f alice alice
        mkdir d 0755 ; put d/g ; put d/h ; chown d alice alice ; chmod d 0000)"},
    {"AccessAsksForTheRealUser", R"(
        access f r ; access f w ; access f x
        as alice
        access f r ; access f w ; access f x ; eaccess f rwx ; access d rwx
        as bob
        access f r ; access f w ; access f x ; eaccess f r ; access d x ; access d/g f
        as carol
        access f f ; access f r ; access f w ; eaccess f x ; access d r ; access d x
        access d/g f)",
     R"(put f text ; chown f alice team ; chmod f 0751
        mkdir d 0755 ; put d/g ; chown d alice team ; chmod d 0710)"},
    {"ExecutionIsForThoseWhoMay", R"(
        as alice
        exec script ; exec group ; exec none
        as bob
        exec script ; exec group ; exec none
        as carol
        exec script ; exec group ; exec none
        as root
        exec script ; exec group ; exec none)",
     R"(put script #!/bin/false ; chmod script 0755 ; chown script alice alice
        put group #!/bin/true ; chmod group 0650 ; chown group alice team
        put none #!/bin/true ; chmod none 0644)"},
    {"ReadOnlyForItsMaker", R"(
        as alice
        open a a O_RDWR|O_CREAT|O_EXCL 0400 ; write a hello ; pread a 10 0 ; fstat a ; ftruncate a 2
        open b a O_RDWR ; open c a O_RDONLY ; read c 10
        open e e O_RDWR|O_CREAT|O_EXCL 0000 ; write e hello ; pread e 10 0 ; map e 0 J ; cat e
        open f f O_RDONLY|O_CREAT|O_TRUNC 0200 ; read f 1 ; cat f)"},
    {"SupplementaryGroupsCount", R"(
        as bob
        cat t ; open a t O_RDWR ; write a x ; put d/new text ; stat d/new ; chown mine - team
        chown mine - club ; stat mine
        as carol
        cat t ; put d/other text ; chown hers - team ; ls d)",
     R"(put t text ; chown t alice team ; chmod t 0060
        mkdir d 0755 ; chown d alice team ; chmod d 0770
        put mine ; chown mine bob bob ; put hers ; chown hers carol carol)"},
    {"TheGroupClassCountsEvenIfOthersMayMore", R"(
        as bob
        cat f ; open a f O_WRONLY ; ls d
        as carol
        cat f ; open b f O_WRONLY ; ls d
        as alice
        cat f ; open c f O_WRONLY ; ls d)",
     R"(put f text ; chown f alice team ; chmod f 0006
        mkdir d 0755 ; chown d alice team ; chmod d 0005)"},
    {"TakingTurnsInOneFile", R"(
        as alice
        open a f O_RDWR|O_CREAT 0664 ; write a alice
        chown f - team
        as bob
        open b f O_RDWR|O_APPEND ; write b bob ; fstat b
        as alice
        pread a 20 0 ; chmod f 0644
        as bob
        write b more ; open c f O_RDWR
        as alice
        rename f g ; put f new
        as bob
        write b end ; ftruncate b 4 ; fstat b ; cat g ; cat f
        as carol
        cat g ; pread a 3 0)"},
    {"PeersOfOtherUsers", R"(
        fork one ; fork two
        one: as alice
        two: as bob
        one: open f f O_RDWR|O_CREAT 0640
        one: write f hello
        two: cat f
        one: chown f - team
        two: cat f
        two: open f f O_WRONLY
        one: mkdir d 0700
        two: put d/x text
        one: chmod d 0777
        two: put d/x text
        one: cat d/x
        one: unlink d/x
        stat f
        two: rename f g
        one: fstat f
        one: chmod f 0777
        one: chmod g 0777
        two: open g g O_RDWR
        two: write g HE
        one: pread f 10 0)"},
    {"ExtendedAttributesOfOthers", R"(
        as alice
        setxattr f user.a one ; getxattr f user.a ; setxattr f trusted.t x ; setxattr f security.s x
        setxattr d user.d one
        as bob
        getxattr f user.a ; listxattr f ; setxattr f user.a two ; removexattr f user.a
        getxattr f trusted.t ; setxattr d user.e two ; setxattr s user.x one
        as carol
        getxattr f user.a ; listxattr f ; setxattr f user.c x ; removexattr f user.a
        as root
        setxattr f trusted.t root ; listxattr f
        as alice
        listxattr f ; getxattr f trusted.t ; chmod f 0000 ; getxattr f user.a
        setxattr f user.b x)",
     R"(put f text ; chown f alice team ; chmod f 0640
        mkdir d 0755 ; chown d alice team ; chmod d 0775
        mkdir s 0755 ; chown s alice team ; chmod s 01777)"},
};

}  // namespace

std::span<const Script> scripts_of_users() {
  return kScripts;
}

}  // namespace fuse9p::test::parity
