// SPDX-License-Identifier: MIT
// Identity: is the file that the server has under a name one that we know already? Its qid does not
// say so: most servers make qid.path of the inode number alone, so two files of two file systems
// may share it, and a new file gets the number of one that was removed. So a name belongs to a node
// that is known by it if the answer can be about the same file (NodeTable::update); to a node that
// is known by other names if both have several links and the server, asked about both of them now,
// says the same of both in everything; and else to a new node.
#pragma once

#include "fuse/mount.hpp"

#include <string>

namespace fuse9p::fs {

/// The node for what the server says is there. `fid` was walked to it; it may be asked again, since
/// the file may be changing while its names are compared. Errors: an interrupt only.
awaitable<result<NodeRef>> identify(Mount& mount, UserId user, NodeRef parent, std::string name,
                                    Attributes attributes, proto::Fid fid);
/// The same without asking anybody: not the node of another name, unless it is `twin`. As long as a
/// change of the name that was given up may still land, the kernel is to ask again.
NodeRef remember(Mount& mount, const NodeRef& parent, const std::string& name,
                 const Attributes& attributes, Node* twin = nullptr);
/// The server does not have the name, or it is a file now that was just made: what was known by it
/// has lost it.
void forget_name(Mount& mount, Node& parent, std::string_view name);

}  // namespace fuse9p::fs
