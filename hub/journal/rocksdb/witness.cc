#include "hub/journal/rocksdb/witness.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/bytes.h"
#include "common/wire/sha256.h"
#include "hub/journal/rocksdb/disk_full.h"

namespace oltp20::hub::store {
namespace {

constexpr std::string_view kMagic = "OLTP20W1";
constexpr std::size_t kSlotBytes = 8 + 8 + Incarnation::size + 8 + Hash::size + Hash::size;
constexpr off_t kSlotOffset[] = {0, 4096};  // never in one sector

struct Slot {
  std::uint64_t generation = 0;
  StreamPosition head;
};

std::string encode_slot(const Slot& slot) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.raw(kMagic);
  out.u64(slot.generation);
  out.id(slot.head.incarnation);
  out.u64(slot.head.lsn);
  out.id(slot.head.hash);
  Sha256 sha;
  sha.update(bytes);
  out.id(sha.finish());
  return bytes;
}

std::optional<Slot> decode_slot(std::string_view bytes) {
  ByteReader in(bytes);
  Slot slot;
  if (in.raw(kMagic.size()) != kMagic) return std::nullopt;
  slot.generation = in.u64();
  slot.head.incarnation = in.id<Incarnation>();
  slot.head.lsn = in.u64();
  slot.head.hash = in.id<Hash>();
  if (!in.ok() || encode_slot(slot) != bytes) return std::nullopt;
  return slot;
}

std::optional<Slot> newest_slot(int file) {
  std::optional<Slot> newest;
  for (off_t offset : kSlotOffset) {
    std::string bytes(kSlotBytes, '\0');
    if (::pread(file, bytes.data(), bytes.size(), offset) != static_cast<ssize_t>(bytes.size()))
      continue;
    std::optional<Slot> slot = decode_slot(bytes);
    if (slot && (!newest || slot->generation > newest->generation)) newest = slot;
  }
  return newest;
}

}  // namespace

Result<Witness> Witness::open(const std::string& path) {
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  Witness witness(file, path);
  if (file < 0) return witness.failed("opened");
  witness.load();
  return witness;
}

std::optional<StreamPosition> Witness::peek(const std::string& path) {
  Witness witness(::open(path.c_str(), O_RDONLY | O_CLOEXEC), path);
  if (witness.file_ >= 0) witness.load();
  return witness.last_;
}

Witness::Witness(Witness&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      generation_(other.generation_),
      last_(other.last_) {}

Witness::~Witness() {
  if (file_ >= 0) ::close(file_);
}

void Witness::load() {
  std::optional<Slot> newest = newest_slot(file_);
  if (!newest) return;
  generation_ = newest->generation;
  last_ = newest->head;
}

Status Witness::write(const StreamPosition& head) {
  std::string bytes = encode_slot({++generation_, head});
  ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), kSlotOffset[generation_ % 2]);
  if (written != static_cast<ssize_t>(bytes.size())) {
    if (written >= 0) errno = ENOSPC;
    return failed("written");
  }
  last_ = head;
  return {};
}

Status Witness::sync() {
  return ::fdatasync(file_) == 0 ? Status() : failed("flushed");
}

Status Witness::failed(const char* doing) const {
  bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  const std::string what = path_ + " cannot be " + doing + " (" + std::strerror(errno) + ")";
  if (full) return Status(Code::exhausted, what + ". " + std::string(kDiskFullRemedy));
  return Status(Code::unavailable, what + "; check the disk and the directory's owner");
}

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  std::string path = directory + "/lock";
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return Status(Code::unavailable, path + " cannot be opened (" + std::strerror(errno) +
                                         "); check the directory's owner");
  DirectoryLock lock(file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0)
    return Status(Code::conflict, "the journal in " + directory +
                                      " is in use by another hub process; stop that one, or give "
                                      "this hub a [hub] data_dir of its own");
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)) {}

DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace oltp20::hub::store
