#include "hub/journal/rocksdb/store.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <filesystem>

#include "hub/journal/origin_seal.h"
#include "hub/journal/rocksdb/disk_full.h"

namespace oltp20::hub::store {
namespace {

namespace fs = std::filesystem;

// RocksDB's own log is a file; read-only opening must not leave one.
class SilentLogger final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Options engine_options(const StoreOptions& options, Store::Mode mode) {
  rocksdb::Options engine;
  engine.create_if_missing = mode == Store::Mode::read_write;
  engine.write_buffer_size = options.write_buffer_bytes;
  engine.max_write_buffer_number = 3;
  engine.max_background_jobs = 2;
  engine.keep_log_file_num = 4;
  engine.max_log_file_size = 1 << 20;
  engine.info_log_level = rocksdb::WARN_LEVEL;
  // The default would drop, without a word, everything behind a flipped bit in the log.
  engine.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  if (options.env) engine.env = options.env;
  if (mode == Store::Mode::read_only) engine.info_log = std::make_shared<SilentLogger>();
  return engine;
}

// Without its CURRENT file RocksDB would take the rest for leftovers and begin anew.
bool has_data_without_current(const fs::path& db) {
  std::error_code error;
  if (!fs::exists(db, error) || fs::exists(db / "CURRENT", error)) return false;
  for (const fs::directory_entry& file : fs::directory_iterator(db, error)) {
    fs::path extension = file.path().extension();
    if (extension == ".sst" || extension == ".log") return true;
  }
  return false;
}

bool is_disk_full(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return true;
  std::string text = status.ToString();
  for (const char* sign : {"No space left", "File too large", "quota exceeded"})
    if (text.find(sign) != std::string::npos) return true;
  return false;
}

// RocksDB names the table file of a bad block, but not the log file of a bad record.
std::string suspects(const std::string& text, const fs::path& db) {
  if (text.find(".sst") != std::string::npos || text.find("MANIFEST") != std::string::npos)
    return text;
  std::string logs;
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(db, error))
    if (file.path().extension() == ".log") logs += " " + file.path().string();
  return logs.empty() ? text : text + "; log files:" + logs;
}

}  // namespace

Store::Store(StoreOptions options) : options_(std::move(options)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, Mode mode) {
  std::unique_ptr<Store> store(new Store(options));
  fs::path db = fs::path(options.directory) / "db";
  if (has_data_without_current(db))
    return store->unreadable((db / "CURRENT").string() + " is missing beside data files");
  rocksdb::Options engine = engine_options(options, mode);
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = mode == Mode::read_write
                               ? rocksdb::DB::Open(engine, db.string(), &opened)
                               : rocksdb::DB::OpenForReadOnly(engine, db.string(), &opened);
  if (!status.ok()) return store->translate(status, "opening it");
  store->db_.reset(opened);
  return store;
}

Status Store::unreadable(const std::string& why) const {
  return Status(Code::corrupt,
                "the journal in " + options_.directory + " cannot be read: " + why +
                    ". Nothing was deleted. Run `oltp20-hub verify --config FILE` to see what is "
                    "damaged; to go on, move the directory aside: the hub then begins a new "
                    "incarnation and the origins send again what is still needed");
}

Status Store::translate(const rocksdb::Status& status, std::string_view doing) const {
  std::string text = status.ToString();
  if (status.IsCorruption()) return unreadable(suspects(text, fs::path(options_.directory) / "db"));
  std::string where = "the journal in " + options_.directory + ", " + std::string(doing) + ": ";
  if (is_disk_full(status))
    return Status(Code::exhausted, where + "the disk or its quota is full (" + text + "). " +
                                       std::string(kDiskFullRemedy));
  if (status.IsIOError())
    return Status(Code::unavailable, where + text + "; check the disk and the directory's owner");
  return Status(Code::internal, where + text);
}

Result<std::optional<std::string>> Store::get(const std::string& key) const {
  std::string value;
  rocksdb::Status status = db_->Get({}, key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return unreadable(status.ToString());
  return std::optional(std::move(value));
}

Result<std::optional<Meta>> Store::meta() const {
  Result<std::optional<std::string>> bytes = get(meta_key());
  if (!bytes) return bytes.status();
  if (!*bytes) {
    std::unique_ptr<rocksdb::Iterator> any(db_->NewIterator({}));
    any->SeekToFirst();
    if (any->Valid() || !any->status().ok()) return unreadable("its format record is missing");
    return std::optional<Meta>();
  }
  Result<Meta> meta = decode_meta(**bytes);
  if (!meta) return unreadable(meta.status().message());
  if (meta->version != kFormatVersion)
    return Status(Code::invalid, "the journal in " + options_.directory + " has format " +
                                     std::to_string(meta->version) +
                                     "; this program reads format " +
                                     std::to_string(kFormatVersion) +
                                     ": start the newer program that wrote it, or give this one an "
                                     "empty [hub] data_dir");
  return std::optional(std::move(*meta));
}

Result<std::vector<Life>> Store::lives() const {
  std::vector<Life> lives;
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  const char space = static_cast<char>(Space::life);
  for (it->Seek({&space, 1}); it->Valid() && it->key()[0] == space; it->Next()) {
    Result<Life> life = decode_life(it->key().ToStringView(), it->value().ToStringView());
    if (!life) return unreadable(life.status().message());
    lives.push_back(std::move(*life));
  }
  if (!it->status().ok()) return unreadable(it->status().ToString());
  if (lives.empty()) return unreadable("the record of its incarnation is missing");
  return lives;
}

Result<std::optional<StreamState>> Store::state(const std::string& hub, const Life& life) const {
  StreamState state = StreamState::start(hub, life.incarnation, life.parent);
  Result<std::optional<std::string>> head_bytes = get(prefix(Space::head, life.no));
  if (!head_bytes) return head_bytes.status();
  if (!*head_bytes) return std::optional<StreamState>();
  Result<std::optional<std::string>> first_bytes = get(prefix(Space::first, life.no));
  if (!first_bytes) return first_bytes.status();
  if (!*first_bytes) return unreadable("the record of its first entry is missing");
  Result<Head> head = decode_head(**head_bytes);
  Result<Place> before_first = decode_place(**first_bytes);
  if (!head) return unreadable(head.status().message());
  if (!before_first) return unreadable(before_first.status().message());
  state.head.lsn = head->place.lsn;
  state.head.hash = head->place.hash;
  state.first_lsn = before_first->lsn + 1;
  state.before_first = before_first->hash;
  OLTP20_TRY(load_origins(life, &state));
  if (state.origins_digest != head->origins_digest)
    return unreadable(
        "its origins' records are not those of its head: one was changed, removed or put back");
  OLTP20_TRY(check_head(life, state));
  return std::optional(std::move(state));
}

Status Store::load_origins(const Life& life, StreamState* state) const {
  std::string end = prefix(Space::origin, life.no + 1);
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  for (it->Seek(prefix(Space::origin, life.no)); it->Valid() && it->key().compare(end) < 0;
       it->Next()) {
    Result<OriginRecord> record =
        decode_origin(life.no, it->key().ToStringView(), it->value().ToStringView());
    if (!record) return unreadable(record.status().message());
    OriginState& origin = record->state;
    if (!record->is_intact() || origin.lsn > state->head.lsn)
      return unreadable("the record of origin " + origin.origin + " in epoch " +
                        to_hex(origin.life.id) + " was changed");
    add_seal(&state->origins_digest, record->seal);
    OriginEpoch key{origin.origin, origin.life.id};
    state->origins.emplace(std::move(key), std::move(origin));
  }
  return it->status().ok() ? Status() : unreadable(it->status().ToString());
}

Status Store::check_head(const Life& life, const StreamState& state) const {
  if (state.head.lsn > 0) {
    Result<Entry> last = entry(life.no, state.head.lsn);
    if (!last) return last.status();
    if (last->stream != state.head.hash)
      return unreadable("its head record and its last entry contradict each other");
  }
  std::unique_ptr<rocksdb::Iterator> behind(db_->NewIterator({}));
  behind->Seek(lsn_key(Space::entry, life.no, state.head.lsn + 1));
  if (!behind->status().ok()) return unreadable(behind->status().ToString());
  if (behind->Valid() && behind->key().compare(prefix(Space::entry, life.no + 1)) < 0)
    return unreadable("there are entries behind its head, " + std::to_string(state.head.lsn));
  return {};
}

Result<Entry> Store::entry(LifeNo life, Lsn lsn) const {
  Result<std::optional<std::string>> bytes = get(lsn_key(Space::entry, life, lsn));
  if (!bytes) return bytes.status();
  if (!*bytes) return unreadable("entry " + std::to_string(lsn) + " is missing");
  Result<Entry> entry = decode_entry(**bytes);
  if (!entry) return unreadable("entry " + std::to_string(lsn) + ": " + entry.status().message());
  return entry;
}

// Two looks for each (origin, epoch) that has parts, however many those are.
Status Store::drop_orphans(const Life& life, const StreamState& state,
                           rocksdb::WriteBatch* batch) const {
  std::string all_end = prefix(Space::part, life.no + 1);
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  it->Seek(prefix(Space::part, life.no));
  while (it->Valid() && it->key().compare(all_end) < 0) {
    Result<OriginEpoch> origin = origin_of_part(it->key().ToStringView());
    if (!origin) return unreadable(origin.status().message());
    std::string begin = part_key(life.no, *origin, state.first_orphan(*origin), 0);
    std::string end = parts_end(life.no, *origin);
    if (it->key().compare(end) >= 0) return unreadable("a part has a seq beyond every limit");
    it->Seek(begin);
    if (it->Valid() && it->key().compare(end) < 0) {
      batch->DeleteRange(begin, end);
      it->Seek(end);
    }
  }
  return it->status().ok() ? Status() : unreadable(it->status().ToString());
}

Status Store::write(rocksdb::WriteBatch* batch, std::string_view doing) const {
  rocksdb::WriteOptions options;
  options.sync = true;
  rocksdb::Status status = db_->Write(options, batch);
  return status.ok() ? Status() : translate(status, doing);
}

std::uint64_t Store::bytes() const {
  std::uint64_t files = 0, memory = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kLiveSstFilesSize, &files);
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memory);
  return files + memory;
}

}  // namespace oltp20::hub::store
