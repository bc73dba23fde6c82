// SPDX-License-Identifier: MIT
// What is printed about the command line, made from the table of options.
#pragma once

#include <string>

namespace fuse9p {

/// Two lines to print behind an error.
[[nodiscard]] std::string usage();

/// All of --help, wrapped at 80 columns.
[[nodiscard]] std::string help_text();

}  // namespace fuse9p
