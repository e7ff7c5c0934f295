// The journal format: bytes of a disk, read as a record of the kind that the first byte says.
// Whatever is read must encode to the very bytes again: nothing is ignored, nothing has two forms.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/bytes.h"
#include "hub/journal/entry.h"
#include "hub/journal/rocksdb/keys.h"
#include "hub/journal/rocksdb/witness.h"
#include "hub/journal/verify.h"
#include "tests/fuzz/property.h"

namespace oltp20::hub {
namespace {

void fuzz_entry(std::string_view bytes) {
  Result<Entry> entry = decode_entry(bytes);
  if (!entry) return;
  DEMAND(encode_entry(*entry) == bytes);
  (void)entry_hash(*entry);
}

// A stream of entries and parts, each with its length before it; an odd length is a part.
void fuzz_stream(std::string_view bytes) {
  ByteReader in(bytes);
  StreamVerifier verifier(Incarnation{}, 1, 64, std::nullopt);
  for (Lsn lsn = 1; lsn <= 64 && in.ok() && in.remaining() != 0;) {
    std::uint16_t size = in.u16();
    std::string_view one = in.raw(size / 2);
    if (size % 2 == 1) {
      verifier.part(one.empty() ? std::nullopt : std::optional<std::string>(one));
    } else {
      verifier.entry(lsn++, decode_entry(one));
    }
  }
  verifier.finish();
  verifier.check_records({OriginState{}});
  const VerifyReport& report = verifier.report();
  DEMAND(report.findings.size() <= VerifyReport::kFindings);
  for (const Finding& finding : report.findings) DEMAND(!finding.sentence.empty());
}

void fuzz_witness(std::string_view bytes) {
  static const int file = memfd_create("witness", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  DEMAND(ftruncate(file, 0) == 0);
  DEMAND(pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::optional<StreamPosition> seen = store::Witness::peek(path);
  Result<store::Witness> witness = store::Witness::open(path);
  DEMAND(witness.is_ok() && witness->last() == seen);
  // What is written next counts, whatever stood there.
  StreamPosition next{Incarnation::from("next"), 7, {}};
  DEMAND(witness->write(next).is_ok());
  DEMAND(store::Witness::peek(path) == next);
}

void fuzz_meta(std::string_view bytes) {
  Result<store::Meta> meta = store::decode_meta(bytes);
  if (meta && meta->version == store::kFormatVersion) DEMAND(store::encode_meta(*meta) == bytes);
}

void fuzz_life(std::string_view bytes) {
  std::string_view key = bytes.substr(0, bytes.empty() ? 0 : bytes[0] & 7);
  std::string_view value = bytes.substr(key.size());
  Result<store::Life> life = store::decode_life(key, value);
  if (life) DEMAND(store::encode_life(*life) == value);
  (void)store::lsn_of_key(bytes);
}

template <typename Decode, typename Encode>
void fuzz_record(std::string_view bytes, Decode decode, Encode encode) {
  auto record = decode(bytes);
  if (record) DEMAND(encode(*record) == bytes);
}

// The length of the key, the key, the value.
void fuzz_origin(std::string_view bytes) {
  ByteReader in(bytes);
  std::string_view key = in.raw(in.u8());
  std::string_view value = in.raw(in.remaining());
  (void)store::origin_of_part(key);
  Result<store::OriginRecord> record = store::decode_origin(1, key, value);
  if (record && record->is_intact()) DEMAND(store::encode_origin(record->state) == value);
}

void fuzz(std::string_view bytes) {
  if (bytes.empty()) return;
  std::string_view rest = bytes.substr(1);
  switch (static_cast<std::uint8_t>(bytes[0]) % 9) {
    case 0:
      return fuzz_entry(rest);
    case 1:
      return fuzz_stream(rest);
    case 2:
      return fuzz_witness(rest);
    case 3:
      return fuzz_meta(rest);
    case 4:
      return fuzz_life(rest);
    case 5:
      return fuzz_record(rest, store::decode_place, store::encode_place);
    case 6:
      return fuzz_origin(rest);
    case 7:
      return fuzz_record(rest, store::decode_head, store::encode_head);
    default:
      return fuzz_record(rest, store::decode_large, store::encode_large);
  }
}

}  // namespace
}  // namespace oltp20::hub

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  oltp20::hub::fuzz(bytes);
  return 0;
}
