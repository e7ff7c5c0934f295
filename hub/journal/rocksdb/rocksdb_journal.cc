#include "hub/journal/rocksdb/rocksdb_journal.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <mutex>
#include <shared_mutex>

#include "common/base/check.h"
#include "common/base/mutex.h"
#include "hub/journal/rocksdb/committer.h"
#include "hub/journal/rocksdb/recovery.h"

namespace oltp20::hub {
namespace {

using store::LifeNo;
using store::lsn_key;
using store::prefix;
using store::Space;
using store::Store;

constexpr Micros kWitnessSync = 1 * kSecond;

class RocksJournal final : public Journal {
 public:
  RocksJournal(RocksJournalOptions options, store::DirectoryLock lock, store::Witness witness,
               std::unique_ptr<Store> opened, store::Recovered recovered);
  ~RocksJournal() override;

  JournalInfo info() const override;
  std::vector<OriginState> origins() const override;
  void append(Group group, Done done) override;
  Result<ReadPage> read(ReadCursor from, std::size_t max_bytes) const override;
  Result<Hash> stream_hash_at(Lsn lsn) const override;
  Status trim(Lsn upto) override;
  Status recover() override;

 private:
  struct Bounds {
    Lsn first;
    Lsn head;
  };

  Status commit(std::optional<Group> group);
  Status commit_group(const Group& group);
  void put_group(const Group& group, const StreamState::Plan& plan, rocksdb::WriteBatch* batch);
  void drop_parts(const DropParts& drop, rocksdb::WriteBatch* batch);
  void sync_witness();
  Bounds bounds() const;
  Status gone_or_corrupt(Lsn lsn, const std::string& why) const;
  Status add_item(const EntryPtr& entry, std::size_t entry_bytes, std::size_t max_bytes,
                  std::size_t* bytes, bool* full, ReadPage* page) const;
  Status put_trim(Lsn upto, const Hash& hash, rocksdb::WriteBatch* batch) const;
  void drop_files(Lsn upto) const;
  Status reopen();
  Status roll_back_to_acknowledged() OLTP20_REQUIRES(state_mutex_);

  const RocksJournalOptions options_;
  const LifeNo life_;
  const std::string loss_;
  store::DirectoryLock lock_;
  store::Witness witness_;  // the committer's, and recover()'s while the committer is idle
  Micros witness_synced_us_ = 0;
  bool witness_dirty_ = false;

  // Exclusive: recover() changes the store. Shared: everybody who uses it. Before state_mutex_.
  mutable std::shared_mutex store_mutex_;
  std::unique_ptr<Store> store_;  // null, or read-only, only after a recover() that failed

  mutable Mutex state_mutex_;
  StreamState state_ OLTP20_GUARDED_BY(state_mutex_);  // what is durable
  Status failure_ OLTP20_GUARDED_BY(state_mutex_);     // rule 7
  std::optional<Committer> committer_;
};

store::StoreOptions store_options(const RocksJournalOptions& options) {
  return {.directory = options.directory,
          .write_buffer_bytes = options.write_buffer_bytes,
          .env = options.env};
}

RocksJournal::RocksJournal(RocksJournalOptions options, store::DirectoryLock lock,
                           store::Witness witness, std::unique_ptr<Store> opened,
                           store::Recovered recovered)
    : options_(std::move(options)),
      life_(recovered.life),
      loss_(std::move(recovered.loss)),
      lock_(std::move(lock)),
      witness_(std::move(witness)),
      store_(std::move(opened)),
      state_(std::move(recovered.state)) {
  committer_.emplace(
      options_.queue_groups,
      [this](std::optional<Group> group) { return commit(std::move(group)); },
      [this] { sync_witness(); }, kWitnessSync);
}

RocksJournal::~RocksJournal() {
  committer_.reset();
  sync_witness();
}

JournalInfo RocksJournal::info() const {
  std::shared_lock use(store_mutex_);
  MutexLock lock(state_mutex_);
  return {.hub = state_.hub,
          .incarnation = state_.head.incarnation,
          .parent = state_.parent,
          .first_lsn = state_.first_lsn,
          .head = state_.head,
          .bytes = store_ ? store_->bytes() : 0,
          .loss = loss_};
}

std::vector<OriginState> RocksJournal::origins() const {
  MutexLock lock(state_mutex_);
  std::vector<OriginState> out;
  out.reserve(state_.origins.size());
  for (const auto& [key, state] : state_.origins) out.push_back(state);
  return out;
}

// ---- append ------------------------------------------------------------------------------------

void RocksJournal::append(Group group, Done done) {
  committer_->submit(std::move(group), std::move(done));
}

Status RocksJournal::commit(std::optional<Group> group) {
  std::shared_lock use(store_mutex_);
  {
    MutexLock lock(state_mutex_);
    if (!failure_) return failure_.in("the journal takes nothing until it has recovered");
    if (!group) {
      failure_ = Status(Code::exhausted, "more than " + std::to_string(options_.queue_groups) +
                                             " groups wait for the disk of the journal in " +
                                             options_.directory);
      return failure_;
    }
  }
  return commit_group(*group);
}

Status RocksJournal::commit_group(const Group& group) {
  rocksdb::WriteBatch batch;
  StreamState::Plan plan;
  {
    MutexLock lock(state_mutex_);
    Result<StreamState::Plan> planned = state_.plan(group);
    if (!planned) return planned.status();
    plan = std::move(*planned);
  }
  put_group(group, plan, &batch);
  Micros started_us = options_.clock->monotonic_us();
  Status written = store_->write(&batch, "appending");
  Micros took_us = options_.clock->monotonic_us() - started_us;
  if (!written) {
    MutexLock lock(state_mutex_);
    failure_ = written;
    return written;
  }
  Status witnessed = witness_.write(plan.head);
  witness_dirty_ = true;
  {
    MutexLock lock(state_mutex_);
    if (!witnessed) failure_ = witnessed;  // this group is durable; the next would be unwitnessed
    state_.apply(std::move(plan));
  }
  if (options_.clock->monotonic_us() - witness_synced_us_ >= kWitnessSync) sync_witness();
  if (options_.on_commit) options_.on_commit(group.entries.size(), batch.GetDataSize(), took_us);
  return {};
}

void RocksJournal::put_group(const Group& group, const StreamState::Plan& plan,
                             rocksdb::WriteBatch* batch) {
  for (const DropParts& drop : group.drops) drop_parts(drop, batch);
  for (const StoredPart& part : group.parts)
    batch->Put(store::part_key(life_, part.origin, part.seq, part.part_no), part.bytes);
  for (const EntryPtr& entry : group.entries) {
    batch->Put(lsn_key(Space::entry, life_, entry->lsn), encode_entry(*entry));
    if (entry->parts > 1)
      batch->Put(lsn_key(Space::large, life_, entry->lsn),
                 store::encode_large({entry->key(), entry->seq}));
  }
  for (const auto& [key, origin] : plan.origins)
    batch->Put(store::origin_key(life_, key), store::encode_origin(origin));
  if (!group.entries.empty())
    batch->Put(prefix(Space::head, life_),
               store::encode_head({{plan.head.lsn, plan.head.hash}, plan.origins_digest}));
}

void RocksJournal::drop_parts(const DropParts& drop, rocksdb::WriteBatch* batch) {
  Seq from;
  {
    MutexLock lock(state_mutex_);
    from = state_.first_droppable(drop);
  }
  std::string begin = store::part_key(life_, drop.origin, from, 0);
  std::string end = store::parts_end(life_, drop.origin);
  std::unique_ptr<rocksdb::Iterator> any(store_->db().NewIterator({}));
  any->Seek(begin);
  // A range deletion costs every later read of the range: only where there is something.
  if (any->Valid() && any->key().compare(end) < 0) batch->DeleteRange(begin, end);
}

void RocksJournal::sync_witness() {
  witness_synced_us_ = options_.clock->monotonic_us();
  if (!std::exchange(witness_dirty_, false)) return;
  Status synced = witness_.sync();
  if (synced) return;
  MutexLock lock(state_mutex_);
  if (failure_) failure_ = synced;
}

// ---- read --------------------------------------------------------------------------------------

RocksJournal::Bounds RocksJournal::bounds() const {
  MutexLock lock(state_mutex_);
  return {state_.first_lsn, state_.head.lsn};
}

// Between looking at the bounds and reading, trim() may have run.
Status RocksJournal::gone_or_corrupt(Lsn lsn, const std::string& why) const {
  if (Lsn first = bounds().first; lsn < first) return trimmed_away(lsn, first);
  return store_->unreadable("entry " + std::to_string(lsn) + ": " + why);
}

Result<ReadPage> RocksJournal::read(ReadCursor from, std::size_t max_bytes) const {
  std::shared_lock use(store_mutex_);
  if (!store_) return Status(Code::unavailable, "the journal is not open; recover it first");
  Bounds kept = bounds();
  if (from.lsn < kept.first) return trimmed_away(from.lsn, kept.first);
  ReadPage page{.items = {}, .next = from, .at_head = false};
  std::string end = lsn_key(Space::entry, life_, kept.head + 1);
  rocksdb::Slice upper(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> it(store_->db().NewIterator(options));
  std::size_t bytes = 0;
  bool full = false;
  for (it->Seek(lsn_key(Space::entry, life_, from.lsn)); page.next.lsn <= kept.head; it->Next()) {
    Lsn lsn = page.next.lsn;
    if (!it->Valid() && !it->status().ok()) return gone_or_corrupt(lsn, it->status().ToString());
    if (!it->Valid() || store::lsn_of_key(it->key().ToStringView()) != lsn)
      return gone_or_corrupt(lsn, "it is missing");
    Result<Entry> entry = decode_entry(it->value().ToStringView());
    if (!entry) return gone_or_corrupt(lsn, entry.status().message());
    if (entry->lsn != lsn)
      return gone_or_corrupt(lsn, "entry " + std::to_string(entry->lsn) + " is in its place");
    std::size_t entry_bytes = it->value().size();
    OLTP20_TRY(add_item(std::make_shared<const Entry>(std::move(*entry)), entry_bytes, max_bytes,
                        &bytes, &full, &page));
    if (full) return page;
  }
  page.at_head = true;
  return page;
}

Status RocksJournal::add_item(const EntryPtr& entry, std::size_t entry_bytes, std::size_t max_bytes,
                              std::size_t* bytes, bool* full, ReadPage* page) const {
  if (page->next.part_no >= std::max(entry->parts, 1u))
    return no_such_part(*entry, page->next.part_no);
  while (page->next.lsn == entry->lsn) {
    ReadItem item{.entry = entry, .part_no = page->next.part_no, .part = {}};
    if (entry->parts > 1) {
      std::string key = store::part_key(life_, entry->key(), entry->seq, item.part_no);
      Result<std::optional<std::string>> part = store_->get(key);
      if (!part) return gone_or_corrupt(entry->lsn, part.status().message());
      if (!*part)
        return gone_or_corrupt(entry->lsn,
                               "its part " + std::to_string(item.part_no) + " is missing");
      item.part = std::move(**part);
    }
    *bytes += entry_bytes + item.part.size();
    if (!page->items.empty() && *bytes > max_bytes) {
      *full = true;
      return {};
    }
    bool last_part = item.part_no + 1 >= entry->parts;
    page->items.push_back(std::move(item));
    page->next =
        last_part ? ReadCursor{entry->lsn + 1, 0} : ReadCursor{entry->lsn, page->next.part_no + 1};
  }
  return {};
}

Result<Hash> RocksJournal::stream_hash_at(Lsn lsn) const {
  std::shared_lock use(store_mutex_);
  if (!store_) return Status(Code::unavailable, "the journal is not open; recover it first");
  {
    MutexLock lock(state_mutex_);
    if (lsn == state_.head.lsn) return state_.head.hash;
    if (lsn + 1 == state_.first_lsn) return state_.before_first;
    if (lsn < state_.first_lsn) return trimmed_away(lsn, state_.first_lsn);
    if (lsn > state_.head.lsn)
      return Status(Code::not_found, "journal entry " + std::to_string(lsn) +
                                         " does not exist yet; the head is " +
                                         std::to_string(state_.head.lsn));
  }
  Result<Entry> entry = store_->entry(life_, lsn);
  if (!entry) return gone_or_corrupt(lsn, entry.status().message());
  return entry->stream;
}

// ---- trim --------------------------------------------------------------------------------------

Status RocksJournal::trim(Lsn upto) {
  std::shared_lock use(store_mutex_);
  {
    MutexLock lock(state_mutex_);
    if (!failure_) return failure_.in("the journal trims nothing until it has recovered");
    upto = state_.trimmable(upto);
  }
  if (upto == 0) return {};
  Result<Entry> last = store_->entry(life_, upto);
  if (!last) return last.status();
  rocksdb::WriteBatch batch;
  OLTP20_TRY(put_trim(upto, last->stream, &batch));
  {
    // Before the entries go: a reader that misses one must see that it was trimmed.
    MutexLock lock(state_mutex_);
    state_.first_lsn = upto + 1;
    state_.before_first = last->stream;
  }
  if (Status written = store_->write(&batch, "trimming"); !written) {
    MutexLock lock(state_mutex_);
    if (failure_) failure_ = written;
    return written;
  }
  drop_files(upto);
  return {};
}

Status RocksJournal::put_trim(Lsn upto, const Hash& hash, rocksdb::WriteBatch* batch) const {
  batch->Put(prefix(Space::first, life_), store::encode_place({upto, hash}));
  std::string begin = prefix(Space::large, life_), end = lsn_key(Space::large, life_, upto + 1);
  std::unique_ptr<rocksdb::Iterator> it(store_->db().NewIterator({}));
  for (it->Seek(begin); it->Valid() && it->key().compare(end) < 0; it->Next()) {
    Result<store::LargeEntry> large = store::decode_large(it->value().ToStringView());
    if (!large) return store_->unreadable(large.status().message());
    // Everything of this origin up to here: orphans whose seq the stream has passed go with it.
    batch->DeleteRange(store::part_key(life_, large->origin, 0, 0),
                       store::part_key(life_, large->origin, large->seq + 1, 0));
  }
  if (!it->status().ok()) return store_->unreadable(it->status().ToString());
  batch->DeleteRange(begin, end);
  batch->DeleteRange(prefix(Space::entry, life_), lsn_key(Space::entry, life_, upto + 1));
  // Whatever an earlier incarnation left is older than what goes now.
  if (life_ > 1)
    for (Space space : store::kSpacesOfALife)
      batch->DeleteRange(prefix(space, 0), prefix(space, life_));
  return {};
}

// Frees whole files at once instead of waiting for compaction. Only space depends on it.
void RocksJournal::drop_files(Lsn upto) const {
  std::string begin = prefix(Space::entry, 0), end = lsn_key(Space::entry, life_, upto + 1);
  rocksdb::Slice from(begin), to(end);
  rocksdb::DB& db = store_->db();
  (void)rocksdb::DeleteFilesInRange(&db, db.DefaultColumnFamily(), &from, &to, false);
}

// ---- recover -----------------------------------------------------------------------------------

Status RocksJournal::recover() {
  committer_->wait_idle();  // what waits behind the failure is refused first
  std::unique_lock alone(store_mutex_);
  {
    MutexLock lock(state_mutex_);
    if (failure_) return {};
  }
  if (Status reopened = reopen(); !reopened) {
    // What was durable stays readable, if it can be read at all.
    Result<std::unique_ptr<Store>> readable =
        Store::open(store_options(options_), Store::Mode::read_only);
    store_ = readable ? std::move(*readable) : nullptr;
    return reopened;
  }
  MutexLock lock(state_mutex_);
  OLTP20_TRY(roll_back_to_acknowledged());
  OLTP20_TRY(witness_.write(state_.head));
  OLTP20_TRY(witness_.sync());
  failure_ = {};
  return {};
}

// Closing forgets what was only in memory, and opening writes out what is in the log: after it,
// what the store shows is on disk, also where an fsync had failed.
Status RocksJournal::reopen() {
  store_.reset();
  Result<std::unique_ptr<Store>> opened =
      Store::open(store_options(options_), Store::Mode::read_write);
  if (!opened) return opened.status();
  store_ = std::move(*opened);
  return {};
}

// The failed group may be in the log all the same. Nobody was told that it is durable, and nobody
// could read it; it is taken out, so that the stream goes on where its users believe it to be.
Status RocksJournal::roll_back_to_acknowledged() {
  Result<std::vector<store::Life>> lives = store_->lives();
  if (!lives) return lives.status();
  Result<std::optional<StreamState>> disk = store_->state(state_.hub, lives->back());
  if (!disk) return disk.status();
  const StreamPosition& head = state_.head;
  bool kept = lives->back().no == life_ && *disk && (*disk)->head.lsn >= head.lsn;
  if (kept && head.lsn > 0) {
    Result<Entry> last = store_->entry(life_, head.lsn);
    if (!last) return last.status();
    kept = last->stream == head.hash;
  }
  if (!kept)
    return store_->unreadable(
        "acknowledged entries went missing while it was open; restart the "
        "hub, which then begins a new incarnation");
  rocksdb::WriteBatch batch;
  for (Space space : {Space::entry, Space::large})
    batch.DeleteRange(lsn_key(space, life_, head.lsn + 1), prefix(space, life_ + 1));
  for (const auto& [key, origin] : (*disk)->origins)
    if (!state_.origins.contains(key)) batch.Delete(store::origin_key(life_, key));
  for (const auto& [key, origin] : state_.origins)
    batch.Put(store::origin_key(life_, key), store::encode_origin(origin));
  batch.Put(prefix(Space::head, life_),
            store::encode_head({{head.lsn, head.hash}, state_.origins_digest}));
  OLTP20_TRY(store_->drop_orphans(lives->back(), state_, &batch));
  // A trim that failed may have happened or not: as on disk.
  state_.first_lsn = (*disk)->first_lsn;
  state_.before_first = (*disk)->before_first;
  return store_->write(&batch, "recovering");
}

}  // namespace

Result<std::unique_ptr<Journal>> open_rocksdb_journal(RocksJournalOptions options, Random& random) {
  CHECK(!options.directory.empty() && !options.hub.empty() && options.clock);
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error)
    return Status(Code::unavailable, options.directory + " cannot be made (" + error.message() +
                                         "); correct [hub] data_dir or its owner");
  Result<store::DirectoryLock> lock = store::DirectoryLock::take(options.directory);
  if (!lock) return lock.status();
  Result<store::Witness> witness = store::Witness::open(options.directory + "/witness");
  if (!witness) return witness.status();
  Result<std::unique_ptr<Store>> opened =
      Store::open(store_options(options), Store::Mode::read_write);
  if (!opened) return opened.status();
  Result<store::Recovered> recovered =
      store::recover_stream(**opened, *witness, options.hub, options.restored, random);
  if (!recovered) return recovered.status().in(options.directory);
  return std::unique_ptr<Journal>(
      std::make_unique<RocksJournal>(std::move(options), std::move(*lock), std::move(*witness),
                                     std::move(*opened), std::move(*recovered)));
}

}  // namespace oltp20::hub
