// SPDX-License-Identifier: MIT
// The one precompiled header: what nearly every file of src/ and fuse/ compiles anyway.
#pragma once
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>
