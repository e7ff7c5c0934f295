// Writes true encodings of every kind as first inputs of the fuzzers: DIRECTORY/FUZZER/seed-KIND.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/bytes.h"
#include "common/link/convert.h"
#include "common/wire/envelope.h"
#include "common/wire/hash_chain.h"
#include "hub/journal/entry.h"
#include "hub/journal/rocksdb/keys.h"
#include "hub/journal/rocksdb/witness.h"

namespace oltp20 {
namespace {

const std::string kSecret(32, 's');
std::filesystem::path out;

void seed(const std::string& fuzzer, const std::string& kind, const std::string& bytes) {
  std::filesystem::create_directories(out / fuzzer);
  std::ofstream(out / fuzzer / ("seed-" + kind), std::ios::binary) << bytes;
}

std::string kind_of(std::uint8_t number, const std::string& bytes) {
  return std::string(1, static_cast<char>(number)) + bytes;
}

template <typename Id>
Id id_of(char fill) {
  return Id::from(std::string(Id::size, fill));
}

TransactionHeader header(Seq seq, std::uint32_t rows) {
  return {.origin = "store-17", .epoch = id_of<Epoch>('e'), .seq = seq, .xid = 1234, .rows = rows};
}

std::string single(Seq seq, const std::vector<MessageRow>& rows, Hash* content) {
  TransactionEncoder encoder(header(seq, static_cast<std::uint32_t>(rows.size())), kSecret);
  for (const MessageRow& row : rows) encoder.add_row(row);
  encoder.finish();
  *content = encoder.content_hash();
  return *encoder.take_part();
}

std::vector<MessageRow> rows() {
  MessageRow full{.id = id_of<RowId>('r'),
                  .type = "greeting",
                  .date = 7831,
                  .payload = "Ah-Ha!",
                  .headers = R"({"a":1})",
                  .destination = "spoke/b",
                  .sent_at_us = 1'600'000'000'000'000};
  MessageRow bare{.id = id_of<RowId>('b'), .type = "order.new"};
  MessageRow denied{.type = "secret", .payload = "x"};
  return {full, bare, denied};
}

void envelopes() {
  Hash content;
  std::string three = single(1, rows(), &content);
  seed("envelope", "three", three);
  Result<PartView> part = PartView::parse(three);
  bool keep = false;
  seed("envelope", "withheld", withhold_rows(*part, [&](const RowSlice&) { return keep = !keep; }));
  seed("envelope", "one", single(2, {rows()[1]}, &content));
  TransactionHeader tombstone = header(3, 0);
  tombstone.tombstone = true;
  tombstone.reason = "type_denied: secret";
  seed("envelope", "tombstone", encode_tombstone(tombstone));
}

struct Stream {
  Hash hash;
  ChainPosition chain{0, origin_chain_start("store-17", {id_of<Epoch>('e'), {}, {}})};
  Lsn lsn = 0;

  std::string seal(hub::Entry entry) {
    entry.lsn = ++lsn;
    hash = entry.stream = stream_next(hash, hub::entry_hash(entry));
    return hub::encode_entry(entry);
  }
  std::string run() {
    hub::Entry entry{.kind = hub::Entry::Kind::run, .origin = "store-17", .region = "eu"};
    entry.epoch = entry.life.id = id_of<Epoch>('e');
    entry.chain = chain.chain;
    return seal(std::move(entry));
  }
  std::string transaction(bool large, std::string* part) {
    hub::Entry entry{.origin = "store-17", .region = "eu", .epoch = id_of<Epoch>('e')};
    entry.prev = chain.seq;
    entry.seq = ++chain.seq;
    *part = single(entry.seq, rows(), &entry.content);
    entry.chain = chain.chain = origin_chain_next(chain.chain, entry.content);
    entry.parts = large ? 2 : 1;
    entry.rows = 3;
    entry.bytes = part->size();
    entry.routes = {{"greeting", ""}, {"order.new", "spoke/b"}};
    if (!large) entry.part = *part;
    return seal(std::move(entry));
  }
};

std::string framed(const std::string& bytes, bool part) {
  std::string framed;
  ByteWriter writer(&framed);
  writer.u16(static_cast<std::uint16_t>(bytes.size() * 2 + part));
  return framed + bytes;
}

void journals() {
  Stream stream;
  std::string part;
  std::string run = stream.run(), one = stream.transaction(false, &part);
  std::string large = stream.transaction(true, &part);
  seed("journal", "entry-run", kind_of(0, run));
  seed("journal", "entry-transaction", kind_of(0, one));
  seed("journal", "entry-large", kind_of(0, large));
  seed("journal", "stream",
       kind_of(
           1, framed(run, false) + framed(one, false) + framed(large, false) + framed(part, true)));
  StreamPosition position{id_of<Incarnation>('i'), 9, id_of<Hash>('h')};
  const std::filesystem::path file = out / "witness";
  {
    Result<hub::store::Witness> witness = hub::store::Witness::open(file);
    (void)witness->write(position);
    (void)witness->write(position);
  }
  std::ifstream in(file, std::ios::binary);
  seed("journal", "witness", kind_of(2, std::string{std::istreambuf_iterator<char>(in), {}}));
  std::filesystem::remove(file);
  using namespace hub::store;
  seed("journal", "meta", kind_of(3, encode_meta({kFormatVersion, "eu-west"})));
  Life life{.no = 1, .incarnation = id_of<Incarnation>('i'), .parent = position, .loss = "a loss"};
  seed("journal", "life", kind_of(4, life_key(1) + encode_life(life)));
  seed("journal", "place", kind_of(5, encode_place({7, id_of<Hash>('h')})));
  hub::OriginState state;
  state.origin = "store-17";
  state.last = {5, id_of<Hash>('c')};
  const std::string key = origin_key(1, {state.origin, state.life.id});
  seed("journal", "origin", kind_of(6, static_cast<char>(key.size()) + key + encode_origin(state)));
  seed("journal", "head", kind_of(7, encode_head({{7, id_of<Hash>('h')}, id_of<Hash>('d')})));
  seed("journal", "large", kind_of(8, encode_large({{"store-17", id_of<Epoch>('e')}, 5})));
}

template <typename Wire, typename Frame>
void frame(std::uint8_t number, const std::string& kind, const Frame& frame) {
  Wire message;
  to_wire(frame, &message);
  seed("frames", kind, kind_of(number, message.SerializeAsString()));
}

// By name: a field that the protocol gets later keeps its default here.
ForwardHello forward_hello(const std::string& spoke, const EpochInfo& life, ChainPosition stable) {
  ForwardHello hello;
  hello.spoke = spoke;
  hello.epoch = life;
  hello.stable = stable;
  hello.agent = "agent";
  return hello;
}

DeliverHello deliver_hello(const std::string& spoke, std::vector<StreamPosition> positions) {
  DeliverHello hello;
  hello.spoke = spoke;
  hello.agent = "agent";
  hello.database = id_of<Incarnation>('d');
  hello.subscribe = {"greeting", "order.>"};
  hello.positions = std::move(positions);
  hello.window_bytes = 1 << 20;
  return hello;
}

void frames() {
  EpochInfo life{id_of<Epoch>('e'), id_of<Epoch>('p'), {41, id_of<Hash>('f')}};
  StreamPosition at{id_of<Incarnation>('i'), 9, id_of<Hash>('h')};
  auto up = [](const std::string& kind, const ForwardUp& f) { frame<v1::ForwardUp>(0, kind, f); };
  ForwardHello hello = forward_hello("s1", life, {7, id_of<Hash>('c')});
  hello.ancestors = {life};
  hello.tip = 99;
  up("hello", hello);
  up("begin", ForwardBegin{{8, id_of<Hash>('b')}});
  up("parts", ForwardParts{{"one", std::string(1, '\0')}});
  up("heartbeat", Heartbeat{1, 2, 3});
  auto down = [](const std::string& kind, const ForwardDown& f) {
    frame<v1::ForwardDown>(1, kind, f);
  };
  down("welcome", ForwardWelcome{"hub", at.incarnation, true, {7, id_of<Hash>('c')}, 4096});
  down("ack", ForwardAck{5, 4, id_of<Hash>('a'), 77});
  down("refusal", ForwardRefusal{6, "type_denied", "no"});
  const Receipt receipt{"store-17",
                        life.id,
                        1,
                        9,
                        12,
                        "a gap",
                        {{ReceiptException::Kind::dead_letter, 4, 5, "22P05", "no"}}};
  down("receipts", ForwardReceipts{{{"b", "eu", at.incarnation, receipt}}});
  down("goodbye", Goodbye{Code::denied, "revoked"});
  frame<v1::DeliverUp>(2, "deliver-hello", DeliverUp(deliver_hello("s1", {at})));
  frame<v1::DeliverUp>(2, "deliver-ack", DeliverUp(DeliverAck{5, 4, 3}));
  frame<v1::DeliverUp>(2, "deliver-receipts", DeliverUp(DeliverReceipts{true, true, {receipt}}));
  frame<v1::DeliverDown>(3, "deliver-welcome",
                         DeliverDown(DeliverWelcome{"hub", at.incarnation, at, true, 3, {"a.>"}}));
  DeliverBatch batch;
  batch.items.push_back(DeliverRun{3, "store-17", life, {2, id_of<Hash>('b')}});
  batch.items.push_back(DeliverSpan{"store-17", life.id, 2, 4});
  batch.items.push_back(
      DeliverPart{4, 3, id_of<Hash>('c'), 99, std::make_shared<const std::string>("part")});
  batch.position = at;
  frame<v1::DeliverDown>(3, "deliver-batch", DeliverDown(batch));
}

std::string said(std::uint8_t operation, std::uint8_t link, const std::string& frame = "") {
  std::string out = {static_cast<char>(operation), static_cast<char>(link)};
  if (operation == 2 || operation == 3) ByteWriter(&out).str16(frame);
  return out;
}

// See hub_fuzz.cc: spoke/a (links 0, 3) forwards, spoke/b (links 1, 4) is delivered to.
void hubs() {
  auto up = [](const ForwardUp& f) {
    v1::ForwardUp message;
    to_wire(f, &message);
    return message.SerializeAsString();
  };
  auto request = [](const DeliverUp& f) {
    v1::DeliverUp message;
    to_wire(f, &message);
    return message.SerializeAsString();
  };
  EpochInfo life{id_of<Epoch>('e'), {}, {}};
  ChainPosition start{0, origin_chain_start("a", life)};
  auto part = [&](Seq seq, std::vector<MessageRow> rows) {
    TransactionHeader head = header(seq, static_cast<std::uint32_t>(rows.size()));
    head.origin = "a";
    TransactionEncoder encoder(head, kSecret);
    for (MessageRow& row : rows) {
      row.destination.reset();
      encoder.add_row(row);
    }
    encoder.finish();
    return *encoder.take_part();
  };
  TransactionHeader tombstone = header(2, 0);
  tombstone.origin = "a";
  tombstone.tombstone = true;
  const std::string attach = said(0, 0) + said(2, 0, up(forward_hello("a", life, start))) +
                             said(2, 0, up(ForwardBegin{start})) + said(5, 0) + said(1, 1) +
                             said(3, 1, request(deliver_hello("b", {})));
  const std::string first = said(2, 0, up(ForwardParts{{part(1, {rows()[0], rows()[1]})}}));
  seed("hub", "delivered",
       attach + first + said(5, 0) + said(5, 0) + said(3, 1, request(DeliverAck{10, 2, 2})));
  seed("hub", "refused",
       attach + first + said(5, 0) + said(2, 0, up(ForwardParts{{part(2, rows())}})) + said(5, 0) +
           said(2, 0, up(ForwardParts{{encode_tombstone(tombstone)}})) + said(5, 0) + said(5, 0));
  seed("hub", "journal-fails", attach + said(6, 0) + first + said(5, 0) + said(5, 0) + said(0, 3));
  seed(
      "hub", "narrowed",
      attach + said(8, 0) + first + said(5, 0) + said(5, 0) + said(4, 0) + said(9, 0) + said(7, 0));
}

void configurations() {
  seed("config", "hub", kind_of('0', R"([hub]
name = "eu-west"
listen = "127.0.0.1:7420"
data_dir = "hub-data"
location = { latitude = 53.35, longitude = -6.26 }
[http]
listen = "127.0.0.1:7421"
[tls]
ca = "ca.pem"
cert = "it.pem"
key = "it.key"
[policy]
file = "policy.toml"
[journal]
horizon_hours = 168
max_bytes = "50GiB"
[[peer]]
name = "us-east"
endpoint = "127.0.0.1:7520"
)"));
  seed("config", "spoke", kind_of('1', R"([spoke]
name = "store-17"
subscribe = ["greeting", "price.>"]
start = "earliest"
order = "exact"
[retention]
horizon_hours = 168
[database]
url = "postgresql://oltp20_agent@127.0.0.1:5432/oltp20_framework"
[tls]
ca = "ca.pem"
cert = "it.pem"
key = "it.key"
[http]
listen = "127.0.0.1:7431"
[[hub]]
name = "eu-west"
endpoint = "127.0.0.1:7420"
)"));
  seed("config", "policy", kind_of('2', R"([[rule]]
who = "spoke/store-*"
publish = ["greeting", "order.>"]
subscribe = ["greeting", "price.*"]
[[rule]]
who = "hub/us-east"
subscribe = ["greeting"]
via = ["hub/*"]
home_of = ["spoke/*", "region/us-east"]
[[rule]]
who = "admin/*"
admin = ["read", "write"]
)"));
  seed("config", "syntax",
       kind_of('0',
               "# a comment\n[a.b]\nx = '''\nlines'''\n"
               "y = [1, -2.5e3, true, 0xff, 1979-05-27T07:32:00Z]\n"
               "\"q\\u00e4\" = { z = \"\\t\" }\n"));
}

}  // namespace
}  // namespace oltp20

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY\n", arguments[0]);
    return 2;
  }
  oltp20::out = arguments[1];
  std::filesystem::create_directories(oltp20::out);
  oltp20::envelopes();
  oltp20::journals();
  oltp20::frames();
  oltp20::hubs();
  oltp20::configurations();
}
