#include "tests/hub/journal/rocksdb_files.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "common/wire/sha256.h"
#include "hub/journal/origin_seal.h"
#include "hub/journal/rocksdb/keys.h"

namespace oltp20::hub::testing {
namespace {

namespace fs = std::filesystem;

std::string newest(const std::string& directory, const std::string& extension) {
  std::string name;
  for (const fs::directory_entry& file : fs::directory_iterator(fs::path(directory) / "db"))
    if (file.path().extension() == extension) name = std::max(name, file.path().string());
  return name;
}

std::unique_ptr<rocksdb::DB> open_raw(const std::string& directory) {
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open({}, directory + "/db", &db);
  if (!status.ok()) {
    ADD_FAILURE() << status.ToString();
    std::abort();
  }
  return std::unique_ptr<rocksdb::DB>(db);
}

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

std::string newest_log(const std::string& directory) {
  return newest(directory, ".log");
}

std::string some_table(const std::string& directory) {
  return newest(directory, ".sst");
}

void flip_bit(const std::string& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  char byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
  ASSERT_TRUE(stream.good()) << file;
}

void cut_file(const std::string& file, std::uint64_t bytes_off_the_end) {
  fs::resize_file(file, fs::file_size(file) - bytes_off_the_end);
}

std::uint64_t file_size(const std::string& file) {
  return fs::file_size(file);
}

std::string fingerprint(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(directory)) {
    if (!file.is_regular_file()) continue;
    Sha256 sha;
    sha.update(contents(file.path()));
    files[file.path().string()] = to_hex(sha.finish());
  }
  std::string all;
  for (const auto& [name, hash] : files) all += name + " " + hash + "\n";
  return all;
}

std::optional<std::string> raw_get(const std::string& directory, const std::string& key) {
  std::string value;
  rocksdb::Status status = open_raw(directory)->Get({}, key, &value);
  return status.ok() ? std::optional(value) : std::nullopt;
}

void raw_put(const std::string& directory, const std::string& key, const std::string& value) {
  rocksdb::Status status = open_raw(directory)->Put({}, key, value);
  ASSERT_TRUE(status.ok()) << status.ToString();
}

void raw_delete(const std::string& directory, const std::string& key) {
  rocksdb::Status status = open_raw(directory)->Delete({}, key);
  ASSERT_TRUE(status.ok()) << status.ToString();
}

namespace {

store::Head head_of(const std::string& directory) {
  return *store::decode_head(raw_get(directory, store::prefix(store::Space::head, 1)).value());
}
void write_head(const std::string& directory, const store::Head& head) {
  raw_put(directory, store::prefix(store::Space::head, 1), store::encode_head(head));
}

}  // namespace

void put_head(const std::string& directory, Lsn lsn, const Hash& stream) {
  store::Head head = head_of(directory);
  head.place = {lsn, stream};
  write_head(directory, head);
}

OriginState get_origin(const std::string& directory) {
  std::unique_ptr<rocksdb::DB> db = open_raw(directory);
  std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
  it->Seek(store::prefix(store::Space::origin, 1));
  return store::decode_origin(1, it->key().ToStringView(), it->value().ToStringView())->state;
}

void put_origin(const std::string& directory, const std::function<void(OriginState&)>& change) {
  OriginState state = get_origin(directory);
  store::Head head = head_of(directory);
  remove_seal(&head.origins_digest, origin_seal(state));
  std::string key = store::origin_key(1, {state.origin, state.life.id});
  change(state);
  add_seal(&head.origins_digest, origin_seal(state));
  raw_put(directory, key, store::encode_origin(state));
  write_head(directory, head);
}

void flush_tables(const std::string& directory) {
  rocksdb::Status status = open_raw(directory)->Flush({});
  ASSERT_TRUE(status.ok()) << status.ToString();
}

}  // namespace oltp20::hub::testing
