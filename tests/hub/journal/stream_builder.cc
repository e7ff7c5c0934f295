#include "tests/hub/journal/stream_builder.h"

#include <gtest/gtest.h>

#include <future>

#include "common/base/limits.h"
#include "common/wire/envelope.h"
#include "common/wire/hash_chain.h"

namespace oltp20::hub::testing {
namespace {

const std::string kSecret(32, 's');

EpochInfo life_of(const std::string& origin) {
  return {.id = Epoch::from("epoch/" + origin), .parent = {}, .fork = {}};
}

}  // namespace

StreamBuilder::StreamBuilder(const Journal& journal) : head_(journal.info().head) {
  for (const OriginState& state : journal.origins())
    origins_[{state.origin, state.life.id}] = state.last;
}

OriginEpoch StreamBuilder::key(const std::string& origin) {
  return {origin, life_of(origin).id};
}

EntryPtr StreamBuilder::seal(Entry entry) {
  entry.lsn = head_.lsn + 1;
  entry.stream = stream_next(head_.hash, entry_hash(entry));
  head_.lsn = entry.lsn;
  head_.hash = entry.stream;
  return std::make_shared<const Entry>(std::move(entry));
}

EntryPtr StreamBuilder::run(const std::string& origin, Seq base) {
  Entry entry{.kind = Entry::Kind::run, .origin = origin, .region = "eu"};
  entry.life = life_of(origin);
  entry.epoch = entry.life.id;
  entry.seq = base;
  ChainPosition& last = origins_[entry.key()];
  entry.chain = last.seq == base && base > 0 ? last.chain : origin_chain_start(origin, entry.life);
  last = {base, entry.chain};
  return seal(std::move(entry));
}

EntryPtr StreamBuilder::transaction(const std::string& origin, const std::string& payload) {
  ChainPosition& last = origins_.at(key(origin));
  Entry entry{.origin = origin, .region = "eu", .epoch = key(origin).epoch};
  entry.prev = last.seq;
  entry.seq = last.seq + 1;
  TransactionHeader header{.origin = origin, .epoch = entry.epoch, .seq = entry.seq, .rows = 1};
  TransactionEncoder encoder(header, kSecret);
  encoder.add_row({.type = "greeting", .payload = payload});
  encoder.finish();
  entry.part = encoder.take_part().value();
  entry.content = encoder.content_hash();
  entry.chain = origin_chain_next(last.chain, entry.content);
  entry.parts = entry.rows = 1;
  entry.bytes = entry.part.size();
  entry.routes = {{"greeting", ""}};
  last = {entry.seq, entry.chain};
  return seal(std::move(entry));
}

EntryPtr StreamBuilder::large(const std::string& origin, std::uint32_t rows,
                              std::vector<StoredPart>* parts) {
  ChainPosition& last = origins_.at(key(origin));
  Entry entry{.origin = origin, .region = "eu", .epoch = key(origin).epoch};
  entry.prev = last.seq;
  entry.seq = last.seq + 1;
  entry.rows = rows;
  TransactionHeader header{.origin = origin, .epoch = entry.epoch, .seq = entry.seq, .rows = rows};
  TransactionEncoder encoder(header, kSecret);
  auto take = [&] {
    while (auto part = encoder.take_part()) {
      entry.bytes += part->size();
      parts->push_back({entry.key(), entry.seq, entry.parts++, std::move(*part)});
    }
  };
  std::string payload(limits::kPartBytes, 'x');
  for (std::uint32_t i = 0; i < rows; ++i) {
    encoder.add_row({.type = "greeting", .payload = payload});
    take();
  }
  encoder.finish();
  take();
  entry.content = encoder.content_hash();
  entry.chain = origin_chain_next(last.chain, entry.content);
  entry.routes = {{"greeting", ""}};
  last = {entry.seq, entry.chain};
  return seal(std::move(entry));
}

Group StreamBuilder::group(const std::string& origin, int count, const std::string& payload) {
  Group group;
  for (int i = 0; i < count; ++i) group.entries.push_back(transaction(origin, payload));
  return group;
}

Status append(Journal& journal, Group group) {
  auto outcome = std::make_shared<std::promise<Status>>();
  journal.append(std::move(group), [outcome](Status status) { outcome->set_value(status); });
  return outcome->get_future().get();
}

std::vector<ReadItem> read_all(const Journal& journal, Lsn lsn, std::size_t max_bytes) {
  std::vector<ReadItem> items;
  ReadCursor cursor{lsn, 0};
  while (true) {
    Result<ReadPage> page = journal.read(cursor, max_bytes);
    if (!page) {
      ADD_FAILURE() << page.status().message();
      return items;
    }
    for (ReadItem& item : page->items) items.push_back(std::move(item));
    if (page->at_head) return items;
    EXPECT_FALSE(page->items.empty()) << "a page of nothing, not at the head";
    if (page->items.empty()) return items;
    cursor = page->next;
  }
}

}  // namespace oltp20::hub::testing
