// SPDX-License-Identifier: MIT
#include "fuse/synthetic.hpp"

#include <sys/stat.h>

namespace fuse9p::fs {

bool is_marked(const Mount& mount, const Attributes& attributes) {
  constexpr std::uint8_t kMarks = proto::qid_type::kAppend | proto::qid_type::kExclusive;
  return mount.client().capabilities().synthetic_files &&
         ((attributes.qid.type & kMarks) != 0 || attributes.qid.version == 0);
}

bool may_be_synthetic(const Mount& mount, const Attributes& attributes) {
  return attributes.type() == S_IFREG && (attributes.size == 0 || is_marked(mount, attributes));
}

}  // namespace fuse9p::fs
