// SPDX-License-Identifier: MIT
#include "fuse/handle_table.hpp"

#include "fuse/hidden_links.hpp"

namespace fuse9p::fs {

KeptOpen::KeptOpen(NodeRef node, HiddenLinks& hidden) : node_(std::move(node)), hidden_(hidden) {
  ++node_->open_handles;
}

KeptOpen::~KeptOpen() {
  if (--node_->open_handles == 0 && node_->hidden)
    hidden_.closed(node_);
}

}  // namespace fuse9p::fs
