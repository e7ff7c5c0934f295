// policy.toml: the file behind a Policy.
#pragma once

#include <filesystem>
#include <memory>

#include "common/base/status.h"
#include "hub/core/policy.h"

namespace oltp20::hub {

// Nothing overrides a policy but its file. A file without rules denies everything. Errors:
// not_found when there is no such file; invalid with every problem of the file, one a line.
Result<std::shared_ptr<const Policy>> load_policy(const std::filesystem::path& file);

}  // namespace oltp20::hub
