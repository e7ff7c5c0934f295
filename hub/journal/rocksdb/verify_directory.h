// Offline verification of a journal directory: `oltp20-hub verify`. Changes nothing in it.
#pragma once

#include <string>
#include <vector>

#include "hub/journal/verify.h"

namespace rocksdb {
class Env;
}

namespace oltp20::hub {

struct DirectoryReport {
  std::string hub;
  std::vector<VerifyReport> incarnations;  // whose entries are still there; the current one last
  // What is to be known and is no finding: a loss that was noticed when it happened.
  std::vector<std::string> notes;

  bool is_sound() const;
};

// Checks all incarnations, the head record and the witness.
// Errors: conflict (a hub is running on it), not_found, invalid (another format version), corrupt
// (it does not even open; the sentence names the file).
Result<DirectoryReport> verify_directory(const std::string& directory, VerifyProgress progress);

}  // namespace oltp20::hub
