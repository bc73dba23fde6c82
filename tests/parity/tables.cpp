// SPDX-License-Identifier: MIT
// The tables from which most cases are made. @ is the object's path.
#include "tests/parity/cases.hpp"

#include <span>

namespace fuse9p::test::parity {
namespace {

struct Operation {
  const char* name;
  const char* script;
  bool makes = false;  ///< the object, if it is not there
};

// ---- operations on paths

/// Those that only look.
constexpr Operation kLooks[] = {
    {"stat", "stat @ ; followed @"},
    {"access", "access @ f ; access @ r ; access @ w ; access @ x ; access @ rw"},
    {"eaccess", "eaccess @ f ; eaccess @ r ; eaccess @ w ; eaccess @ x ; eaccess @ rwx"},
    {"readlink", "readlink @"},
    {"ls", "ls @"},
    {"chdir", "chdir @ ; stat . ; getcwd"},
    {"exec", "exec @"},
    {"statfs", "statfs @"},
    {"getxattr",
     "getxattr @ user.a ; getxattr @ user.a 0 ; getxattr @ user.a 1 ; lgetxattr @ user.a"},
    {"listxattr", "listxattr @ ; listxattr @ 0 ; listxattr @ 1"},
    {"open_read", "open f @ O_RDONLY|O_NONBLOCK ; read f 100 ; write f x ; fstat f"},
    {"open_path", "open f @ O_PATH ; fstat f ; read f 1 ; open g @ O_PATH|O_NOFOLLOW ; fstat g"},
    {"open_directory", "open f @ O_RDONLY|O_DIRECTORY ; fstat f"},
    {"open_no_follow", "open f @ O_RDONLY|O_NONBLOCK|O_NOFOLLOW ; fstat f"},
    {"open_no_atime", "open f @ O_RDONLY|O_NONBLOCK|O_NOATIME ; read f 100"},
    {"connect", "connect s @"},
};

/// Those that change something, or would.
constexpr Operation kChanges[] = {
    {"chmod", "chmod @ 0640 ; followed @"},
    {"chmod_set_id", "chmod @ 06751 ; followed @"},
    {"chmod_sticky", "chmod @ 01777 ; followed @"},
    {"chown_user", "chown @ bob - ; followed @ ; lchown @ carol - ; stat @"},
    {"chown_group", "chown @ - team ; followed @ ; lchown @ - team ; stat @"},
    {"chown_foreign_group", "chown @ - club ; followed @"},
    {"chown_nothing", "chown @ - - ; followed @"},
    {"chown_itself", "chown @ alice - ; followed @ ; chown @ - alice ; followed @"},
    {"utimens", "utimens @ 1000.123456789 2000.987654321 ; times @"},
    {"utimens_now", "utimens @ now now ; utimens @ omit omit ; utimens @ now omit"},
    {"utime_now", "utime_now @"},
    {"truncate", "truncate @ 2 ; followed @ ; truncate @ 9 ; followed @ ; cat @"},
    {"setxattr",
     "setxattr @ user.b two ; setxattr @ user.a three create ; setxattr @ user.a 1 replace ; "
     "setxattr @ user.c 1 replace ; listxattr @ ; getxattr @ user.b"},
    {"set_trusted", "setxattr @ trusted.t one ; getxattr @ trusted.t ; listxattr @"},
    {"removexattr", "removexattr @ user.a ; removexattr @ user.a ; listxattr @"},
    {"open_write", "open f @ O_WRONLY|O_NONBLOCK ; write f hello ; read f 1 ; followed @"},
    {"open_read_write", "open f @ O_RDWR|O_NONBLOCK ; pwrite f hello 1 ; pread f 100 0 ; fstat f"},
    {"open_append", "open f @ O_WRONLY|O_NONBLOCK|O_APPEND ; write f more ; pwrite f x 0 ; cat @"},
    {"open_truncate", "open f @ O_WRONLY|O_NONBLOCK|O_TRUNC ; fstat f ; write f new ; cat @"},
    {"open_read_truncate", "open f @ O_RDONLY|O_NONBLOCK|O_TRUNC ; fstat f"},
    {"create", "open f @ O_RDWR|O_NONBLOCK|O_CREAT 0664 ; fstat f ; write f new ; cat @", true},
    {"create_exclusively", "open f @ O_WRONLY|O_NONBLOCK|O_CREAT|O_EXCL 0640 ; fstat f ; write f x",
     true},
    {"create_directory", "open f @ O_RDONLY|O_CREAT|O_DIRECTORY 0755 ; stat @", true},
    {"open_tmpfile", "open f @ O_RDWR|O_TMPFILE 0600 ; fstat f"},
    {"mkdir", "mkdir @ 0750 ; stat @ ; ls @", true},
    {"mknod_file", "mknod @ file 0640 ; stat @", true},
    {"mkfifo", "mkfifo @ 0640 ; stat @", true},
    {"mknod_socket", "mknod @ socket 0640 ; stat @", true},
    {"mknod_device", "mknod @ null 0666 ; stat @", true},
    {"bind", "bind s @ ; stat @ ; connect t @", true},
    {"symlink", "symlink somewhere @ ; stat @ ; readlink @", true},
    {"link", "link @ new ; stat new ; stat @"},
    {"link_onto", "put other x ; link other @ ; stat other", true},
    {"follow_link", "follow_link @ new ; stat new"},
    {"rename", "rename @ new ; stat new ; stat @ ; rename new @ ; stat @"},
    {"rename_to_itself", "rename @ @ ; stat @"},
    {"rename_file_onto", "put other x ; rename other @ ; stat other ; stat @", true},
    {"rename_directory_onto", "mkdir other 0755 ; rename other @ ; stat other ; stat @", true},
    {"rename_onto_file", "put other x ; rename @ other ; stat @ ; stat other"},
    {"rename_onto_directory", "mkdir other 0755 ; rename @ other ; stat @ ; stat other"},
    {"noreplace", "put other x ; noreplace @ other ; noreplace @ new ; noreplace other @", true},
    {"exchange", "put other x ; exchange @ other ; stat @ ; stat other ; exchange @ new"},
    {"unlink", "unlink @ ; stat @"},
    {"rmdir", "rmdir @ ; stat @"},
    {"create_below", "put @/x text ; stat @/x ; mkdir @/y 0755 ; symlink t @/z ; ls @"},
    {"remove_below", "unlink @/below ; rmdir @/below ; stat @/below"},
    {"rename_below", "rename @/below @/other ; rename @/below new ; rename @/other @/below"},
};

// ---- objects

/// What there is at p/o, or how it is reached, made by root.
struct Object {
  const char* name;
  const char* path;
  const char* made;
  bool on_read_only = false;  ///< also where nothing can be changed
};

constexpr Object kObjects[] = {
    {"file", "p/o", "put p/o text ; setxattr p/o user.a one", true},
    {"empty_file", "p/o", "put p/o"},
    {"directory", "p/o", "mkdir p/o 0755 ; setxattr p/o user.a one", true},
    {"full_directory", "p/o", "mkdir p/o 0755 ; put p/o/below text"},
    {"link_to_file", "p/o", "put p/f text ; setxattr p/f user.a one ; symlink f p/o", true},
    {"link_to_directory", "p/o", "mkdir p/d 0755 ; put p/d/below text ; symlink d p/o"},
    {"broken_link", "p/o", "symlink nowhere p/o", true},
    {"looping_link", "p/o", "symlink o p/o"},
    {"pipe", "p/o", "mkfifo p/o 0644", true},
    {"socket", "p/o", "mknod p/o socket 0755"},
    {"device", "p/o", "mknod p/o null 0666", true},
    {"missing", "p/o", "", true},
    {"file_with_slash", "p/o/", "put p/o text"},
    {"directory_with_slash", "p/o/", "mkdir p/o 0755 ; put p/o/below text"},
    {"link_with_slash", "p/o/", "mkdir p/d 0755 ; put p/d/below text ; symlink d p/o"},
    {"missing_with_slash", "p/o/", ""},
    {"dot", "p/.", ""},
    {"dot_dot", "p/o/..", "mkdir p/o 0755"},
    {"below_a_file", "p/f/o", "put p/f text"},
    {"below_nothing", "p/d/o", ""},
    {"below_a_loop", "p/l/o", "symlink l p/l"},
    {"too_long_a_name", "p/<n*256>", ""},
    {"too_long_a_path", "<./*2048>o", ""},
};

// ---- who acts on whose

/// p is the directory that holds p/o; "user group mode" of both.
struct Situation {
  const char* name;
  const char* caller;
  const char* parent;
  const char* object;
};

constexpr Situation kSituations[] = {
    {"owner", "alice", "alice alice 0755", "alice alice 0754"},
    {"owner_without_rights", "alice", "alice alice 0755", "alice alice 0077"},
    {"owner_below_read_only", "alice", "alice alice 0555", "alice alice 0644"},
    {"owner_below_no_search", "alice", "alice alice 0644", "alice alice 0644"},
    {"owner_of_set_id", "alice", "alice alice 02755", "alice team 06755"},
    {"foreign_group_set_id", "alice", "alice alice 0755", "alice club 02755"},
    {"mate", "bob", "alice team 0770", "alice team 0670"},
    {"mate_without_rights", "bob", "alice team 0707", "alice team 0707"},
    {"mate_who_reads", "bob", "alice team 0751", "alice team 0640"},
    {"mate_in_setgid", "bob", "root team 02775", "alice team 0664"},
    {"stranger", "carol", "alice alice 0755", "alice alice 0644"},
    {"stranger_welcome", "carol", "alice alice 0777", "alice alice 0777"},
    {"stranger_by_name", "carol", "alice alice 0711", "alice alice 0711"},
    {"stranger_shut_out", "carol", "alice alice 0700", "alice alice 0777"},
    {"stranger_of_roots", "carol", "root root 0755", "root root 0644"},
    {"sticky_foreign", "bob", "alice team 01777", "alice team 0777"},
    {"sticky_own", "bob", "alice team 01777", "bob bob 0755"},
    {"root_despite_modes", "root", "alice alice 0000", "alice alice 0000"},
};

/// What is there in a situation. p/n is not.
constexpr Object kOwned[] = {
    {"file", "p/o", "put p/o text ; setxattr p/o user.a one"},
    {"directory", "p/o", "mkdir p/o 0755 ; put p/o/below text ; setxattr p/o user.a one"},
    {"nothing", "p/n", "put p/o text"},
};

// ---- descriptors

/// From then on f is a descriptor of o.
struct Descriptor {
  const char* name;
  const char* opened;
};

constexpr Descriptor kDescriptors[] = {
    {"read_only", "put o #9000 ; open f o O_RDONLY"},
    {"write_only", "put o #9000 ; open f o O_WRONLY"},
    {"read_write", "put o #9000 ; open f o O_RDWR"},
    {"append", "put o #9000 ; open f o O_RDWR|O_APPEND"},
    {"synchronous", "put o #9000 ; open f o O_RDWR|O_SYNC"},
    {"empty", "put o ; open f o O_RDWR"},
    {"just_created", "open f o O_RDWR|O_CREAT|O_EXCL 0600"},
    {"created_without_rights", "open f o O_RDWR|O_CREAT 0000"},
    {"renamed", "put o #9000 ; open f o O_RDWR ; rename o q"},
    {"unlinked", "put o #9000 ; open f o O_RDWR ; unlink o"},
    {"unlinked_read_only", "put o #9000 ; open f o O_RDONLY ; unlink o"},
    {"replaced", "put o #9000 ; open f o O_RDWR ; put n stranger ; rename n o"},
    {"stranger_in_place", "put o #9000 ; open f o O_RDWR ; unlink o ; put o stranger"},
    {"path_only", "put o #9000 ; open f o O_PATH"},
    {"link_itself", "symlink o o ; open f o O_PATH|O_NOFOLLOW"},
    {"directory", "mkdir o 0755 ; put o/x text ; open f o O_RDONLY|O_DIRECTORY"},
    {"directory_path", "mkdir o 0755 ; open f o O_PATH|O_DIRECTORY"},
    {"removed_directory", "mkdir o 0755 ; open f o O_RDONLY|O_DIRECTORY ; rmdir o"},
    {"pipe", "mkfifo o 0644 ; open f o O_RDWR|O_NONBLOCK"},
    {"device", "mknod o null 0666 ; open f o O_RDWR"},
    {"closed", "put o #9000 ; open f o O_RDWR ; close f"},
};

constexpr Operation kOnDescriptors[] = {
    {"fstat", "fstat f"},
    {"read", "read f 100 ; read f 10000 ; read f 1 ; read f 0"},
    {"pread", "pread f 100 8950 ; pread f 1 -1 ; pread f 10 9000000000000000000"},
    {"readv", "readv f 1 4096 3 ; readv f 0 10"},
    {"preadv", "preadv f 10 5 ; preadv f 10 5 hipri"},
    {"write", "write f hello ; write f \\e ; fstat f"},
    {"pwrite", "pwrite f #5000@1 8000 ; pwrite f x -1 ; fstat f ; pread f 100 7950"},
    {"writev", "writev f one \\e #4096 three ; fstat f"},
    {"pwritev", "pwritev f end 0 append ; pwritev f start 0 dsync ; pwritev f on -1 ; fstat f"},
    {"write_directly", "write_directly f #4096@7 4096 ; fstat f ; read_directly f 8192 0"},
    {"seek",
     "seek f 10 set ; seek f 5 current ; seek f -1 end ; seek f -100000 current ; read f 3"},
    {"seek_data", "seek f 0 data ; seek f 0 hole ; seek f 9000 data ; seek f 100000 hole"},
    {"ftruncate",
     "ftruncate f 100 ; fstat f ; ftruncate f 20000 ; fstat f ; pread f 5 19990 ; "
     "ftruncate f -1"},
    {"fchmod", "fchmod f 0640 ; fstat f ; chmod_by_proc f 0604 ; fstat f"},
    {"fchown", "fchown f alice team ; fstat f ; fchown f - - ; fstat f"},
    {"futimens", "futimens f 1000.5 2000.25 ; ftimes f ; futimens f omit 7 ; ftimes f"},
    {"fsync", "fsync f ; fdatasync f"},
    {"syncfs", "syncfs f ; sync_range f 0 4096"},
    {"advise", "advise f willneed ; advise f dontneed ; advise f random"},
    {"allocate", "allocate f none 0 20000 ; fstat f ; allocate f keep 0 30000 ; fstat f"},
    {"punch", "allocate f punch 1000 2000 ; pread f 4000 0 ; allocate f zero 0 500 ; fstat f"},
    {"allocate_wrongly", "allocate f none -1 5 ; allocate f none 0 0 ; allocate f collapse 0 1"},
    {"copy_range", "put g #3000 ; open g g O_RDWR ; copy_range f g 100000 ; cat g"},
    {"copy_range_into", "put g #3000@5 ; open g g O_RDONLY ; copy_range g f 100000 ; fstat f"},
    {"send_file", "open g g O_WRONLY|O_CREAT 0644 ; send_file f g 100000 ; cat g"},
    {"send_file_into", "put g #3000@5 ; open g g O_RDONLY ; send_file g f 100000 ; fstat f"},
    {"splice", "open g g O_WRONLY|O_CREAT 0644 ; splice f g 5000 ; cat g"},
    {"splice_into", "put g #3000@5 ; open g g O_RDONLY ; splice g f 5000 ; fstat f"},
    {"map", "map f 10 mapped ; pread f 20 5 ; map f 4090 across"},
    {"map_privately", "map_privately f 10 mine ; pread f 20 5"},
    {"mapped", "mapped f 0 10 ; mapped f 8990 10 ; mapped f 20000 1"},
    {"can_map",
     "can_map f read shared ; can_map f write shared ; can_map f read|write private ; "
     "can_map f read|exec private"},
    {"getdents", "getdents f"},
    {"fchdir", "fchdir f ; stat . ; getcwd"},
    {"at", "open_at g f x O_RDONLY ; mkdir_at f y 0755 ; stat_at f x ; unlink_at f x"},
    {"flock", "flock f sh|nb ; flock f ex|nb ; flock f un ; flock f sh|ex|nb"},
    {"lock", "lock f read 0 10 ; lock f write 5 0 ; test_lock f write 0 0 ; lock f none 0 0"},
    {"ofd_lock", "ofd_lock f write 0 10 ; test_ofd_lock f write 0 0 ; ofd_lock f none 0 0"},
    {"xattr", "fsetxattr f user.a one ; fgetxattr f user.a ; fremovexattr f user.a"},
    {"fstatfs", "fstatfs f"},
    {"reopen", "reopen g f O_RDWR|O_NONBLOCK ; fstat g ; reopen h f O_RDONLY|O_TRUNC ; fstat h"},
    {"link_file", "link_file f linked ; stat linked"},
    {"setfl",
     "setfl f O_APPEND|O_NONBLOCK ; getfl f ; pwrite f appended 0 ; setfl f O_RDONLY ; getfl f"},
    {"ioctl", "ioctl f"},
    {"dup", "dup f g ; write f one ; write g two ; seek g 0 current ; close f ; fstat g"},
};

// ---- making cases

constexpr std::string_view kParent = "mkdir p 0755 ; ";

std::string with_path(const Operation& operation, const char* path) {
  std::string script;
  for (const char c : std::string_view(operation.script))
    script += c == '@' ? std::string(path) : std::string(1, c);
  return script;
}

std::string name_of(const char* operation, const std::string& object) {
  return std::string(operation) + '.' + object;
}

std::string joined(const std::string& first, const std::string& second) {
  return first + " ; " + second;
}

/// "chown p alice team ; chmod p 0755" for "alice team 0755": the mode last, for chown clears bits.
std::string owned(const std::string& path, const std::string& owner) {
  const auto mode = owner.rfind(' ');
  return "chown " + path + ' ' + owner.substr(0, mode) + " ; chmod " + path + owner.substr(mode);
}

/// As root, with what the kernel has seen before: the object is made through the mount.
void add_objects(std::span<const Operation> operations, std::vector<Case>& cases) {
  for (const Operation& operation : operations) {
    for (const Object& object : kObjects) {
      const std::string made = std::string(kParent) + object.made;
      cases.push_back({name_of(operation.name, object.name), Place::ordinary, "",
                       joined(made, with_path(operation, object.path))});
    }
  }
}

/// As each user. Once with nothing known, once behind root, who has seen everything.
void add_situations(std::span<const Operation> operations, std::vector<Case>& cases) {
  for (const Situation& situation : kSituations) {
    const std::string as_caller = std::string("as ") + situation.caller;
    for (const Object& object : kOwned) {
      std::string made = std::string(kParent) + object.made;
      made = joined(made, owned("p/o", situation.object));
      made = joined(made, owned("p", situation.parent));
      for (const Operation& operation : operations) {
        if (!operation.makes && std::string_view(object.path) == "p/n")
          continue;
        const std::string once = joined(as_caller, with_path(operation, object.path));
        const std::string seen = "as root ; stat p/o ; ls p ; stat p/o/below";
        cases.push_back({name_of(operation.name, object.name + ("." + std::string(situation.name))),
                         Place::ordinary, made, joined(joined(once, seen), once)});
      }
    }
  }
}

void add_descriptors(std::vector<Case>& cases) {
  for (const Descriptor& descriptor : kDescriptors) {
    for (const Operation& operation : kOnDescriptors) {
      cases.push_back({name_of(operation.name, std::string("fd_") + descriptor.name),
                       Place::ordinary, "", joined(descriptor.opened, operation.script)});
    }
  }
}

/// Everything that would change something, on a file system that can't be changed.
void add_read_only(std::span<const Operation> operations, std::vector<Case>& cases) {
  for (const Operation& operation : operations) {
    for (const Object& object : kObjects) {
      if (!object.on_read_only)
        continue;
      const std::string made = std::string(kParent) + object.made + " ; put other x ; put linked y";
      cases.push_back({name_of(operation.name, object.name + std::string(".read_only")),
                       Place::read_only, made, with_path(operation, object.path)});
    }
  }
}

}  // namespace

std::vector<Case> cases_of_tables() {
  std::vector<Case> cases;
  for (const std::span<const Operation> operations :
       {std::span<const Operation>(kLooks), std::span<const Operation>(kChanges)}) {
    add_objects(operations, cases);
    add_situations(operations, cases);
  }
  add_descriptors(cases);
  add_read_only(kChanges, cases);
  return cases;
}

}  // namespace fuse9p::test::parity
