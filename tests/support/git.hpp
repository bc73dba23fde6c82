// SPDX-License-Identifier: MIT
// git in tests: the same on every machine.
#pragma once

namespace fuse9p::test {

/// Lines of sh: what git reads of its user, and nothing of the machine's.
inline constexpr const char* kGit = R"sh(
    export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=4
    export GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=test
    export GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=test@example.com
    export GIT_CONFIG_KEY_2=init.defaultBranch GIT_CONFIG_VALUE_2=main
    export GIT_CONFIG_KEY_3=safe.directory GIT_CONFIG_VALUE_3='*'
)sh";

}  // namespace fuse9p::test
