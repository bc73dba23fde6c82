// SPDX-License-Identifier: MIT
// Boost.JSON's body, compiled once.
#include <boost/json/src.hpp>
