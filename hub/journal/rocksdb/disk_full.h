// What a person is told when the disk under a journal is full.
#pragma once

#include <string_view>

namespace oltp20::hub::store {

// A hub that was ended while it was full needs space to start, so a lower limit alone cannot help:
// what it would let go is let go by a hub that runs.
constexpr std::string_view kDiskFullRemedy =
    "Free or add space on the filesystem of [hub] data_dir; nothing is lost: what is not in the "
    "journal is kept by its origin. So that it does not fill again, lower [journal] max_bytes";

}  // namespace oltp20::hub::store
