// Real journals in temporary directories, and a disk that fills up when a test says so.
#pragma once

#include <memory>
#include <string>

#include "hub/journal/rocksdb/rocksdb_journal.h"

namespace oltp20::hub::testing {

// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Opens the journal of "eu-west" with true randomness. Fails the test on an error.
std::unique_ptr<Journal> open_journal(const std::string& directory, rocksdb::Env* env = nullptr);

// The machine's disk, but while `full` is set, writing to the log fails as a full disk does.
class FillableDisk {
 public:
  FillableDisk();
  ~FillableDisk();
  void set_full(bool full);
  rocksdb::Env* env();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace oltp20::hub::testing
