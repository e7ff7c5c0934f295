// Store: the RocksDB database of one journal directory, opened, and its records read back.
//
// The one place where RocksDB's statuses become ours. Knows no stream rule. Reading is thread-safe;
// opening, closing and writing are the owner's. RocksDB's headers stay in .cc files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/journal/rocksdb/keys.h"
#include "hub/journal/stream_state.h"

namespace rocksdb {
class DB;
class Env;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace oltp20::hub::store {

struct StoreOptions {
  std::string directory;  // of the journal; the database is DIRECTORY/db
  std::size_t write_buffer_bytes = 32 << 20;
  rocksdb::Env* env = nullptr;  // nullptr: the machine's own
};

class Store {
 public:
  enum class Mode { read_write, read_only };

  // Read-only changes no file. Errors: corrupt, exhausted, unavailable, each with a remedy.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options, Mode mode);
  ~Store();

  rocksdb::DB& db() const { return *db_; }

  // nullopt: a new, empty store. Errors: invalid (another format version), corrupt.
  Result<std::optional<Meta>> meta() const;
  // All incarnations, the current one last.
  Result<std::vector<Life>> lives() const;
  // nullopt: the entries of this life have been removed. Errors: corrupt.
  Result<std::optional<StreamState>> state(const std::string& hub, const Life& life) const;
  // Errors: corrupt, also when there is no such entry.
  Result<Entry> entry(LifeNo life, Lsn lsn) const;
  Result<std::optional<std::string>> get(const std::string& key) const;

  // Adds to the batch the removal of all parts whose entries never came (journal.h, rule 5).
  Status drop_orphans(const Life& life, const StreamState& state, rocksdb::WriteBatch* batch) const;

  // With fsync. Errors as translate().
  Status write(rocksdb::WriteBatch* batch, std::string_view doing) const;
  // Files and memory, approximately.
  std::uint64_t bytes() const;

  // A RocksDB status other than ok, with the directory and what to do.
  Status translate(const rocksdb::Status& status, std::string_view doing) const;
  // What could not be read is corrupt, whatever the cause (journal.h, rule 4).
  Status unreadable(const std::string& why) const;

 private:
  explicit Store(StoreOptions options);
  Status load_origins(const Life& life, StreamState* state) const;
  Status check_head(const Life& life, const StreamState& state) const;

  StoreOptions options_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace oltp20::hub::store
