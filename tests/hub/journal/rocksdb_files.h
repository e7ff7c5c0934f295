// Damage, done to a closed journal's real files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hub/journal/journal.h"

namespace oltp20::hub::testing {

// The newest write-ahead log of the journal in `directory`.
std::string newest_log(const std::string& directory);
// A table file; empty when there is none.
std::string some_table(const std::string& directory);
void flip_bit(const std::string& file, std::uint64_t offset);
void cut_file(const std::string& file, std::uint64_t bytes_off_the_end);
std::uint64_t file_size(const std::string& file);
// All file names with their sizes and contents' hash, to see whether anything changed.
std::string fingerprint(const std::string& directory);

// Reads and writes records as RocksDB stores them, past all our checks.
std::optional<std::string> raw_get(const std::string& directory, const std::string& key);
void raw_put(const std::string& directory, const std::string& key, const std::string& value);
void raw_delete(const std::string& directory, const std::string& key);

// Both of the first incarnation, with seal and digest as if a hub had written them.
void put_head(const std::string& directory, Lsn lsn, const Hash& stream);
// The record of its first origin.
void put_origin(const std::string& directory, const std::function<void(OriginState&)>& change);
OriginState get_origin(const std::string& directory);
// Moves everything from the log into table files.
void flush_tables(const std::string& directory);

}  // namespace oltp20::hub::testing
