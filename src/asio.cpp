// SPDX-License-Identifier: MIT
// Asio's body, compiled once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
