#include "tests/hub/journal/rocksdb_fixture.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <filesystem>

#include "tests/hub/journal/engine.h"

namespace oltp20::hub::testing {
namespace {

using rocksdb::FSWritableFile;
using rocksdb::IOStatus;

class FillableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FillableFile(std::unique_ptr<FSWritableFile> file, std::atomic<bool>* full)
      : FSWritableFileOwnerWrapper(std::move(file)), full_(full) {}

  // The data arrives, its flush fails: the worse case, since the group may be found again.
  IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (*full_) return IOStatus::NoSpace("No space left on device");
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (*full_) return IOStatus::NoSpace("No space left on device");
    return FSWritableFileOwnerWrapper::Fsync(options, debug);
  }

 private:
  std::atomic<bool>* full_;
};

class FillableFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FillableFileSystem(std::atomic<bool>* full)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), full_(full) {}
  const char* Name() const override { return "fillable"; }
  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           rocksdb::IODebugContext* debug) override {
    if (*full_) return IOStatus::NoSpace("No space left on device");
    std::unique_ptr<FSWritableFile> opened;
    IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &opened, debug);
    if (status.ok()) *file = std::make_unique<FillableFile>(std::move(opened), full_);
    return status;
  }

 private:
  std::atomic<bool>* full_;
};

class RocksEngine final : public Engine {
 public:
  RocksEngine() { reopen(); }
  Journal& journal() override { return *journal_; }
  void reopen() override {
    journal_.reset();
    journal_ = open_journal(directory_.path(), disk_.env());
    if (!journal_) std::abort();
  }
  void break_disk() override { disk_.set_full(true); }
  void repair_disk() override { disk_.set_full(false); }

 private:
  TemporaryDirectory directory_;
  FillableDisk disk_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "oltp20-journal-XXXXXX";
  path_ = ::mkdtemp(name.data());
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<Journal> open_journal(const std::string& directory, rocksdb::Env* env) {
  SecureRandom random;
  Result<std::unique_ptr<Journal>> journal =
      open_rocksdb_journal({.directory = directory, .hub = "eu-west", .env = env}, random);
  EXPECT_TRUE(journal) << journal.status().message();
  return journal ? std::move(*journal) : nullptr;
}

struct FillableDisk::Parts {
  std::atomic<bool> full = false;
  std::unique_ptr<rocksdb::Env> env =
      rocksdb::NewCompositeEnv(std::make_shared<FillableFileSystem>(&full));
};

FillableDisk::FillableDisk() : parts_(std::make_unique<Parts>()) {}
FillableDisk::~FillableDisk() = default;
void FillableDisk::set_full(bool full) {
  parts_->full = full;
}
rocksdb::Env* FillableDisk::env() {
  return parts_->env.get();
}

std::unique_ptr<Engine> make_rocksdb_engine() {
  return std::make_unique<RocksEngine>();
}

}  // namespace oltp20::hub::testing
