// SPDX-License-Identifier: MIT
// Names: finding, making, removing and renaming them.
#include "tests/parity/scripts.hpp"

#include <string>
#include <string_view>

namespace fuse9p::test::parity {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (; times > 0; --times)
    all += text;
  return all;
}

/// Names of each byte but 0 and the slash.
std::string every_byte() {
  std::string script;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte != '/') {
      constexpr std::string_view kDigits = "0123456789abcdef";
      script += "put n\\x";
      script += kDigits[static_cast<std::size_t>(byte) / 16];
      script += kDigits[static_cast<std::size_t>(byte) % 16];
      script += " text\n";
    }
  }
  return script + "ls .";
}

/// A symlink to a symlink ... of which the kernel follows 40.
std::string chain() {
  std::string script = "put 0 text\n";
  for (int i = 1; i <= 42; ++i)
    script += "symlink " + std::to_string(i - 1) + ' ' + std::to_string(i) + '\n';
  return script + "cat 39 ; cat 40 ; cat 41 ; followed 42 ; stat 42 ; open f 41 O_WRONLY ; " +
         "truncate 40 1 ; truncate 41 0 ; chmod 41 0600 ; readlink 42";
}

const std::string kEveryByte = every_byte();
const std::string kChain = chain();
const std::string kDeep =
    repeated("mkdir <d*250> 0755 ; chdir <d*250>\n", 15) +
    "put f text ; cat f ; stat f ; stat . ; ls . ; getcwd ; stat ../<d*250>/f\n" +
    "rename f g ; ls . ; unlink g\n" + repeated("chdir .. ; rmdir <d*250>\n", 15);
const std::string kTooDeep = "open top . O_RDONLY|O_DIRECTORY\n" +
                             repeated("mkdir <d*250> 0755 ; chdir <d*250>\n", 18) +
                             "put f text ; ls . ; fchdir top ; ls .";

const Script kScripts[] = {
    // ---- finding
    {"MissingNames", R"(
        stat nothing
        open f nothing O_RDONLY
        open f nothing/below O_RDONLY|O_CREAT 0644
        unlink nothing
        rmdir nothing
        readlink nothing
        rename nothing other
        link nothing other
        chmod nothing 0600
        truncate nothing 0
        mkdir nothing/below 0755
        ls nothing)"},
    {"FilesAreNoDirectories", R"(
        put file text
        stat file/below
        mkdir file/below 0755
        open f file/below O_RDWR|O_CREAT 0644
        unlink file/below
        rmdir file
        ls file
        open f file O_RDONLY|O_DIRECTORY
        rename file/below other)"},
    {"DirectoriesAreNoFiles", R"(
        mkdir dir 0755
        unlink dir
        open f dir O_WRONLY
        open f dir O_RDWR
        open f dir O_RDONLY
        read f 10
        truncate dir 0
        readlink dir
        link dir other)"},
    {"TakenNames", R"(
        put file text
        mkdir dir 0755
        symlink nowhere link
        mkdir file 0755
        mkdir dir 0755
        mkdir link 0755
        symlink x file
        symlink x dir
        link file dir
        link file link
        mkfifo file 0644
        open f file O_RDWR|O_CREAT|O_EXCL 0644
        open f dir O_RDWR|O_CREAT|O_EXCL 0644
        open f link O_RDWR|O_CREAT|O_EXCL 0644)"},
    {"OddNames", R"(
        put a\sb one
        put new\nline two
        put \xc3\xa4\xc3\xb6 three
        put \xff\xfe\x01 four
        put -rf five
        put \\back\x22slash' six
        put ... seven
        put .hidden eight
        mkdir \xe2\x98\x83 0755
        put \xe2\x98\x83/\xf0\x9f\x90\x9f nine
        ls .
        cat a\sb
        cat \xff\xfe\x01
        cat \xe2\x98\x83/\xf0\x9f\x90\x9f
        rename \xff\xfe\x01 \x80
        cat \x80
        unlink new\nline)"},
    {"LongNames", R"(
        put <n*255> text
        stat <n*255>
        ls .
        mkdir <d*255> 0755
        put <d*255>/<e*255> deep
        put <n*256> text
        stat <n*256>
        mkdir <n*256> 0755
        symlink x <n*256>
        rename <n*255> <n*256>
        unlink <n*255>
        rmdir <d*255>)"},
    {"Symlinks", R"(
        put file text
        symlink file link
        symlink nowhere broken
        symlink loop loop
        mkdir dir 0755
        symlink ../file dir/up
        symlink dir dirlink
        readlink link
        readlink file
        readlink .
        stat link
        followed link
        followed broken
        followed loop
        cat link
        cat loop
        cat dir/up
        cat dirlink/up
        open f link O_RDONLY|O_NOFOLLOW
        open f dirlink O_RDONLY|O_DIRECTORY|O_NOFOLLOW
        open f broken O_WRONLY|O_CREAT 0644
        stat nowhere
        unlink link
        stat file
        rmdir dirlink
        symlink <t*4000> far
        readlink far
        unlink far
        lchown link 1 2
        lchown broken 1 2
        stat broken)"},
    {"OneNameAfterAnother", R"(
        stat x
        put x text
        stat x
        unlink x
        stat x
        mkdir x 0755
        stat x
        rmdir x
        symlink y x
        stat x
        readlink x
        unlink x
        mkfifo x 0600
        stat x
        rename x y
        stat x
        put x again
        cat x)"},
    {"CaseMattersAndSoDoBytes", R"(
        put a one
        put A two
        cat a
        put \xc3\xa9 composed
        put e\xcc\x81 decomposed
        cat \xc3\xa9
        cat e\xcc\x81
        put trailing. dot
        put trailing\s space
        put con device
        put a:b colon
        put a*b? stars
        ls .)"},
    {"EveryByteThatANameMayHave", kEveryByte.c_str()},
    {"PathsNearPathMax", R"(
        put abcde text
        stat <./*2045>abcde
        cat <./*2045>abcde
        put <./*2045>fghij new
        stat <./*2045>abcdef
        mkdir <./*2045>abcdef 0755
        rename <./*2045>abcde <./*2045>xxxxx
        rename <./*2045>xxxxx <./*2045>xxxxxx
        link <./*2045>xxxxx <./*2045>yyyyyy
        symlink <t*4095> far
        readlink far
        symlink <t*4096> farther
        followed far
        symlink <./*2045>xxxxx by
        cat by
        unlink far
        unlink by)"},
    {"DeepDirectories", kDeep.c_str()},
    {"DirectoriesDeeperThanPathMax", kTooDeep.c_str()},
    {"FortyLinksAndOneMore", kChain.c_str()},
    {"LinksOfLinks", R"(
        mkdir a 0755
        mkdir a/b 0755
        put a/b/f text
        symlink a/b one
        symlink one two
        symlink two/../b/f three
        symlink three/x four
        cat three
        cat two/f
        followed four
        open f two/f O_RDONLY|O_NOFOLLOW
        open g two O_RDONLY|O_NOFOLLOW
        open h three O_RDONLY|O_NOFOLLOW
        unlink one
        cat three
        symlink . one
        cat three
        cat one/one/one/a/b/f)"},
    {"DotsCanNotBeChanged", R"(
        mkdir d 0755
        put d/f text
        mkdir d/. 0755
        mkdir d/.. 0755
        rmdir d/.
        rmdir d/..
        unlink d/.
        unlink d/..
        rename d/. e
        rename d/.. e
        rename d e/.
        rename d d/..
        link d/. e
        symlink x d/.
        mkfifo d/.. 0644
        open f d/. O_RDONLY|O_CREAT 0644
        open f d/.. O_RDWR|O_CREAT|O_EXCL 0644
        ls d)"},
    {"WhereAnotherFileSystemIs", R"(
        mkdir d 0755
        mkdir e 0755
        put f text
        put d/below text
        mount d
        stat d
        put d/g text
        ls d
        rmdir d
        rename d x
        rename e d
        rename e d/e
        rename f d/f
        link f d/f
        rename d/g g
        link d/g g
        unlink d
        mkdir d 0755
        open a f O_RDONLY
        open b d/h O_RDWR|O_CREAT 0644
        copy_range a b 10
        send_file a b 10
        cat d/g
        exchange d e
        exchange f d/g
        mount f
        stat f
        unlink f
        rename f g
        rename e f
        unmount f
        cat f
        unmount d
        close b
        unmount d
        ls d
        cat d/below
        rename d x
        cat x/below)"},
    // ---- making
    {"CreateModes", R"(
        umask 0
        open a a O_WRONLY|O_CREAT 0777
        open b b O_WRONLY|O_CREAT 0000
        open c c O_WRONLY|O_CREAT 04755
        mkdir d 01777
        mkfifo e 0666
        umask 027
        open f f O_WRONLY|O_CREAT 0777
        mkdir g 0777
        mkfifo h 0666
        mknod i file 0666
        mknod j socket 0666
        symlink x k
        stat a
        stat b
        stat c
        stat d
        stat e
        stat f
        stat g
        stat h
        stat i
        stat j
        stat k
        ls .)"},
    {"ReadOnlyModeDoesNotHinderTheCreator", R"(
        open f f O_RDWR|O_CREAT 0400
        write f hello
        pread f 10 0
        fstat f)"},
    {"Directories", R"(
        mkdir a 0755
        mkdir a/b 0700
        mkdir a/b/c 0755
        stat a
        stat .
        ls a
        rmdir a
        rmdir a/b
        rmdir a/b/c
        rmdir a/b
        stat a
        rmdir a
        rmdir a
        rmdir .
        mkdir x/ 0755
        stat x/)"},
    {"SetGidDirectory", R"(
        mkdir d 0755
        chown d 0 5
        chmod d 02775
        put d/file text
        mkdir d/sub 0755
        stat d/file
        stat d/sub)"},
    {"HardLinks", R"(
        put a one
        link a b
        stat a
        stat b
        put b two
        cat a
        mkdir d 0755
        link b d/c
        stat a
        unlink a
        stat b
        stat d/c
        rename b e
        stat e
        stat d/c
        put d/c three
        cat e
        unlink e
        stat d/c
        cat d/c)"},
    {"RenameOntoAnotherNameOfTheSameFile", R"(
        put a one
        link a b
        rename a b
        stat a
        stat b)"},
    {"LinkToASymlink", R"(
        symlink x a
        link a b
        stat b
        readlink b)"},
    {"PipesCarryBytes", R"(
        mkfifo p 0644
        open w p O_WRONLY|O_NONBLOCK
        open r p O_RDONLY|O_NONBLOCK
        open w p O_WRONLY|O_NONBLOCK
        read r 10
        write w hello
        ioctl r
        read r 10
        link p q
        open v q O_WRONLY|O_NONBLOCK
        write v again
        read r 10
        rename p z
        write v more
        read r 10
        unlink z
        unlink q
        write v last
        read r 10
        write v #100000
        write v x
        dup r keep
        close keep
        close r
        write w nobody
        fstat v)"},
    {"SocketsAreReached", R"(
        bind s sock
        stat sock
        open f sock O_RDONLY
        connect c sock
        connect d nothing
        bind t sock
        link sock other
        rename sock third
        connect e third
        put file text
        connect g file
        unlink third
        connect h other
        close s
        connect i other
        unlink other)"},
    {"DevicesAndTheirNumbers", R"(
        mknod n null 0666
        mknod d disk 0600
        stat n
        stat d
        open f n O_RDWR
        write f hello
        read f 10
        pread f 10 100
        open g n O_RDWR|O_TRUNC|O_APPEND
        fstat g
        open h d O_RDONLY
        link n m
        stat m
        chmod n 0600
        truncate n 0
        stat m)"},
    {"LinkCountsOfDirectories", R"(
        mkdir d 0755
        stat d
        mkdir d/a 0755
        mkdir d/b 0755
        stat d
        put d/f text
        symlink a d/l
        stat d
        rename d/a e
        stat d
        stat .
        rmdir d/b
        stat d
        rename e d/c
        stat d)"},
    {"HardLinksToEveryKind", R"(
        mkfifo p 0644
        mknod s socket 0644
        mknod n null 0644
        symlink nowhere l
        mkdir d 0755
        link p d/p
        link s d/s
        link n d/n
        link l d/l
        follow_link l d/f
        link d d/d
        stat p
        stat d/p
        unlink p
        stat d/p
        chmod d/s 0600
        stat s
        lchown d/l alice bob
        stat l
        readlink d/l)"},
    {"AnOpenFileIsLinked", R"(
        put f text
        open a f O_RDONLY
        link_file a g
        fstat a
        unlink f
        fstat a
        link_file a h
        cat h
        unlink g
        unlink h
        fstat a
        link_file a i)"},
    {"AFileWithoutAName", R"(
        mkdir d 0755
        open f d O_RDWR|O_TMPFILE 0640
        write f text
        fstat f
        link_file f d/f
        stat d/f
        cat d/f)"},
    // ---- removing
    {"Unlink", R"(
        put a one
        unlink a
        unlink a
        stat a
        put a two
        cat a)"},
    {"RemoveAFullDirectory", R"(
        mkdir d 0755
        put d/f text
        rmdir d
        unlink d/f
        rmdir d
        stat d)"},
    {"ReadAfterUnlink", R"(
        put f hello
        open a f O_RDWR
        unlink f
        pread a 10 0
        pwrite a HE 0
        pwrite a more 5
        pread a 20 0
        stat f
        put f stranger
        pread a 20 0
        close a
        cat f)"},
    {"StatAfterUnlink", R"(
        put f hello
        open a f O_RDWR
        fstat a
        unlink f
        fstat a
        pwrite a #5000 3
        fstat a
        put f stranger
        fstat a
        stat f)"},
    {"UseAfterReplacement", R"(
        put f hello
        put g stranger
        open a f O_RDWR
        rename g f
        pread a 10 0
        pwrite a J 0
        pread a 10 0
        fstat a
        cat f
        stat f)"},
    {"OneNameGoesOneStays", R"(
        put f hello
        link f g
        open a f O_RDWR
        unlink f
        fstat a
        pwrite a J 0
        ftruncate a 3
        cat g
        stat g)"},
    {"UnlinkedAndUsedOn", R"(
        put f hello
        open a f O_RDWR
        open b f O_RDONLY
        unlink f
        fstat b
        fchmod a 0600
        fstat a
        fchown a alice bob
        fstat b
        ftruncate a 3
        fstat a
        pread b 10 0
        pwrite a #10000 1
        ftruncate a 20000
        fstat b
        pread b 30000 0
        map a 15000 mapped
        pread b 10 15000
        futimens a 1000.5 2000.5
        ftimes b
        fsync a
        reopen c a O_RDWR
        pwrite c again 0
        pread b 10 0
        put f stranger
        ftruncate a 0
        fstat a
        cat f
        stat f)"},
    {"ReplacedAndUsedOn", R"(
        put f hello
        put g stranger
        open a f O_RDWR
        rename g f
        ftruncate a 2
        fchmod a 0600
        fchown a alice bob
        futimens a 10 20
        fstat a
        ftimes a
        pread a 10 0
        stat f
        cat f
        link_file a h)"},
    {"UnlinkedTwiceAndMadeAgain", R"(
        put f one
        open a f O_RDWR
        unlink f
        put f two
        open b f O_RDWR
        unlink f
        put f three
        open c f O_RDWR
        pwrite a ONE! 0
        ftruncate b 1
        fchmod c 0600
        fstat a
        fstat b
        fstat c
        pread a 10 0
        pread b 10 0
        pread c 10 0
        cat f
        stat f)"},
    {"ADirectoryOfUnlinkedOpenFilesIsRemoved", R"(
        mkdir d 0755
        put d/f text
        put d/g text
        open a d/f O_RDWR
        open b d/g O_RDWR
        open c d O_RDONLY|O_DIRECTORY
        unlink d/f
        unlink d/g
        ls d
        rmdir d
        fstat c
        getdents c
        fstat a
        pwrite a more 4
        pread a 10 0
        fstat b
        stat d)"},
    {"TheWorkingDirectoryIsRemoved", R"(
        mkdir d 0755
        chdir d
        rmdir ../d
        stat .
        ls .
        put f text
        mkdir e 0755
        symlink x l
        getcwd
        stat ..
        chdir ..
        stat d
        ls .)"},
    {"TheWorkingDirectoryIsRemovedAndMadeAgain", R"(
        mkdir d 0755
        put d/f old
        open a d/f O_RDWR
        chdir d
        unlink f
        rmdir ../d
        mkdir ../d 0700
        put ../d/f new
        stat f
        put f other
        stat .
        fstat a
        chdir ../d
        stat .
        cat f)"},
    {"AnEmptyDirectoryIsReplaced", R"(
        mkdir a 0755
        put a/f text
        mkdir b 0700
        open d b O_RDONLY|O_DIRECTORY
        open e a O_RDONLY|O_DIRECTORY
        rename a b
        fstat d
        getdents d
        open_at g d new O_RDWR|O_CREAT 0644
        fstat e
        getdents e
        open_at h e new O_RDWR|O_CREAT 0644
        ls b
        stat b)"},
    {"NotEmpty", R"(
        mkdir a 0755
        mkdir a/b 0755
        mkdir c 0755
        rmdir a
        rename c a
        rename a/b a
        rename a a/b/c
        unlink a
        rmdir a/b
        rename c a
        stat a)"},
    // ---- renaming
    {"RenameFiles", R"(
        put a one
        rename a b
        stat a
        cat b
        put a two
        rename a b
        cat b
        stat a
        rename b b
        cat b
        rename b nowhere/b
        cat b)"},
    {"RenameKinds", R"(
        put file text
        mkdir empty 0755
        mkdir full 0755
        put full/x text
        mkdir other 0755
        symlink file link
        rename file empty
        rename empty file
        rename other empty
        stat other
        rename empty full
        rename full empty
        ls empty
        rename empty empty/below
        rename link file
        stat file
        rename file file2
        readlink file2)"},
    {"RenameAcrossDirectories", R"(
        mkdir a 0755
        mkdir b 0755
        put a/file one
        rename a/file b/file
        cat b/file
        stat a/file
        ls a
        ls b
        rename b/file a/other
        cat a/other)"},
    {"KnownChildrenFollowARenamedDirectory", R"(
        mkdir a 0755
        mkdir a/b 0755
        mkdir c 0755
        put a/b/file one
        stat a/b/file
        open f a/b/file O_RDWR
        open d a/b O_RDONLY|O_DIRECTORY
        rename a c/x
        stat a
        stat c/x/b/file
        cat c/x/b/file
        write f two
        ftruncate f 2
        fstat f
        cat c/x/b/file
        put c/x/b/new three
        getdents d
        open_at g d file O_RDONLY
        read g 10
        rename c/x/b c/y
        cat c/y/new
        unlink c/y/file
        rmdir c/x
        fstat f
        ls c/y)"},
    {"AnOpenFileIsChangedByItsNewName", R"(
        put a hello
        open f a O_RDWR
        rename a b
        put a stranger
        ftruncate f 2
        fchmod f 0600
        futimens f 1000 2000
        fstat f
        stat a
        cat a
        stat b
        cat b)"},
    {"TheWorkingDirectoryIsRenamed", R"(
        mkdir a 0755
        mkdir a/b 0755
        mkdir z 0755
        put a/b/f text
        chdir a/b
        stat f
        rename ../../a ../../z/y
        put g new
        cat f
        stat .
        ls .
        chdir ..
        ls .
        stat .
        chdir ..
        ls .
        rename y/b b
        cat b/g
        chdir ..
        ls z
        stat a)"},
    {"RenamedBetweenOpenDirectories", R"(
        mkdir a 0755
        mkdir b 0755
        put a/f one
        open d a O_RDONLY|O_DIRECTORY
        open e b O_PATH|O_DIRECTORY
        rename_at d f e g
        stat_at e g
        stat_at d f
        rename a c
        rename_at e g d h
        ls c
        unlink_at d h
        mkdir_at e sub 0700
        rename_at e sub d sub
        ls c
        getdents d)"},
    {"DirectoriesSwapTheirNames", R"(
        mkdir a 0755
        mkdir b 0755
        put a/f one
        put b/f two
        open x a/f O_RDWR
        open y b/f O_RDWR
        rename a t
        rename b a
        rename t b
        cat a/f
        cat b/f
        pwrite x ONE 0
        ftruncate y 1
        fchmod x 0600
        fstat x
        fstat y
        cat a/f
        cat b/f)"},
    {"ADirectoryGoesAndAnotherTakesItsName", R"(
        mkdir a 0755
        mkdir a/b 0755
        put a/b/f one
        stat a/b/f
        rename a c
        mkdir a 0755
        mkdir a/b 0755
        put a/b/f stranger
        stat c/b/f
        cat c/b/f
        cat a/b/f
        chmod c/b/f 0600
        truncate c/b/f 1
        stat a/b/f
        unlink c/b/f
        cat a/b/f
        stat c/b/f)"},
    {"RenameReplacesEveryKind", R"(
        put f text
        mkfifo p 0644
        symlink nowhere l
        mknod s socket 0644
        mkdir d 0755
        rename f p
        rename p l
        rename l s
        cat s
        rename s d
        rename d s
        symlink s l
        rename l s
        readlink s
        stat l)"},
    {"RenameIntoItself", R"(
        mkdir a 0755
        mkdir a/b 0755
        mkdir a/b/c 0755
        rename a a/x
        rename a a/b/c/x
        rename a/b a/b
        rename a/b/c a/b
        rename a a/b/..
        rename a/. x
        ls a/b)"},
    {"ManyRenamesOfOneFile", R"(
        mkdir d 0755
        put f text
        open a f O_RDWR
        rename f g
        rename g d/f
        rename d e
        rename e/f e/h
        rename e/h f
        fstat a
        ftruncate a 2
        fchmod a 0611
        cat f
        rename f e/f
        rename e f
        fstat a
        stat f/f)"},
    {"RenameFlags", R"(
        put a one
        put b two
        noreplace a b
        cat b)"},
    {"RenameOfTheWorkingTreeUpAndDown", R"(
        mkdir p 0755
        mkdir p/q 0755
        put p/q/f one
        rename p/q/f f
        rename p/q q
        rmdir p
        rename f q/g
        cat q/g)"},
};

}  // namespace

std::span<const Script> scripts_on_names() {
  return kScripts;
}

}  // namespace fuse9p::test::parity
