// The witness: a small file beside the store that remembers how far entries were acknowledged.
//
// The store opens after a torn tail and cannot tell whether what was torn off had been
// acknowledged. The witness can: it is written after each group's fsync, so it is never ahead of
// what was durable. Two slots alternate, so that a torn write leaves the other one. It survives the
// end of the process at any moment; sync() makes it survive the machine's, and may lag.
//
// Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "common/base/status.h"
#include "hub/journal/journal.h"

namespace oltp20::hub::store {

class Witness {
 public:
  // Opens the file, or creates it empty. Errors: unavailable, with the path.
  static Result<Witness> open(const std::string& path);
  // What the file at `path` says, without opening it for writing; nullopt when nothing valid.
  static std::optional<StreamPosition> peek(const std::string& path);

  Witness(Witness&& other) noexcept;
  ~Witness();

  // The newest valid slot; nullopt: none, or the file is new.
  const std::optional<StreamPosition>& last() const { return last_; }
  Status write(const StreamPosition& head);
  Status sync();

 private:
  Witness(int file, std::string path) : file_(file), path_(std::move(path)) {}
  void load();
  Status failed(const char* doing) const;

  int file_;
  std::string path_;
  std::uint64_t generation_ = 0;
  std::optional<StreamPosition> last_;
};

// Keeps other processes out of a directory for as long as it lives.
class DirectoryLock {
 public:
  // Errors: conflict, when somebody holds it; unavailable.
  static Result<DirectoryLock> take(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int file) : file_(file) {}
  int file_;
};

}  // namespace oltp20::hub::store
